"""How rows are laid out for reading: a number and its interval in one cell, values of a column sideways."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from nsnet.core.printing import DIGITS

LOW, HIGH = "_low", "_high"
ELSEWHERE = "_population"


@dataclass(frozen=True)
class Pivot:
    """How Markdown lays rows out sideways: a column for each value of `on`, its cells from `cell`.

    Attributes:
        index: columns that name a row.
        on: column whose values become columns, in the order of the rows.
        cell: column with the number that is shown.
        interval: show the number's interval beside it.
        shown: values of `on` that have a column; all if empty.
    """

    index: tuple[str, ...]
    on: str
    cell: str
    interval: bool = True
    shown: tuple[str, ...] = ()


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
    """Rows laid out sideways; rows and columns in the order in which they are first met.

    Args:
        frame: rows with the columns that `layout` names.
        layout: what goes where.

    Returns:
        A frame of text.
    """
    name = layout.cell
    cell = _interval(name, name + LOW, name + HIGH) if layout.interval else _number(name)
    if layout.shown:
        frame = frame.filter(pl.col(layout.on).is_in(layout.shown))
    rows = frame.select(*layout.index, layout.on, cell.alias("cell"))
    return rows.pivot(layout.on, index=layout.index, values="cell", maintain_order=True)


def _number(name: str) -> pl.Expr:
    return pl.col(name).map_elements(lambda value: f"{value:.{DIGITS}f}", return_dtype=pl.String)


def _interval(value: str | None, low: str, high: str) -> pl.Expr:
    ends = pl.format("{}..{}", _number(low), _number(high))
    return ends if value is None else pl.format("{} ({})", _number(value), ends)
