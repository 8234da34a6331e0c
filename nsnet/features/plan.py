"""What an out of features holds, what of it is stored, and the jobs that make the rest.

A plan is kept in one of two ways, which say the same: in memory (`small_plan`), where
opening a database would take longer than encoding a few pictures, or in a database that
goes to disk (`large_plan`), where a million pictures would fill the memory.
"""

from __future__ import annotations

import itertools
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from nsnet.core.files import sweep, temporary_name
from nsnet.features.jobs import Job, Request, part_size
from nsnet.features.parts import DamagedPart, part_files, read_keys
from nsnet.features.pictures import Key

SCRATCH = ".plan."
# Parts whose rows are noted together.
GATHERED = 512


class Plan(ABC):
    """Wanted rows against stored ones; a context, whose scratch folder is gone when it ends."""

    def __init__(self, request: Request, store: Path, backbone_id: str) -> None:
        self.request, self.store, self.backbone_id = request, store, backbone_id
        self.scratch = temporary_name(store / "plan")
        self.conditions = request.conditions
        self.names = list(dict.fromkeys(condition.name for condition in [*request.train, *request.test]))
        self.keys = sorted(request.keys)
        ids = [condition.id for condition in self.conditions]
        self.roles = [
            (role, self.names.index(condition.name), ids.index(condition.id))
            for role, conditions in (("train", request.train), ("test", request.test))
            for condition in conditions
        ]
        self._parts: dict[str, int] = {}  # by path below the backbone's folder
        self._numbers = itertools.count()
        self._gathered: list[pa.Table] = []

    def __enter__(self) -> Plan:
        self.store.mkdir(parents=True, exist_ok=True)
        sweep(self.store)
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()
        if self.scratch.exists():
            shutil.rmtree(self.scratch)

    def folder(self, name: str) -> Path:
        """An empty folder of this name in the scratch folder, which is made when first asked for."""
        shutil.rmtree(self.scratch / name, ignore_errors=True)
        (self.scratch / name).mkdir(parents=True)
        return self.scratch / name

    @abstractmethod
    def _open(self) -> None:
        """Read what is wanted."""

    @abstractmethod
    def _close(self) -> None: ...

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """Pictures under a condition that are wanted, and those of them that lack something."""

    @abstractmethod
    def _insert(self, rows: pa.Table) -> None:
        """Take note of stored rows: `KEY_COLUMNS`, condition, part, row."""

    @abstractmethod
    def _drop(self, part: int) -> None:
        """Forget what a part holds."""

    @abstractmethod
    def _missing(self) -> Iterator[tuple[Any, ...]]:
        """Suite, generator, condition, image_id, path and key of what is wanted and not stored, sorted by all."""

    @abstractmethod
    def _places(self, ranks: dict[int, int]) -> Iterator[tuple[Any, ...]]:
        """Rank, row and name of what is wanted, sorted by all, from parts by their ranks.

        The same key may lie in two parts (two processes, or one more precise): that of lower rank is taken.
        """

    def index(self) -> None:
        """Take note of the store's parts that are not noted yet; those that cannot be read are set aside."""
        for path in part_files(self.store, self.backbone_id, [condition.id for condition in self.conditions]):
            if self._name(path) not in self._parts:
                with suppress(DamagedPart):  # who reads it has said so
                    self.note(path, read_keys(path))
        self.flush()

    def note(self, part: Path, rows: pa.Table) -> None:
        """Take note of a part, perhaps not before `flush`.

        Args:
            part: its file.
            rows: its columns `KEY_COLUMNS`, with its metadata.
        """
        name = self._name(part)
        if name in self._parts:  # its keys were damaged, and what they hid is written anew, to the same bytes and name
            self.flush()
            self.forget(part)
        number = self._parts[name] = next(self._numbers)
        if self.request.dtype == "float16" or rows.schema.metadata[b"dtype"] == b"float32":
            ids = [condition.id for condition in self.conditions]
            self._gathered.append(_numbered(rows, ids.index(name.split("/")[0]), number))
        if len(self._gathered) == GATHERED:
            self.flush()

    def flush(self) -> None:
        """Have all noted parts counted."""
        if self._gathered:
            self._insert(pa.concat_tables(self._gathered))
            self._gathered.clear()

    def _name(self, part: Path) -> str:
        return str(part.relative_to(self.store / self.backbone_id))

    def forget(self, part: Path) -> None:
        """A part is of no use any more; if its pictures are encoded again, it may come back."""
        self._drop(self._parts.pop(self._name(part)))

    def jobs(self, workers: int) -> Iterator[Job]:
        """What is missing, as jobs, in a fixed order."""
        size = part_size(self.counts()[1], workers)
        for place, rows in itertools.groupby(self._missing(), lambda row: row[:3]):
            batches: dict[tuple[Key, ...], list[tuple[str, Path]]] = {}
            for (image_id, path), lacking in itertools.groupby(rows, lambda row: row[3:5]):
                keys = tuple(self.keys[row[5]] for row in lacking)
                batches.setdefault(keys, []).append((image_id, self.request.root / path))
                if len(batches[keys]) == size:
                    yield self._job(place, keys, batches.pop(keys))
            for keys, pictures in batches.items():
                yield self._job(place, keys, pictures)

    def _job(self, place: tuple[Any, ...], keys: tuple[Key, ...], pictures: list[tuple[str, Path]]) -> Job:
        suite, generator, condition = place
        where = suite, generator, self.conditions[condition]
        return Job(*where, tuple(pictures), keys, self.request.dtype, self.request.patches)

    def wants_tokens(self, key: Key) -> bool:
        """Whether features of patches belong to what is shown under a key."""
        return self.request.patches and key == ("mosaic", 0)

    def chosen(self) -> Iterator[tuple[Path, list[tuple[int, str]]]]:
        """Each part that the out needs, with its rows and the condition's name in the out."""
        names = sorted(self._parts)
        ranks = {self._parts[name]: rank for rank, name in enumerate(names)}
        for rank, rows in itertools.groupby(self._places(ranks), lambda row: row[0]):
            yield self.store / self.backbone_id / names[rank], [(row, self.names[name]) for _, row, name in rows]


def _numbered(rows: pa.Table, condition: int, part: int) -> pa.Table:
    """The keys of a part's rows, with where they lie."""
    count = rows.num_rows
    places = {"condition": pa.repeat(condition, count), "part": pa.repeat(part, count), "row": pa.array(range(count))}
    for name, values in places.items():
        rows = rows.append_column(name, values)
    return rows.replace_schema_metadata(None)
