"""The nights' tables, from nights/ into a catalogue."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from nsnet.core.contracts import Table, check, make, table_name
from nsnet.reporting.comments import comment_contract
from nsnet.reporting.nights.contracts import (
    NightChanges,
    NightDecisions,
    NightFindings,
    NightMeans,
    Nights,
    NightStages,
)

PARTS: tuple[type[Table], ...] = (Nights, NightMeans, NightChanges, NightFindings, NightStages)
TABLES: tuple[type[Table], ...] = (*PARTS, NightDecisions)


def read_nights(kind: type[Table], folder: Path) -> pl.DataFrame:
    """A table of all nights.

    Args:
        kind: of `TABLES`.
        folder: nights/ of a project; need not be there.

    Returns:
        Its rows, in the order of nights or decisions.

    Raises:
        ValueError: a part is damaged or of another contract, by its path.
    """
    pattern = f"decisions/decision=*/{table_name(kind)}.parquet" if kind is NightDecisions else _part(kind)
    frames = []
    for path in sorted(folder.glob(pattern)):
        try:
            frames.append(check(kind, pl.read_parquet(path)))
        except (pl.exceptions.PolarsError, ValueError, OSError) as error:
            raise ValueError(
                f"{path} cannot be read ({str(error).splitlines()[0]}): bring that folder back from a copy,"
                " or remove it; the other nights do not need it"
            ) from error
    return pl.concat([make(kind, []), *frames])


def _part(kind: type[Table]) -> str:
    return f"nights/night=*/{table_name(kind)}.parquet"


def create_nights(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Create and comment the nights' tables; without rows where no night was published.

    Args:
        connection: a catalogue without these tables.
        folder: nights/ of a project; need not be there.

    Raises:
        ValueError: as `read_nights`.
    """
    for kind in TABLES:
        connection.register("rows", read_nights(kind, folder).to_arrow())
        connection.execute(f"CREATE TABLE {table_name(kind)} AS SELECT * FROM rows")
        connection.unregister("rows")
        comment_contract(connection, table_name(kind), kind)
