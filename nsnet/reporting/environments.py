"""The catalogue's table environments: what computed runs and results, from records beside them.

Parquet tables do not name it: they are the same on every machine whose numbers are.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from nsnet.core.paths import Paths
from nsnet.core.provenance import digest
from nsnet.training.runs import RunStore

TABLE, WHAT = "environments", "What computed the runs and the results: software and hardware, one row for each record"
COLUMNS = {
    "id": "hash of the record",
    "python": "version of Python",
    "system": "operating system and architecture",
    "processor": "its model",
    "vector_level": "vector units that torch's kernels use",
    "gpu": "name of the GPU; null on a CPU",
    "cuda": "version of CUDA; null on a CPU",
    "threads": "threads that torch computed with",
    "packages": "versions of the packages that make numbers, JSON",
}
OF_RUN = "environments.id of what trained it; null of an external detector, and of runs kept before it was recorded"
TYPES = {name: pl.Int32 if name == "threads" else pl.String for name in COLUMNS}


def environment_of(facts: Mapping[str, Any]) -> str | None:
    """Name of the record among the facts of a run or of a stage; None where there is none."""
    record = facts.get("environment")
    return digest(record) if record else None


def evaluation_facts(paths: Paths) -> dict[str, Any]:
    """What the stage evaluate left of its last run here: seconds, memory and environment; nothing if it did not run."""
    file = paths.cost("evaluate")
    found = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found if isinstance(found, dict) else {}


def run_environments(paths: Paths) -> dict[str, dict[str, Any]]:
    """Records of the runs in the store that have one, by run_id; files of runs are not looked at."""
    store = RunStore(paths.run_store)
    found = {run_id: store.facts(run_id).get("environment") for run_id in store.ids()}
    return {run_id: record for run_id, record in found.items() if record}


def in_words(record: Mapping[str, Any]) -> str:
    """A record as one sentence, without its end."""
    packages = ", ".join(f"{name} {version}" for name, version in sorted(record["packages"].items()))
    unit = record["gpu"] or f"{record['processor']} ({record['vector_level']}, {record['threads']} threads)"
    return f"{unit}, {record['system']}, Python {record['python']}, {packages}"


def environment_rows(records: list[Mapping[str, Any]]) -> pl.DataFrame:
    """A row for each different record, by its name.

    Args:
        records: of nsnet.core.environment.

    Returns:
        Columns of `COLUMNS`.
    """
    rows = {
        digest(record): {**record, "id": digest(record), "packages": json.dumps(record["packages"], sort_keys=True)}
        for record in records
    }
    return pl.DataFrame([{name: rows[key][name] for name in COLUMNS} for key in sorted(rows)], schema=TYPES)


def create_environments(connection: duckdb.DuckDBPyConnection, records: list[Mapping[str, Any]]) -> None:
    """Create the table.

    Args:
        connection: a catalogue without it.
        records: of nsnet.core.environment; several may be the same.
    """
    connection.register("rows", environment_rows(records).to_arrow())
    connection.execute(f"CREATE TABLE {TABLE} AS SELECT * FROM rows")
    connection.unregister("rows")
