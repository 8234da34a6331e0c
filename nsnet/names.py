"""Unknown names: say what was asked for, the nearest ones and the whole list."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """A clause with up to three near names, or just a full stop."""
    near = difflib.get_close_matches(name, list(known), n=3)
    return f"; did you mean {' or '.join(near)}?" if near else "."


def unknown(kind: str, name: str, known: Iterable[str]) -> ValueError:
    """Build the error for a `name` that is no known `kind`."""
    names = sorted(known)
    return ValueError(f"unknown {kind} {name!r}{nearest(name, names)} Known: {', '.join(names)}")
