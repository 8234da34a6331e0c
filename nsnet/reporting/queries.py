"""Reading the catalogue: SQL in, rows out, in the formats people paste elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import polars as pl
import psutil
import pyarrow as pa

from nsnet.core.files import atomic_path
from nsnet.core.printing import csv_text, markdown_table
from nsnet.reporting.catalogue import open_read_only

# Types that JSON and text have no word for, alone or inside of others.
WORDLESS = ("BLOB", "INTERVAL", "BIT")
BATCH = 100_000  # rows
NESTED = ("list", "array", "struct", "map", "union", "variant")


def run_query(
    database: Path, sql: str, format: str = "table", timeout: float | None = None, memory: str | None = None
) -> pl.DataFrame:
    """Run one statement read-only: it can neither change the catalogue nor touch other files.

    Args:
        database: nsnet.duckdb.
        sql: one statement that gives rows.
        format: what the rows are for: csv and markdown get nested values as JSON; every format
            but parquet gets intervals as text and bytes as hexadecimal digits.
        timeout: seconds; none if left out.
        memory: such as 2GB; half of the machine's if left out. What needs more spills to a folder of its own,
            which is gone afterwards.

    Returns:
        The rows.

    Raises:
        FileNotFoundError: no catalogue yet.
        duckdb.Error: the statement is wrong; DuckDB's message names near columns and tables.
        ValueError: the statement gives no rows, is several, or took too long or too much.
    """
    memory = memory or f"{psutil.virtual_memory().total // 2 // 1_000_000}MB"
    with (
        TemporaryDirectory(prefix="nsnet-query-") as scratch,
        open_read_only(database, memory, Path(scratch)) as connection,
        _limits(connection, timeout, memory),
    ):
        statements = connection.extract_statements(sql)
        if len(statements) != 1:
            raise ValueError(f"expected one statement, got {len(statements)}")
        relation = connection.sql(sql)
        if relation is None:
            raise ValueError("the statement gives no rows: ask with SELECT, FROM, DESCRIBE or SHOW")
        if format != "parquet":
            relation = _plain(relation, flat=format != "json")
        return _rows(relation, memory)


@contextmanager
def _limits(connection: duckdb.DuckDBPyConnection, timeout: float | None, memory: str) -> Iterator[None]:
    """Interrupt whatever the connection does after some seconds, and say which limit a statement met."""
    timer = threading.Timer(timeout, connection.interrupt) if timeout is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise ValueError(f"the statement took longer than {timeout:g} s; allow more with --timeout") from error
    except duckdb.OutOfMemoryException as error:
        raise ValueError(
            f"the statement needs more memory than {memory} and half of the free disk; allow more with --memory,"
            " or look for a join without a condition, which pairs every row with every other"
        ) from error
    finally:
        if timer is not None:
            timer.cancel()


def _rows(relation: duckdb.DuckDBPyRelation, memory: str) -> pl.DataFrame:
    """All rows, batch by batch: DuckDB's limit does not count those that it has handed out."""
    [[most]] = duckdb.execute("SELECT parse_formatted_bytes(?)", [memory]).fetchall()
    batches, size = relation.to_arrow_reader(BATCH), 0
    kept = []
    for batch in batches:
        size += batch.nbytes
        if size > most:
            raise ValueError(
                f"the rows need more memory than {memory}: ask for fewer with LIMIT or an aggregate, or allow more"
                " with --memory; a join without a condition pairs every row with every other"
            )
        kept.append(batch)
    frame = pl.from_arrow(pa.Table.from_batches(kept, batches.schema))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _plain(relation: duckdb.DuckDBPyRelation, flat: bool) -> duckdb.DuckDBPyRelation:
    """Columns that text and JSON can say: bytes as hexadecimal digits, intervals as text, nested ones as JSON."""
    columns = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        column = '"' + name.replace('"', '""') + '"'
        nested = kind.id in NESTED
        if kind.id == "blob":
            shown = f"lower(hex({column}))"
        elif (nested and flat) or (nested and any(word in str(kind) for word in WORDLESS)):
            shown = f"to_json({column})::VARCHAR"
        elif str(kind) in WORDLESS:
            shown = f"{column}::VARCHAR"
        else:
            shown = column
        columns.append(f"{shown} AS {column}")
    return relation.project(", ".join(columns))


def as_text(frame: pl.DataFrame, format: str) -> str:
    """Rows as csv, json (one array) or a markdown table.

    Args:
        frame: rows of `run_query`, asked for in this format.
        format: csv, json or markdown.

    Returns:
        Text that ends with a line end.
    """
    if format == "csv":
        return csv_text(frame, digits=None)
    if format == "json":
        return frame.write_json() + "\n"
    return markdown_table(frame)


def write_rows(frame: pl.DataFrame, format: str, path: Path) -> None:
    """Write rows to a file; the format `table` is written as markdown.

    Args:
        frame: rows of `run_query`, asked for in this format.
        format: csv, json, markdown, parquet or table.
        path: of the file.
    """
    with atomic_path(path) as temporary:
        if format == "parquet":
            frame.write_parquet(temporary)
        else:
            temporary.write_text(as_text(frame, format), encoding="utf-8")
