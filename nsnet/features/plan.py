"""What an out of features holds, what of it is stored, and the jobs that make the rest.

The plan is a DuckDB file beside the store: a million pictures are a join on disk, not
dictionaries in memory.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import pyarrow as pa

from nsnet.features.conditions import Condition
from nsnet.features.parts import DamagedPart, part_files, read_part
from nsnet.features.pictures import Key

# Pictures in a part: what a kill loses, and few enough files for a million pictures.
PART = 64
# Parts of this many pictures, where there are so few that whole ones would leave a worker idle.
SMALL_PART = 16
# What DuckDB may hold; beyond, it uses the disk.
MEMORY = "256MB"
SCRATCH = ".plan-"


@dataclass(frozen=True)
class Request:
    """What the tables features and patches are to hold.

    Attributes:
        images, samples: Parquet files of these tables.
        root: folder that images.path is below.
        train: conditions of training and validation pictures.
        test: conditions of test pictures.
        keys: (view, draw) of every picture.
        dtype: float32 or float16.
        patches: whether the features of patches are wanted, of the mosaic's draw 0.
    """

    images: Path
    samples: Path
    root: Path
    train: Sequence[Condition]
    test: Sequence[Condition]
    keys: Sequence[Key]
    dtype: str
    patches: bool

    @property
    def conditions(self) -> list[Condition]:
        """All conditions, each id once."""
        return list({condition.id: condition for condition in [*self.train, *self.test]}.values())


@dataclass(frozen=True)
class Job:
    """A batch of pictures of one generator under one condition: independent of every other, and picklable.

    Attributes:
        suite, generator: where the part goes.
        condition: what is done to the pictures.
        pictures: image_id and file of each.
        keys: (view, draw) that all of them lack.
        dtype: of the part.
        patches: whether the mosaic of draw 0 gets features of its patches.
    """

    suite: str
    generator: str
    condition: Condition
    pictures: tuple[tuple[str, Path], ...]
    keys: tuple[Key, ...]
    dtype: str
    patches: bool


class Plan:
    """Wanted rows against stored ones; a context, whose file is gone when it ends."""

    def __init__(self, request: Request, store: Path, backbone_id: str) -> None:
        self.request, self.store, self.backbone_id = request, store, backbone_id
        self.scratch = store / f"{SCRATCH}{os.getpid()}"
        self._indexed: set[str] = set()

    def __enter__(self) -> Plan:
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        settings: dict[str, Any] = {
            "memory_limit": MEMORY,
            "threads": 2,
            "temp_directory": str(self.scratch / "temporary"),
        }
        self.sql = duckdb.connect(self.scratch / "plan.duckdb", config=settings)
        self._ask()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.sql.close()
        shutil.rmtree(self.scratch)

    def _ask(self) -> None:
        """Tables of what is wanted: pictures, their conditions, and the keys of each."""
        request = self.request
        roles = [
            {"role": role, "condition": condition.name, "condition_id": condition.id}
            for role, conditions in (("train", request.train), ("test", request.test))
            for condition in conditions
        ]
        keys = [
            {"view": key.view, "draw": key.draw, "tokens": request.patches and key == ("mosaic", 0)}
            for key in request.keys
        ]
        self._table("roles", pa.Table.from_pylist(roles))
        self._table("keys", pa.Table.from_pylist(keys))
        files = {"images": str(request.images), "samples": str(request.samples)}
        self.sql.execute(
            "CREATE TABLE pictures AS SELECT image_id, path, home.suite, home.generator"
            " FROM (SELECT image_id, min(path) AS path FROM read_parquet($images) WHERE status = 'used' GROUP BY ALL)"
            " JOIN (SELECT image_id, min({'suite': suite, 'generator': generator}) AS home"
            "       FROM read_parquet($samples) GROUP BY image_id) USING (image_id)",
            files,
        )
        self.sql.execute(
            "CREATE TABLE wanted AS SELECT DISTINCT image_id, condition, condition_id"
            " FROM read_parquet($samples) JOIN roles ON role = if(split = 'test', 'test', 'train')"
            " JOIN pictures USING (image_id)",
            {"samples": files["samples"]},
        )
        self.sql.execute(
            "CREATE TABLE stored (condition_id VARCHAR, image_id VARCHAR, view VARCHAR, draw INTEGER, dtype VARCHAR,"
            " tokens BOOLEAN, part VARCHAR, row INTEGER)"
        )
        self.sql.execute(
            "CREATE VIEW usable AS SELECT condition_id, image_id, view, draw, part, row FROM stored"
            " JOIN keys USING (view, draw) WHERE (stored.tokens OR NOT keys.tokens) AND"
            f" (dtype = 'float32' OR '{request.dtype}' = 'float16')"
        )

    def _table(self, name: str, rows: pa.Table) -> None:
        self.sql.register("given", rows)
        self.sql.execute(f"CREATE TABLE {name} AS FROM given")
        self.sql.unregister("given")

    def index(self) -> None:
        """Take note of the store's parts that are not noted yet, each verified; damaged ones are set aside."""
        asked = [condition.id for condition in self.request.conditions]
        gathered: list[pa.Table] = []
        for path in part_files(self.store, self.backbone_id, asked):
            name = str(path.relative_to(self.store / self.backbone_id))
            if name in self._indexed:
                continue
            try:
                rows = read_part(path, ["image_id", "view", "draw", "tokens"])
            except DamagedPart:
                continue
            self._indexed.add(name)
            gathered.append(_index_rows(name, rows))
            if len(gathered) == 256:
                self._note(gathered)
        self._note(gathered)

    def _note(self, gathered: list[pa.Table]) -> None:
        if gathered:
            self.sql.register("given", pa.concat_tables(gathered))
            self.sql.execute("INSERT INTO stored FROM given")
            self.sql.unregister("given")
            gathered.clear()

    def forget(self, part: Path) -> None:
        """A part is of no use any more."""
        name = str(part.relative_to(self.store / self.backbone_id))
        self._indexed.discard(name)
        self.sql.execute("DELETE FROM stored WHERE part = $part", {"part": name})

    def counts(self) -> tuple[int, int]:
        """Pictures under a condition that are wanted, and those of them that lack something."""
        wanted = self._one("SELECT count(*) FROM (SELECT DISTINCT image_id, condition_id FROM wanted)")
        return wanted, self._one(f"SELECT count(*) FROM (SELECT DISTINCT image_id, condition_id FROM ({_MISSING}))")

    def pictures(self) -> int:
        """How many pictures are wanted under any condition."""
        return self._one("SELECT count(DISTINCT image_id) FROM wanted")

    def jobs(self, workers: int) -> Iterator[Job]:
        """What is missing, as jobs, in a fixed order."""
        conditions = {condition.id: condition for condition in self.request.conditions}
        size = part_size(self.counts()[1], workers)
        cursor = self.sql.cursor()
        cursor.execute(
            "SELECT suite, generator, condition_id, keys, image_id, path FROM"
            " (SELECT image_id, condition_id, list((view, draw) ORDER BY view, draw) AS keys"
            f"  FROM ({_MISSING}) GROUP BY ALL) JOIN pictures USING (image_id) ORDER BY ALL"
        )
        for (suite, generator, condition_id, keys), pictures in _batches(cursor, size):
            files = tuple((image_id, self.request.root / path) for image_id, path in pictures)
            asked = tuple(Key(*key) for key in keys)
            condition = conditions[condition_id]
            yield Job(suite, generator, condition, files, asked, self.request.dtype, self.request.patches)

    def chosen(self) -> Iterator[tuple[Path, list[tuple[int, str]]]]:
        """Each part that the out needs, with its rows and the condition's name in the out."""
        cursor = self.sql.cursor()
        # The same key may lie in two parts (two processes, or one more precise): the first is taken.
        cursor.execute(
            "SELECT place.part, place.row, condition FROM wanted JOIN (SELECT condition_id, image_id, view, draw,"
            " min({'part': part, 'row': row}) AS place FROM usable GROUP BY ALL) USING (condition_id, image_id)"
            " ORDER BY ALL"
        )
        for (part,), rows in _batches(cursor, None, head=1):
            yield self.store / self.backbone_id / part, rows

    def _one(self, statement: str) -> int:
        return int(self.sql.execute(statement).fetchall()[0][0])


_MISSING = (
    "SELECT image_id, condition_id, view, draw FROM (SELECT DISTINCT image_id, condition_id FROM wanted)"
    " CROSS JOIN keys ANTI JOIN usable USING (image_id, condition_id, view, draw)"
)


def part_size(pictures: int, workers: int) -> int:
    """Pictures in a part: whole parts, unless smaller ones keep all workers busy to the end."""
    even = pictures // (4 * workers) // SMALL_PART * SMALL_PART
    return max(min(even, PART), min(SMALL_PART, -(-pictures // workers)), 1)


def _index_rows(name: str, rows: pa.Table) -> pa.Table:
    count = rows.num_rows
    condition_id = name.split("/")[0]
    return pa.table(
        {
            "condition_id": pa.repeat(condition_id, count),
            **{column: rows[column] for column in ("image_id", "view", "draw")},
            "dtype": pa.repeat(rows.schema.metadata[b"dtype"].decode(), count),
            "tokens": rows["tokens"],
            "part": pa.repeat(name, count),
            "row": pa.array(range(count), pa.int32()),
        }
    )


def _batches(cursor: Any, size: int | None, head: int = 4) -> Iterator[tuple[tuple[Any, ...], list[tuple[Any, ...]]]]:
    """Rows that come in order, grouped by their first `head` values, at most `size` together."""
    group: tuple[Any, ...] = ()
    first: tuple[Any, ...] = ()
    rows: list[tuple[Any, ...]] = []
    for row in _rows(cursor):
        key = (*row[: head - 1], str(row[head - 1])) if head > 1 else row[:1]
        if rows and (key != group or len(rows) == size):
            yield first, rows
            rows = []
        if not rows:
            group, first = key, row[:head]
        rows.append(row[head:])
    if rows:
        yield first, rows


def _rows(cursor: Any) -> Iterable[tuple[Any, ...]]:
    while rows := cursor.fetchmany(2048):
        yield from rows
