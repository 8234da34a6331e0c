"""A plan in a database beside the store: a million pictures are a join on disk, not dictionaries in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa

from nsnet.features.plan import Plan

# What DuckDB may hold; beyond, it uses the disk.
MEMORY = "256MB"

_MISSING = (
    "SELECT picture, condition, key FROM (SELECT DISTINCT picture, condition FROM wanted) CROSS JOIN keys"
    " ANTI JOIN stored USING (picture, condition, key)"
)


class LargePlan(Plan):
    """Only `pictures` holds text; all else refers to its rows, and to lists, by number."""

    def _open(self) -> None:
        folder = self.folder("plan")
        spill = str(folder / "temporary")
        settings: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": spill}
        self.sql = duckdb.connect(folder / "plan.duckdb", config=settings)
        self.sql.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
        roles = [dict(zip(("role", "name", "condition"), role, strict=True)) for role in self.roles]
        keys = [
            {"key": number, **key._asdict(), "tokens": self.wants_tokens(key)} for number, key in enumerate(self.keys)
        ]
        self._given("CREATE TABLE roles AS FROM given", pa.Table.from_pylist(roles))
        self._given("CREATE TABLE keys AS FROM given", pa.Table.from_pylist(keys))
        files = {"images": str(self.request.images), "samples": str(self.request.samples)}
        self.sql.execute(
            "CREATE TABLE pictures AS SELECT image_id, path, home.suite, home.generator"
            " FROM (SELECT image_id, min(path) AS path FROM read_parquet($images) WHERE status = 'used' GROUP BY ALL)"
            " JOIN (SELECT image_id, min({'suite': suite, 'generator': generator}) AS home"
            "       FROM read_parquet($samples) GROUP BY image_id) USING (image_id)",
            files,
        )
        self.sql.execute(
            "CREATE TABLE wanted AS SELECT DISTINCT pictures.rowid AS picture, name, condition"
            " FROM read_parquet($samples) JOIN roles ON role = if(split = 'test', 'test', 'train')"
            " JOIN pictures USING (image_id)",
            {"samples": files["samples"]},
        )
        self.sql.execute(
            "CREATE TABLE stored (picture BIGINT, condition BIGINT, key BIGINT, part INTEGER, row INTEGER)"
        )

    def _close(self) -> None:
        self.sql.close()

    def _given(self, statement: str, rows: pa.Table) -> None:
        self.sql.register("given", rows)
        self.sql.execute(statement)
        self.sql.unregister("given")

    def _insert(self, rows: pa.Table) -> None:
        self._given(
            "INSERT INTO stored SELECT pictures.rowid, condition, key, part, row FROM given"
            " JOIN keys USING (view, draw) JOIN pictures USING (image_id) WHERE given.tokens OR NOT keys.tokens",
            rows,
        )

    def _drop(self, part: int) -> None:
        self.sql.execute("DELETE FROM stored WHERE part = $part", {"part": part})

    def counts(self) -> tuple[int, int]:
        """As `Plan.counts`."""
        wanted = self._one("SELECT count(*) FROM (SELECT DISTINCT picture, condition FROM wanted)")
        return wanted, self._one(f"SELECT count(*) FROM (SELECT DISTINCT picture, condition FROM ({_MISSING}))")

    def _missing(self) -> Iterator[tuple[Any, ...]]:
        cursor = self.sql.cursor()
        cursor.execute(
            "SELECT suite, generator, condition, image_id, path, key"
            f" FROM ({_MISSING}) JOIN pictures ON pictures.rowid = picture ORDER BY ALL"
        )
        return _rows(cursor)

    def _places(self, ranks: dict[int, int]) -> Iterator[tuple[Any, ...]]:
        given = pa.table({"part": pa.array(ranks, pa.int32()), "rank": pa.array(ranks.values(), pa.int64())})
        self._given("CREATE OR REPLACE TABLE ranks AS FROM given", given)
        cursor = self.sql.cursor()
        cursor.execute(
            "SELECT place >> 20, place & 1048575, name FROM wanted JOIN"
            " (SELECT picture, condition, min(rank << 20 | row) AS place FROM stored JOIN ranks USING (part)"
            "  GROUP BY picture, condition, key) USING (picture, condition) ORDER BY ALL"
        )
        return _rows(cursor)

    def _one(self, statement: str) -> int:
        return int(self.sql.execute(statement).fetchall()[0][0])


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(2048):
        yield from rows
