"""Rows as text: Markdown for reading, CSV for machines. Neither lets a name break out of its cell."""

from __future__ import annotations

import polars as pl

DIGITS, CSV_DIGITS = 3, 6
# A spreadsheet takes text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def markdown_table(frame: pl.DataFrame) -> str:
    """A Markdown table: numbers right-aligned, floats to three digits."""
    align = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    lines = [[_escaped(name) for name in frame.columns], align]
    lines += [[_cell(value) for value in row] for row in frame.iter_rows()]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def csv_text(frame: pl.DataFrame) -> str:
    """CSV: floats to six digits, and no text that a spreadsheet takes for a formula."""
    columns = []
    for name, dtype in frame.schema.items():
        column = pl.col(name)
        if dtype.is_float():
            column = column.round(CSV_DIGITS)
            column = pl.when(column == 0).then(0.0).otherwise(column)  # no negative zero
        elif dtype == pl.String:
            starts = pl.any_horizontal(column.str.starts_with(sign) for sign in FORMULA)
            column = pl.when(starts).then(pl.lit("'") + column).otherwise(column)
        columns.append(column.alias(name))
    return frame.select(columns).write_csv()


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
