"""A plan in memory, for requests that a database would take longer to open than to answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa

from nsnet.features.parts import KEY_COLUMNS
from nsnet.features.pictures import Key
from nsnet.features.plan import Plan

# Rows of samples, and of images, up to which a plan is kept in memory: some tens of megabytes.
FEW = 20_000


class SmallPlan(Plan):
    """What is wanted and what is stored, as dictionaries by image_id and the condition's number."""

    def _open(self) -> None:
        samples = pl.read_parquet(self.request.samples, columns=["image_id", "suite", "generator", "split"])
        images = pl.read_parquet(self.request.images, columns=["image_id", "path", "status"]).filter(status="used")
        paths: dict[str, str] = {}
        for image_id, path in images.select("image_id", "path").iter_rows():
            paths[image_id] = min(path, paths.get(image_id, path))
        self._homes: dict[str, tuple[str, str, str]] = {}  # image_id: suite, generator and path
        self._wanted: dict[tuple[str, int], set[int]] = {}  # names, by image_id and condition
        for image_id, suite, generator, split in samples.unique().iter_rows():
            if image_id not in paths:
                continue
            home = suite, generator, paths[image_id]
            self._homes[image_id] = min(home, self._homes.get(image_id, home))
            role = "test" if split == "test" else "train"
            for name, condition in ((name, condition) for other, name, condition in self.roles if other == role):
                self._wanted.setdefault((image_id, condition), set()).add(name)
        # Part and row of all copies, by image_id, condition and key.
        self._stored: dict[tuple[str, int, int], list[tuple[int, int]]] = {}

    def _close(self) -> None:
        pass

    def _insert(self, rows: pa.Table) -> None:
        numbers = {key: number for number, key in enumerate(self.keys)}
        tokenless = {number for number, key in enumerate(self.keys) if not self.wants_tokens(key)}
        columns = (*KEY_COLUMNS, "condition", "part", "row")
        for image_id, view, draw, tokens, condition, part, row in zip(
            *(rows[name].to_pylist() for name in columns), strict=True
        ):
            key = numbers.get(Key(view, draw))
            if key is not None and (image_id, condition) in self._wanted and (tokens or key in tokenless):
                self._stored.setdefault((image_id, condition, key), []).append((part, row))

    def _drop(self, part: int) -> None:
        kept = {key: [place for place in places if place[0] != part] for key, places in self._stored.items()}
        self._stored = {key: places for key, places in kept.items() if places}

    def counts(self) -> tuple[int, int]:
        """As `Plan.counts`."""
        lacking = sum(
            any((image_id, condition, key) not in self._stored for key in range(len(self.keys)))
            for image_id, condition in self._wanted
        )
        return len(self._wanted), lacking

    def _missing(self) -> Iterator[tuple[Any, ...]]:
        rows = []
        for image_id, condition in self._wanted:
            suite, generator, path = self._homes[image_id]
            rows += [
                (suite, generator, condition, image_id, path, key)
                for key in range(len(self.keys))
                if (image_id, condition, key) not in self._stored
            ]
        return iter(sorted(rows))

    def _places(self, ranks: dict[int, int]) -> Iterator[tuple[Any, ...]]:
        rows = []
        for (image_id, condition, _), places in self._stored.items():
            rank, row = min((ranks[part], row) for part, row in places)
            rows += [(rank, row, name) for name in self._wanted[image_id, condition]]
        return iter(sorted(rows))
