"""nsnet.duckdb: every table of the project, commented, and the views people ask for first."""

from __future__ import annotations

import datetime
import shutil
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from nsnet.core.contracts import Table, make, table_name
from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.core.provenance import git_revision
from nsnet.evaluation.contracts import ExternalRuns, Predictions, Results
from nsnet.evaluation.settings import Evaluate
from nsnet.reporting.comments import comment, comment_contract, quoted
from nsnet.reporting.environments import (
    COLUMNS,
    OF_RUN,
    TABLE,
    WHAT,
    create_environments,
    environment_of,
    evaluation_facts,
)
from nsnet.reporting.nights import tables as nights
from nsnet.reporting.published.contracts import Published
from nsnet.reporting.views import (
    CURRENT,
    KEPT,
    TABLES,
    create_published,
    create_settings,
    create_views,
    missing_tables,
    rows_of,
)
from nsnet.training.contracts import Runs
from nsnet.training.runs import RunStore

# The released command-line client opens this format; the library's newest it does not.
STORAGE_VERSION = "v1.5.0"
# Lists of one length become arrays, which DuckDB computes with faster.
ARRAYS = {"feature": "FLOAT", "vector": "DOUBLE"}
BUILD = {
    "revision": "git commit of the code that built the catalogue, -dirty if it was changed",
    "nsnet": "version of nsnet",
    "duckdb": "version of DuckDB",
    "built_at": "when, UTC",
    "evaluated_in": "environments.id of the stage evaluate's last run on this machine; null if it has not run",
}
# What the store knows of a run beside its row of the table runs: type and comment.
RUN_FACTS = {"seconds": ("DOUBLE", "wall seconds of the training"), "environment": ("VARCHAR", OF_RUN)}


def build_catalog(paths: Paths, settings: Evaluate, publisher: Paths | None = None) -> list[str]:
    """Build the database from the Parquet tables and the store of runs, whole or not at all.

    The file is a view of the tables and is not byte-reproducible: nothing depends on it.

    Args:
        paths: the project.
        settings: section evaluate.
        publisher: the project that publishes `paths`, a version of its tables: the database lies among its nights,
            its store tells how the runs were trained, and holds others that are none of this version's.

    Returns:
        Names of its tables.

    Raises:
        FileNotFoundError: if a table has not been made yet.
        ValueError: a published night is damaged.
    """
    missing = missing_tables(paths, (*TABLES, ExternalRuns))
    if missing:
        raise FileNotFoundError(f"no Parquet for {', '.join(missing)} in {paths.artifacts}: run `dvc repro`")
    database = publisher.published if publisher else paths.database
    with atomic_path(database) as temporary:
        with duckdb.connect() as connection:
            connection.execute(
                f"ATTACH {quoted(str(temporary))} AS catalog (STORAGE_VERSION '{STORAGE_VERSION}'); USE catalog"
            )
            for kind in TABLES:
                _create(connection, kind, paths)
            facts, evaluated = _facts(publisher or paths), evaluation_facts(publisher or paths)
            if publisher:
                ours = {row[0] for row in connection.execute("SELECT run_id FROM runs").fetchall()}
                facts = {run_id: row for run_id, row in facts.items() if run_id in ours}
            _add_kept_runs(connection, paths, facts)
            records = [found["environment"] for found in (*facts.values(), evaluated) if found.get("environment")]
            create_environments(connection, records)
            comment(connection, TABLE, WHAT, COLUMNS)
            for kind in TABLES:
                comment_contract(connection, table_name(kind), ExternalRuns if kind is Runs else kind)
            for kind in KEPT:
                connection.execute(f'COMMENT ON COLUMN {table_name(kind)}."current" IS {quoted(CURRENT)}')
            for column, (_, words) in RUN_FACTS.items():
                connection.execute(f"COMMENT ON COLUMN runs.{column} IS {quoted(words)}")
            create_settings(connection, settings)
            create_published(connection)
            nights.create_nights(connection, (publisher or paths).nights)
            _create_build(connection, paths, environment_of(evaluated))
            create_views(connection)
            connection.execute("USE memory; DETACH catalog")
        # A stale write-ahead log beside a replaced database would make it unopenable.
        database.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    kinds: tuple[type[Table], ...] = (*TABLES, Published, *nights.TABLES)
    return [*map(table_name, kinds), "settings", TABLE, "build"]


def _create(connection: duckdb.DuckDBPyConnection, kind: type[Table], paths: Paths) -> None:
    name, columns = table_name(kind), kind.to_schema().columns
    file = rows_of(kind, paths, paths)
    casts = []
    for column, inner in ARRAYS.items():
        if column in columns:
            lengths = connection.execute(f"SELECT DISTINCT len({column}) FROM {file} WHERE {column} IS NOT NULL")
            sizes = [row[0] for row in lengths.fetchall()]
            casts += [f"{column}::{inner}[{sizes[0]}] AS {column}"] if len(sizes) == 1 else []
    replaced = f" REPLACE ({', '.join(casts)})" if casts else ""
    extra = ', true AS "current"' if kind in KEPT else ""
    extra += empty_run_facts() if kind is Runs else ""
    connection.execute(f"CREATE TABLE {name} AS SELECT *{replaced}{extra} FROM {file}")


def empty_run_facts() -> str:
    """Columns of `RUN_FACTS` for a SELECT, to be filled from the store."""
    return "".join(f", NULL::{kind} AS {column}" for column, (kind, _) in RUN_FACTS.items())


def _facts(paths: Paths) -> dict[str, dict[str, Any]]:
    """What the store holds of each run, by run_id; a damaged one is named on stderr and left out."""
    store = RunStore(paths.run_store)
    facts: dict[str, dict[str, Any]] = {}
    for run_id in store.ids():
        try:
            facts[run_id] = store.read(run_id)
        except (ValueError, OSError) as error:
            print(f"catalogue: run {run_id} is left out: {error}", file=sys.stderr)
    return facts


def _add_kept_runs(connection: duckdb.DuckDBPyConnection, paths: Paths, facts: dict[str, dict[str, Any]]) -> None:
    """Add what the store knows of current runs, and the runs that are not current, with what they last reached."""
    for run_id, row in facts.items():
        connection.execute(
            "UPDATE runs SET seconds = ?, environment = ? WHERE run_id = ?",
            [row.get("seconds"), environment_of(row), run_id],
        )
    current = {row[0] for row in connection.execute("SELECT run_id FROM runs").fetchall()}
    columns = set(make(Runs, []).columns)
    # Runs of an earlier contract lack columns: they cannot be shown beside the others.
    kept = {run_id: row for run_id, row in facts.items() if run_id not in current and columns <= row.keys()}
    if not kept:
        return
    rows = make(Runs, kept.values()).with_columns(
        pl.lit(False).alias("current"),
        pl.Series("seconds", [row.get("seconds") for row in kept.values()], pl.Float64),
        pl.Series("environment", [environment_of(row) for row in kept.values()], pl.String),
    )
    _insert(connection, Runs, rows)
    for kind in (Predictions, Results):
        for run_id in kept:
            file = paths.run_store / run_id / f"{table_name(kind)}.parquet"
            if not file.exists():
                continue
            earlier = pl.read_parquet(file)
            if set(make(kind, []).columns) <= set(earlier.columns):
                _insert(connection, kind, earlier.with_columns(pl.lit(False).alias("current")))


def _insert(connection: duckdb.DuckDBPyConnection, kind: type[Table], rows: pl.DataFrame) -> None:
    connection.register("rows", rows.to_arrow())
    connection.execute(f"INSERT INTO {table_name(kind)} BY NAME SELECT * FROM rows")
    connection.unregister("rows")


def _create_build(connection: duckdb.DuckDBPyConnection, paths: Paths, evaluated_in: str | None) -> None:
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0, tzinfo=None)
    facts = [git_revision(paths.root), version("nsnet"), duckdb.__version__, now, evaluated_in]
    connection.execute(
        "CREATE TABLE build AS SELECT ? AS revision, ? AS nsnet, ? AS duckdb, ?::TIMESTAMP AS built_at,"
        " ?::VARCHAR AS evaluated_in",
        facts,
    )
    comment(connection, "build", "What the catalogue was built with, and when", BUILD)


def open_read_only(database: Path, memory: str | None = None, scratch: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open the catalogue for reading: no statement can write, reach other files, or lift these limits.

    Args:
        database: nsnet.duckdb.
        memory: what a statement may hold, such as 2GB; DuckDB's own limit if left out.
        scratch: folder to spill to what memory does not hold, at most half of what is free there; none if left out.

    Returns:
        A connection, to be closed by the caller.

    Raises:
        FileNotFoundError: if it has not been built.
        duckdb.Error: `memory` is no amount of memory.
    """
    if not database.exists():
        raise FileNotFoundError(f"{database} does not exist: run `make repro` or `dvc repro` first")
    config: dict[str, Any] = {"enable_external_access": False, "lock_configuration": True}
    # Without a folder to spill to, a statement that needs more memory ends in an error instead of in files.
    config["temp_directory"] = str(scratch or "")
    if scratch is not None:
        config["max_temp_directory_size"] = f"{shutil.disk_usage(scratch).free // 2}B"
    if memory is not None:
        config["memory_limit"] = memory
    return duckdb.connect(str(database), read_only=True, config=config)
