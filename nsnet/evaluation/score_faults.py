"""Faults of files with scores, collected by kind and told at once."""

from __future__ import annotations

from collections.abc import Iterable

# Of each kind; a file of the wrong pictures has as many faults as rows.
SHOWN = 5


class Faults:
    """Lines by kind of fault, in the order in which the kinds were met."""

    def __init__(self) -> None:
        self._lines: dict[str, list[str]] = {}

    def add(self, kind: str, lines: Iterable[str]) -> None:
        """Note faults.

        Args:
            kind: what they are, in the plural: "scores that are no numbers".
            lines: one for each, with its place, what is there and what was expected.
        """
        if found := list(lines):
            self._lines.setdefault(kind, []).extend(found)

    def refuse(self, source: str) -> None:
        """Raise if there are any.

        Args:
            source: what has them.

        Raises:
            ValueError: how many of which kind, and the first of each.
        """
        if not self._lines:
            return
        counts = ", ".join(f"{len(lines)} {kind}" for kind, lines in self._lines.items())
        text = [f"{source} has faults: {counts}"]
        for kind, lines in self._lines.items():
            text += [f"  {line}" for line in lines[:SHOWN]]
            text += [f"  ... and {len(lines) - SHOWN} more {kind}"] if len(lines) > SHOWN else []
        raise ValueError("\n".join(text))
