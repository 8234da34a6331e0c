"""Reading the catalogue: SQL in, rows out, in the formats people paste elsewhere."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.reporting.catalogue import open_read_only
from nsnet.reporting.tables import markdown_table


def run_query(database: Path, sql: str) -> pl.DataFrame:
    """Run one statement read-only: it can neither change the catalogue nor touch other files.

    Raises:
        FileNotFoundError: no catalogue yet.
        duckdb.Error: the statement is wrong; DuckDB's message names near columns and tables.
        ValueError: the statement gives no rows.
    """
    with open_read_only(database) as connection:
        found = connection.sql(sql)
        if found is None:
            raise ValueError("the statement gives no rows: ask with SELECT, FROM, DESCRIBE or SHOW")
        return found.pl()


def as_text(frame: pl.DataFrame, format: str) -> str:
    """Rows as csv, json (one array) or a markdown table."""
    if format == "csv":
        return frame.write_csv()
    if format == "json":
        return frame.write_json() + "\n"
    return markdown_table(frame)


def write_rows(frame: pl.DataFrame, format: str, path: Path) -> None:
    """Write rows to a file; the format `table` is written as markdown."""
    with atomic_path(path) as temporary:
        if format == "parquet":
            frame.write_parquet(temporary)
        else:
            temporary.write_text(as_text(frame, format), encoding="utf-8")
