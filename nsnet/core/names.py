"""Unknown names: say what was asked for, the nearest ones and the whole list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near_names(name: str, known: Iterable[str], alike: float = 0.6) -> list[str]:
    """Up to three names that are at least `alike` (difflib's ratio), case aside, best first.

    Args:
        name: what was asked for.
        known: names that there are.
        alike: ratio from which a name counts as near, 0..1.

    Returns:
        Names as `known` spells them.
    """
    folded = {candidate.casefold(): candidate for candidate in known}
    return [folded[match] for match in difflib.get_close_matches(name.casefold(), folded, n=3, cutoff=alike)]


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause with up to three near names, or just a full stop.

    Args:
        name, known: as `near_names`.

    Returns:
        Text to end a sentence with.
    """
    near = near_names(name, known)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Build the error for a `name` that is no known `kind`.

    Args:
        kind: what it is a name of.
        name: what was asked for.
        known: names that there are.

    Returns:
        The error, to be raised.
    """
    names = sorted(known)
    return ValueError(f"unknown {kind} {name!r}{nearest(name, names)} Known: {', '.join(names)}")
