"""Figures that others published for the suites, as data: each with its source, and with our names where we have them.

figures.csv holds them as they were read; mapping.yaml says what their names mean here, each with its reason. The
views set them beside ours (`versus_published`); `nsnet suites published` prints them.
"""

from __future__ import annotations

import csv
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import ValidationError

from nsnet.core.contracts import check, make
from nsnet.core.faults import fault_lines
from nsnet.core.settings import read_values
from nsnet.reporting.published.contracts import Published
from nsnet.reporting.published.mapping import COLUMNS, WORDS, Names, Row
from nsnet.suites import suites

FOLDER = Path(__file__).parent
# A note with this word in it says what is wrong with the figure.
FLAG = "FLAG"
IDENTITY = ("source", "suite", "generator", "method", "train_set", "condition", "metric")


@functools.cache
def published() -> pl.DataFrame:
    """All published figures, in the order of figures.csv; rows of `Published`.

    Raises:
        ValueError: the figures or what their names mean have faults, all at once.
    """
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return build_published(rows, read_values(FOLDER / "mapping.yaml"))


def build_published(rows: list[dict[str, str]], raw_names: Any) -> pl.DataFrame:
    """Join figures with what their names mean.

    Args:
        rows: of figures.csv, as text; values in per cent.
        raw_names: plain data, as mapping.yaml holds it.

    Returns:
        Rows of `Published`, in the order given.

    Raises:
        ValueError: all faults at once, each with its place: unknown keys, names without a meaning or a use, values
            that are no percentages, figures that stand there twice.
    """
    try:
        names = Names.model_validate(raw_names)
    except ValidationError as error:
        raise _refusal(line.strip() for line in fault_lines(error, Names)) from error
    faults = [*names.faults(rows), *_faulty_values(rows), *_repeated(rows)]
    if faults:
        raise _refusal(faults)
    beside = _generators_beside(rows, names)
    joined = [_joined(number, row, names, beside) for number, row in enumerate(rows, start=1)]
    return check(Published, make(Published, joined))


def _refusal(faults: Iterable[str]) -> ValueError:
    lines = [f"  {line}" for line in faults]
    return ValueError(f"the published figures have {len(lines)} fault(s):\n" + "\n".join(lines))


def _faulty_values(rows: list[dict[str, str]]) -> Iterator[str]:
    for number, row in enumerate(rows, start=1):
        try:
            inside = 0 <= Decimal(row["value"]) <= 100
        except InvalidOperation:
            inside = False
        if not inside:
            yield f"row {number}: expected a value of 0..100, got {row['value']!r}"


def _repeated(rows: list[dict[str, str]]) -> Iterator[str]:
    first: dict[tuple[str, ...], int] = {}
    for number, row in enumerate(rows, start=1):
        same = first.setdefault(tuple(row[column] for column in IDENTITY), number)
        if same != number:
            yield f"row {number}: the same figure as row {same}"


def _table_of(row: Row) -> tuple[str, ...]:
    """What a mean and the figures it is over have in common."""
    return tuple(row[column] for column in IDENTITY if column != "generator")


def _generators_beside(rows: list[dict[str, str]], names: Names) -> dict[tuple[str, ...], set[str]]:
    found: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for row in rows:
        if row["generator"] != names.means.printed and (key := names.meaning("generator", row).key):
            found[_table_of(row)].add(key)
    return found


def _joined(number: int, row: Row, names: Names, beside: dict[tuple[str, ...], set[str]]) -> dict[str, Any]:
    parts = [part for part in COLUMNS if part != "generator" or row["generator"] != names.means.printed]
    meanings = {part: names.meaning(part, row) for part in parts}
    keys: dict[str, str | None] = {part: meaning.key for part, meaning in meanings.items()}
    reasons = [f"{WORDS[part]}: {meaning.why}" for part, meaning in meanings.items() if meaning.key is None]
    if "generator" in keys:
        generators = {keys["generator"]} - {None}
    else:
        generators = set(_members(row, keys["suite"], names, beside))
        if not generators:
            reasons.append(f"{WORDS['generator']}: a mean over columns that are no generators of the registry")
    doubts = [f"{doubt.note} ({doubt.source})" for doubt in names.doubts if doubt.takes(row)]
    doubts += [row["note"]] if FLAG in row["note"] else []
    return {
        "row": number,
        "generator": None,
        **keys,
        "generators": sorted(generators),
        "method": row["method"],
        # Of the decimal number that was printed, the nearest float: 94.2 is 0.942.
        "value": float(Decimal(row["value"]).scaleb(-2)),
        "unmapped": "; ".join(reasons) or None,
        "doubt": "; ".join(doubts) or None,
        **{f"{part}_printed": row[column] for part, column in COLUMNS.items()},
        "source": row["source"],
        "note": row["note"] or None,
    }


def _members(row: Row, suite: str | None, names: Names, beside: dict[tuple[str, ...], set[str]]) -> set[str]:
    """The generators of a mean; none if they are not known or not as many as its source says."""
    if row["source"] not in names.means.alone:
        return beside.get(_table_of(row), set())
    known = set(suites()[suite].generators) if suite else set()
    return known if len(known) == names.means.alone[row["source"]] else set()
