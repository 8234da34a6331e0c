"""Rows as a Markdown table; no name breaks out of its cell."""

from __future__ import annotations

import polars as pl

DIGITS = 3


def markdown_table(frame: pl.DataFrame) -> str:
    """A Markdown table: numbers right-aligned, floats to three digits."""
    align = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    lines = [[_escaped(name) for name in frame.columns], align]
    lines += [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.{DIGITS}f}"
    return _escaped(str(value))


def _escaped(text: str) -> str:
    """Text that stays in its cell: no line ends or other control characters, no bars."""
    spaced = " ".join(text.split())
    plain = "".join(sign if sign.isprintable() else f"\\x{ord(sign):02x}" for sign in spaced)
    return plain.replace("|", "\\|")
