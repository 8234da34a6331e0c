"""Rows as text: Markdown for reading, CSV for machines. Neither lets a name break out of its cell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

DIGITS, CSV_DIGITS = 3, 6
LOW, HIGH = "_low", "_high"
ELSEWHERE = "_population"
# A spreadsheet takes text that begins with one of these for a formula.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Pivot:
    """How Markdown lays rows out sideways: a column for each value of `on`, its cells from `cell`.

    Attributes:
        index: columns that name a row.
        on: column whose values become columns, in the order of the rows.
        cell: column with the number that is shown.
        interval: show the number's interval beside it.
    """

    index: tuple[str, ...]
    on: str
    cell: str
    interval: bool = True


def triples(columns: Sequence[str]) -> list[str]:
    """Names of the columns that have an interval beside them."""
    return [name for name in columns if {name + LOW, name + HIGH} <= set(columns)]


def folded(frame: pl.DataFrame) -> pl.DataFrame:
    """Each number and its interval as one column of text; the interval of another generator as one beside it."""
    names = set(frame.columns)
    columns: list[pl.Expr] = []
    for name in frame.columns:
        base = re.sub(f"({ELSEWHERE})?({LOW}|{HIGH})$", "", name)
        if base != name and base in names:
            continue
        if name + LOW not in names:
            columns.append(pl.col(name))
            continue
        columns.append(_interval(name, name + LOW, name + HIGH).alias(name))
        if name + ELSEWHERE + LOW in names:
            ends = name + ELSEWHERE + LOW, name + ELSEWHERE + HIGH
            columns.append(_interval(None, *ends).alias(f"{name}, another generator"))
    return frame.select(columns)


def pivoted(frame: pl.DataFrame, layout: Pivot) -> pl.DataFrame:
    """Rows laid out sideways; rows and columns in the order in which they are first met."""
    name = layout.cell
    cell = _interval(name, name + LOW, name + HIGH) if layout.interval else _number(name)
    rows = frame.select(*layout.index, layout.on, cell.alias("cell"))
    return rows.pivot(layout.on, index=layout.index, values="cell", maintain_order=True)


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


def _number(name: str) -> pl.Expr:
    return pl.col(name).map_elements(lambda value: f"{value:.{DIGITS}f}", return_dtype=pl.String)


def _interval(value: str | None, low: str, high: str) -> pl.Expr:
    ends = pl.format("{}..{}", _number(low), _number(high))
    return ends if value is None else pl.format("{} ({})", _number(value), ends)


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
