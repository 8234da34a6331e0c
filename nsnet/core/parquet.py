"""Tables as Parquet: checked, in a fixed order, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import duckdb
import polars as pl

from nsnet.core.contracts import Table, check, table_name
from nsnet.core.files import atomic_path

# Stores keyed by content lie in sixteen files, by the first digit of the image's hash.
SHARDS = "0123456789abcdef"


def write_table(kind: type[Table], frame: pl.DataFrame, path: Path) -> None:
    """Check `frame` against its contract and write it; the same rows give the same bytes.

    Args:
        kind: the table.
        frame: its rows.
        path: of the file.

    Raises:
        OSError: the file cannot be written.
        ValueError: the rows break the contract.
    """
    frame = check(kind, frame)
    with atomic_path(path) as temporary:
        frame.write_parquet(temporary, compression="zstd", statistics=True)


def read_table(kind: type[Table], path: Path) -> pl.DataFrame:
    """Read and check a table.

    Args:
        kind: the table.
        path: of the file.

    Returns:
        Its rows, columns in the contract's order.

    Raises:
        FileNotFoundError: naming the file and the commands that make it.
        ValueError: if the contents break the contract.
    """
    if not path.exists():
        how = "`dvc repro`, or of pictures of your own `nsnet ingest`"
        raise FileNotFoundError(f"{path} does not exist: the table {table_name(kind)} is made by {how}")
    return check(kind, pl.read_parquet(path))


def query(sql: str, **tables: pl.DataFrame) -> pl.DataFrame:
    """Run SQL over frames, each visible under its keyword's name, in an in-memory DuckDB."""
    with duckdb.connect() as connection:
        for name, frame in tables.items():
            connection.register(name, frame.to_arrow())
        return connection.sql(sql).pl()
