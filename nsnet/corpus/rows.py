"""Rows that people give as csv, jsonl or parquet: manifests and scores."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from functools import partial
from pathlib import Path

import polars as pl

from nsnet.core.names import near_names

# Of difflib. A column this like one that is missing is probably mistyped; others are nobody's business.
ALIKE = 0.75


def read_rows(file: Path) -> tuple[pl.DataFrame, str, int]:
    """The rows of a csv, jsonl or parquet file, names of columns in lower case; what csv holds is text.

    Args:
        file: to be read.

    Returns:
        The rows, what one is called (line or row), and the number of the first.

    Raises:
        ValueError: another ending, or the file cannot be read.
    """
    read: dict[str, tuple[Callable[[bytes], pl.DataFrame], str, int]] = {
        ".csv": (partial(pl.read_csv, infer_schema=False), "line", 2),
        ".jsonl": (partial(pl.read_ndjson, infer_schema_length=None), "line", 1),
        ".parquet": (pl.read_parquet, "row", 1),
    }
    if file.suffix not in read:
        raise ValueError(f"{file} is no table: expected a name that ends in {', '.join(read)}")
    parse, unit, first = read[file.suffix]
    try:
        frame = parse(file.read_bytes())
        return frame.rename({name: name.strip().casefold() for name in frame.columns}), unit, first
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def mistyped(columns: Iterable[str], known: Collection[str], lacking: Collection[str]) -> list[str]:
    """A line for each column that is not read, and is called nearly as one that is lacking.

    Args:
        columns: of a file.
        known: that are read.
        lacking: known ones that might have been meant.

    Returns:
        Lines of faults.
    """
    return [
        f"  column {name!r} is not read; did you mean {near[0]}?"
        for name in columns
        if name not in known and (near := near_names(name, lacking, ALIKE))
    ]
