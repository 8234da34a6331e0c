"""A plan in memory, for requests that a database would take longer to open than to answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from nsnet.features.parts import KEY_COLUMNS
from nsnet.features.plan import Plan

# Rows of samples, and of images, up to which a plan is kept in memory: some tens of megabytes.
FEW = 20_000


class SmallPlan(Plan):
    """What is wanted in dictionaries, what is stored in an array, both by the number of a cell.

    A cell is a picture under a condition and a key. No object is kept for each stored row:
    among those of torch, Python's collector takes a quarter of a second to look at them.
    """

    def _open(self) -> None:
        samples = pl.read_parquet(self.request.samples, columns=["image_id", "suite", "generator", "split"])
        images = pl.read_parquet(self.request.images, columns=["image_id", "path", "status"]).filter(status="used")
        images = images.join(samples, on="image_id", how="semi").group_by("image_id").agg(pl.col("path").min())
        paths = dict(images.iter_rows())
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
        self._pairs = list(self._wanted)
        self._first = {pair: number * len(self.keys) for number, pair in enumerate(self._pairs)}
        self._stored = np.empty((0, 3), np.int64)  # cell, part and row of all copies

    def _close(self) -> None:
        pass

    def _insert(self, rows: pa.Table) -> None:
        numbers: dict[tuple[str, int], int] = {key: number for number, key in enumerate(self.keys)}
        tokenless = {key for key in self.keys if not self.wants_tokens(key)}
        image_ids, views, draws, tokens = (rows[name].to_pylist() for name in KEY_COLUMNS)
        conditions, parts, places = (rows[name].to_numpy() for name in ("condition", "part", "row"))
        first = [self._first.get(pair, -1) for pair in zip(image_ids, conditions.tolist(), strict=True)]
        number = [
            numbers.get(key, -1) if has or key in tokenless else -1
            for key, has in zip(zip(views, draws, strict=True), tokens, strict=True)
        ]
        found = np.column_stack([np.add(first, number), parts, places])
        wanted = (np.array(first) >= 0) & (np.array(number) >= 0)
        self._stored = np.concatenate([self._stored, found[wanted]])

    def _drop(self, part: int) -> None:
        self._stored = self._stored[self._stored[:, 1] != part]

    def _lacking(self) -> np.ndarray:
        """Whether a cell is stored nowhere: bool (pairs, keys)."""
        lacking = np.ones((len(self._pairs), len(self.keys)), bool)
        lacking.flat[self._stored[:, 0]] = False
        return lacking

    def counts(self) -> tuple[int, int]:
        """As `Plan.counts`."""
        return len(self._pairs), int(self._lacking().any(axis=1).sum())

    def _missing(self) -> Iterator[tuple[Any, ...]]:
        rows = []
        for pair, key in np.argwhere(self._lacking()).tolist():
            image_id, condition = self._pairs[pair]
            suite, generator, path = self._homes[image_id]
            rows.append((suite, generator, condition, image_id, path, key))
        return iter(sorted(rows))

    def _places(self, ranks: dict[int, int]) -> Iterator[tuple[Any, ...]]:
        cells, parts, places = self._stored.T
        by_part = np.zeros(max(ranks, default=-1) + 1, np.int64)
        by_part[list(ranks)] = list(ranks.values())
        order = np.lexsort((places, by_part[parts], cells))
        best = order[np.unique(cells[order], return_index=True)[1]]
        chosen = zip(cells[best].tolist(), by_part[parts[best]].tolist(), places[best].tolist(), strict=True)
        return iter(
            sorted(
                (rank, row, name)
                for cell, rank, row in chosen
                for name in self._wanted[self._pairs[cell // len(self.keys)]]
            )
        )
