"""What a table is: a pandera schema, checked where a table enters or leaves a stage.

The class docstring is the table's comment and each field's description the column's
comment in nsnet.duckdb. Every table is kept as Parquet; the database is a view of them.
Each package has a module `contracts` with the tables that it owns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import pandera.polars as pa
import polars as pl

FLOATS: dict[str, Any] = {"inner": pl.Float32()}
STRINGS: dict[str, Any] = {"inner": pl.String()}
Kind = TypeVar("Kind", bound="type[Table]")


class Table(pa.DataFrameModel):
    """Columns are exactly those named: a surplus or missing one is an error."""

    class Config:
        strict = True


_NAMES: dict[type[Table], tuple[str, str]] = {}


def contract(name: str, stage: str) -> Callable[[Kind], Kind]:
    """Name a table, and the stage that makes it (its folder in artifacts/).

    Args:
        name: of the table, in files and in SQL.
        stage: that makes it.

    Returns:
        A decorator for the table's class.
    """

    def register(kind: Kind) -> Kind:
        _NAMES[kind] = name, stage
        return kind

    return register


def table_name(kind: type[Table]) -> str:
    """Name of a table in SQL and of its file."""
    return _NAMES[kind][0]


def table_stage(kind: type[Table]) -> str:
    """Stage that makes a table."""
    return _NAMES[kind][1]


def make(kind: type[Table], rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Build a frame with the columns and types of a table from dicts; surplus keys are left out.

    Args:
        kind: the table.
        rows: with a value for every column of it.

    Returns:
        A frame, in column order; not checked.
    """
    schema = {column: facts.dtype.type for column, facts in kind.to_schema().columns.items()}
    return pl.DataFrame([{column: row[column] for column in schema} for row in rows], schema=schema)


def fit(kind: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """Give a frame the columns and types of a table; surplus columns are left out.

    Args:
        kind: the table.
        frame: with at least its columns.

    Returns:
        A frame in column order; not checked.
    """
    return frame.select(pl.col(column).cast(dtype) for column, dtype in make(kind, []).schema.items())


def check(kind: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """Validate an eager frame against a table, in column order.

    Args:
        kind: the table.
        frame: what should be one.

    Returns:
        The frame, its columns in the contract's order.

    Raises:
        ValueError: every fault at once, with column, check and an example value.
    """
    try:
        kind.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as error:
        faults = error.failure_cases.select("column", "check", "failure_case").unique(maintain_order=True)
        lines = [f"  {column}: {rule}, e.g. {case}" for column, rule, case in faults.head(20).iter_rows()]
        message = f"table {table_name(kind)} breaks its contract ({faults.height} faults):\n"
        raise ValueError(message + "\n".join(lines)) from error
    return frame.select(list(kind.to_schema().columns))
