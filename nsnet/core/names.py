"""Unknown names: say what was asked for, the nearest ones and the whole list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], alike: float = 0.6) -> list[str]:
    """Up to three names that are at least `alike` (difflib's ratio), case aside, best first."""
    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=alike)]


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause with up to three near names, or just a full stop."""
    near = near_names(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Build the error for a `name` that is no known `kind`."""
    names = sorted(known)
    return ValueError(f"unknown {kind} {name!r}{nearest(name, names)} Known: {', '.join(names)}")
