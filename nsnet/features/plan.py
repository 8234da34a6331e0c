"""What an out of features holds, what of it is stored, and the jobs that make the rest.

The plan is a DuckDB file beside the store: a million pictures are a join on disk, not
dictionaries in memory.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from nsnet.core.files import sweep, temporary_name
from nsnet.features.jobs import Job, Request, part_size
from nsnet.features.parts import DamagedPart, part_files, read_part
from nsnet.features.pictures import Key

# What DuckDB may hold; beyond, it uses the disk.
MEMORY = "256MB"
SCRATCH = ".plan."


class Plan:
    """Wanted rows against stored ones; a context, whose file is gone when it ends."""

    def __init__(self, request: Request, store: Path, backbone_id: str) -> None:
        self.request, self.store, self.backbone_id = request, store, backbone_id
        self.scratch = temporary_name(store / "plan")
        self._conditions = request.conditions
        self._names = list(dict.fromkeys(condition.name for condition in [*request.train, *request.test]))
        self._keys = sorted(request.keys)
        self._parts: dict[str, int] = {}  # by path below the backbone's folder
        self._numbers = itertools.count()

    def __enter__(self) -> Plan:
        self.store.mkdir(parents=True, exist_ok=True)
        sweep(self.store)
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir()
        spill = str(self.scratch / "temporary")
        settings: dict[str, Any] = {"memory_limit": MEMORY, "threads": 2, "temp_directory": spill}
        self.sql = duckdb.connect(self.scratch / "plan.duckdb", config=settings)
        self.sql.execute("SET enable_progress_bar = false; SET preserve_insertion_order = false")
        self._ask()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.sql.close()
        shutil.rmtree(self.scratch)

    def _ask(self) -> None:
        """What is wanted. Only `pictures` holds text; all else refers to its rows, and to lists, by number."""
        request, ids = self.request, [condition.id for condition in self._conditions]
        roles = [
            {"role": role, "name": self._names.index(condition.name), "condition": ids.index(condition.id)}
            for role, conditions in (("train", request.train), ("test", request.test))
            for condition in conditions
        ]
        keys = [
            {"key": number, **key._asdict(), "tokens": request.patches and key == ("mosaic", 0)}
            for number, key in enumerate(self._keys)
        ]
        self._given("CREATE TABLE roles AS FROM given", pa.Table.from_pylist(roles))
        self._given("CREATE TABLE keys AS FROM given", pa.Table.from_pylist(keys))
        files = {"images": str(request.images), "samples": str(request.samples)}
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

    def _given(self, statement: str, rows: pa.Table) -> None:
        self.sql.register("given", rows)
        self.sql.execute(statement)
        self.sql.unregister("given")

    def index(self) -> None:
        """Take note of the store's parts that are not noted yet, each verified; damaged ones are set aside."""
        ids = [condition.id for condition in self._conditions]
        gathered: list[pa.Table] = []
        for path in part_files(self.store, self.backbone_id, ids):
            name = str(path.relative_to(self.store / self.backbone_id))
            if name in self._parts:
                continue
            try:
                rows = read_part(path, ["image_id", "view", "draw", "tokens"])
            except DamagedPart:
                continue
            number = self._parts[name] = next(self._numbers)
            if self.request.dtype == "float16" or rows.schema.metadata[b"dtype"] == b"float32":
                gathered.append(_numbered(rows, ids.index(name.split("/")[0]), number))
            if len(gathered) == 512:
                self._note(gathered)
        self._note(gathered)

    def _note(self, gathered: list[pa.Table]) -> None:
        if gathered:
            self._given(
                "INSERT INTO stored SELECT pictures.rowid, condition, key, part, row FROM given"
                " JOIN keys USING (view, draw) JOIN pictures USING (image_id) WHERE given.tokens OR NOT keys.tokens",
                pa.concat_tables(gathered),
            )
            gathered.clear()

    def forget(self, part: Path) -> None:
        """A part is of no use any more; if its pictures are encoded again, it may come back."""
        number = self._parts.pop(str(part.relative_to(self.store / self.backbone_id)))
        self.sql.execute("DELETE FROM stored WHERE part = $part", {"part": number})

    def counts(self) -> tuple[int, int]:
        """Pictures under a condition that are wanted, and those of them that lack something."""
        wanted = self._one("SELECT count(*) FROM (SELECT DISTINCT picture, condition FROM wanted)")
        return wanted, self._one(f"SELECT count(*) FROM (SELECT DISTINCT picture, condition FROM ({_MISSING}))")

    def jobs(self, workers: int) -> Iterator[Job]:
        """What is missing, as jobs, in a fixed order."""
        size = part_size(self.counts()[1], workers)
        cursor = self.sql.cursor()
        cursor.execute(
            "SELECT suite, generator, condition, image_id, path, key"
            f" FROM ({_MISSING}) JOIN pictures ON pictures.rowid = picture ORDER BY ALL"
        )
        for place, rows in itertools.groupby(_rows(cursor), lambda row: row[:3]):
            batches: dict[tuple[Key, ...], list[tuple[str, Path]]] = {}
            for (image_id, path), lacking in itertools.groupby(rows, lambda row: row[3:5]):
                keys = tuple(self._keys[row[5]] for row in lacking)
                batches.setdefault(keys, []).append((image_id, self.request.root / path))
                if len(batches[keys]) == size:
                    yield self._job(place, keys, batches.pop(keys))
            for keys, pictures in batches.items():
                yield self._job(place, keys, pictures)

    def _job(self, place: tuple[Any, ...], keys: tuple[Key, ...], pictures: list[tuple[str, Path]]) -> Job:
        suite, generator, condition = place
        where = suite, generator, self._conditions[condition]
        return Job(*where, tuple(pictures), keys, self.request.dtype, self.request.patches)

    def chosen(self) -> Iterator[tuple[Path, list[tuple[int, str]]]]:
        """Each part that the out needs, with its rows and the condition's name in the out."""
        names = sorted(self._parts)
        ranks = {"part": [self._parts[name] for name in names], "rank": list(range(len(names)))}
        self._given("CREATE OR REPLACE TABLE ranks AS SELECT part::INTEGER AS part, rank FROM given", pa.table(ranks))
        cursor = self.sql.cursor()
        # The same key may lie in two parts (two processes, or one more precise): the first by name is taken.
        cursor.execute(
            "SELECT place >> 20, place & 1048575, name FROM wanted JOIN"
            " (SELECT picture, condition, min(rank << 20 | row) AS place FROM stored JOIN ranks USING (part)"
            "  GROUP BY picture, condition, key) USING (picture, condition) ORDER BY ALL"
        )
        for rank, rows in itertools.groupby(_rows(cursor), lambda row: row[0]):
            yield self.store / self.backbone_id / names[rank], [(row, self._names[name]) for _, row, name in rows]

    def _one(self, statement: str) -> int:
        return int(self.sql.execute(statement).fetchall()[0][0])


_MISSING = (
    "SELECT picture, condition, key FROM (SELECT DISTINCT picture, condition FROM wanted) CROSS JOIN keys"
    " ANTI JOIN stored USING (picture, condition, key)"
)


def _numbered(rows: pa.Table, condition: int, part: int) -> pa.Table:
    """The keys of a part's rows, with where they lie."""
    count = rows.num_rows
    places = {"condition": pa.repeat(condition, count), "part": pa.repeat(part, count), "row": pa.array(range(count))}
    for name, values in places.items():
        rows = rows.append_column(name, values)
    return rows.replace_schema_metadata(None)


def _rows(cursor: Any) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(2048):
        yield from rows
