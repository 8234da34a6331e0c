"""Plan, jobs, merge: bring the tables features and patches to what is asked for, computing only what is not stored.

Jobs run in threads of this process: Pillow, NumPy and torch release the interpreter lock,
so that one thread decodes while another computes, and there are neither processes to
start nor processes to outlive a kill. Each thread does whole jobs and torch gets its
share of the cores: no core waits for the slower half of a pipeline. At most half of the
threads decode at a time, since decoding is many short steps, between which threads that
do the same wait for each other's lock. A second machine takes jobs of the same plan
through `nsnet.features.encode.run_job`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import BoundedSemaphore
from typing import Literal

import duckdb
import pyarrow.parquet as pq
import torch

from nsnet.core.device import threads
from nsnet.core.files import atomic_path
from nsnet.features.ahead import ahead
from nsnet.features.backbone import Backbone
from nsnet.features.batches import fitting_batch
from nsnet.features.encode import Done, run_together
from nsnet.features.gather import Incomplete
from nsnet.features.jobs import SMALL_PART, Job, Request
from nsnet.features.large_plan import LargePlan
from nsnet.features.merge import write_tables
from nsnet.features.pictures import Key, refuse
from nsnet.features.plan import Plan
from nsnet.features.recorded import WORTH, record
from nsnet.features.settings import Features
from nsnet.features.small_plan import FEW, SmallPlan

# Above this many pictures, the features of patches are made only if asked for by name:
# at d = 768 and float16 they are 75 KB a picture.
AUTO_PATCHES = 100_000
# Parts damaged between two reads are computed again; a disk that damages them each time is given up on.
ATTEMPTS = 5


@dataclass(frozen=True)
class Counts:
    """Pictures (under a condition each) that were wanted, and those of them that were encoded now."""

    wanted: int
    computed: int

    @property
    def cached(self) -> int:
        return self.wanted - self.computed


def update_features(
    request: Request,
    backbone: Backbone,
    store: Path,
    features: Path,
    patches: Path,
    *,
    batch: int,
    workers: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Counts:
    """Encode what the store lacks and write both tables.

    Args:
        request: what the tables are to hold.
        backbone: the tower.
        store: folder of the feature store.
        features, patches: files to write.
        batch: views in a forward pass.
        workers: threads, each at a job of its own.
        advance: told how many pictures were encoded.

    Returns:
        Pictures encoded and pictures known.

    Raises:
        ReplacedPicture: files that are not what was ingested, all of them; the others are stored by then.
        ValueError: patches are wanted of a tower that has no patch tokens; a store that
            damages what is written to it.
    """
    if request.patches and not backbone.has_patches:
        raise ValueError(f"features.patches: the tower of {backbone.record['model']} has no patch tokens; set false")
    describe_store(store, backbone, request)
    with make_plan(request, store, backbone.id) as plan:
        computed = 0
        for _ in range(ATTEMPTS):
            plan.index()
            wanted, missing = plan.counts()
            faults: list[str] = []
            if missing:
                batch = fitting_batch(backbone, batch, request.patches)
            tower = record(backbone, batch, request.patches) if missing >= WORTH else backbone
            for done in run_jobs(plan.jobs(workers), missing, tower, store, batch, workers):
                computed += done.pictures
                faults += done.faults
                for part in done.parts:
                    plan.note(*part)
                advance(done.pictures)
            refuse(faults)
            plan.flush()
            if missing and plan.counts()[1]:
                continue
            try:
                write_tables(plan, backbone.width, backbone.views.grid**2, features, patches)
            except Incomplete:
                continue
            return Counts(wanted, computed)
    raise ValueError(f"{store}: parts are damaged as often as they are written: is the disk sound?")


def make_plan(request: Request, store: Path, backbone_id: str) -> Plan:
    """A plan in memory or on disk, by the sizes of both tables.

    Args:
        request: what is wanted.
        store: the feature store.
        backbone_id: hash of the backbone record.

    Returns:
        A context.
    """
    rows = max(pq.read_metadata(path).num_rows for path in (request.images, request.samples))
    return (SmallPlan if rows <= FEW else LargePlan)(request, store, backbone_id)


def run_jobs(
    jobs: Iterable[Job], pictures: int, backbone: Backbone, store: Path, batch: int, workers: int
) -> Iterator[Done]:
    """Run jobs in threads, a few ahead of the one whose result is due; small ones together.

    Args:
        jobs: of a plan, taken as they are needed.
        pictures: in all of them.
        backbone: whose id the plan was made for.
        store: the feature store.
        batch: views in a forward pass.
        workers: threads; fewer where each would have less than `SMALL_PART` pictures.

    Yields:
        What each group of jobs did, in order.
    """
    workers = max(1, min(workers, pictures // SMALL_PART))
    groups = _together(jobs, max(1, min(SMALL_PART, -(-pictures // workers))))
    gate = BoundedSemaphore(max(1, workers // 2))
    share = max(1, (os.cpu_count() or 1) // workers)

    def run(few: Sequence[Job]) -> Done:
        return run_together(few, backbone, store, batch, gate)

    with threads(share):
        if workers == 1:  # one that is not the main thread gets no help from OpenMP's
            yield from map(run, groups)
            return
        # OpenMP keeps a thread count for each thread.
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            yield from ahead(pool, run, groups, 2 * workers + 1)


def _together(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    """Consecutive jobs in groups of `size` pictures or more: single generators may not fill a forward pass."""
    group: list[Job] = []
    pictures = 0
    for job in jobs:
        group.append(job)
        pictures += len(job.pictures)
        if pictures >= size:
            yield group
            group, pictures = [], 0
    if group:
        yield group


def keys_of(settings: Features) -> tuple[Key, ...]:
    """What is made of each picture: all views, and of the mosaic as many draws as `features.draws` says."""
    return tuple(
        Key(view, draw) for view in settings.views for draw in range(settings.draws if view == "mosaic" else 1)
    )


def wants_patches(asked: bool | Literal["auto"], samples: Path, backbone: Backbone) -> bool:
    """Whether `features.patches` asks for features of patches: `auto` does if there are few pictures and tokens.

    Args:
        asked: the setting.
        samples: Parquet of the table samples.
        backbone: the tower.

    Returns:
        Whether they are wanted.
    """
    if asked != "auto":
        return asked
    with duckdb.connect() as connection:
        rows = connection.execute("SELECT count(DISTINCT image_id) FROM read_parquet(?)", [str(samples)]).fetchall()
    return backbone.has_patches and rows[0][0] <= AUTO_PATCHES


def describe_store(store: Path, backbone: Backbone, request: Request) -> None:
    """Say in the store what its folders' hashes stand for; for people and `nsnet features show`.

    Args:
        store: the feature store.
        backbone: the tower.
        request: its conditions are described.
    """
    notes = {store / backbone.id / "backbone.json": backbone.record}
    for condition in request.conditions:
        operations = [operation.model_dump(exclude_none=True) for operation in condition.operations]
        facts = {"name": condition.name, "operations": operations, "seed": condition.seed}
        notes[store / backbone.id / condition.id / "condition.json"] = facts
    for path, facts in notes.items():
        if not path.exists():
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(facts, indent=2) + "\n")
