"""Plan, jobs, merge: bring the tables features and patches to what is asked for, computing only what is not stored.

Jobs run in threads of this process: Pillow, NumPy and torch release the interpreter lock,
so that one thread decodes while another computes, and there are neither processes to
start nor processes to outlive a kill. Each thread does whole jobs and torch gets its share
of the cores: no core waits for the slower half of a pipeline. Other machines take jobs of
the same plan through `nsnet.cluster`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq
import torch

from nsnet.core.device import threads
from nsnet.core.files import atomic_path
from nsnet.features.ahead import ahead
from nsnet.features.backbone import Backbone
from nsnet.features.batches import fitting_batch
from nsnet.features.encode import Done, encode
from nsnet.features.gather import Incomplete
from nsnet.features.jobs import FEW_EACH, SMALL_PART, Job, Request, in_groups
from nsnet.features.large_plan import LargePlan
from nsnet.features.merge import write_tables
from nsnet.features.pictures import refuse
from nsnet.features.plan import Plan
from nsnet.features.recorded import WORTH, record
from nsnet.features.short_passes import remembered
from nsnet.features.small_plan import FEW, SmallPlan

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
    note = store / backbone.id / "short_passes.json"
    with remembered(backbone, note), make_plan(request, store, backbone.id) as plan:
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
    jobs: Iterable[Job],
    pictures: int,
    backbone: Backbone,
    store: Path,
    batch: int,
    workers: int,
    cores: int | None = None,
) -> Iterator[Done]:
    """Run jobs in threads, a few ahead of the one whose result is due; small ones together.

    Args:
        jobs: of a plan, taken as they are needed.
        pictures: in all of them.
        backbone: whose id the plan was made for.
        store: the feature store.
        batch: views in a forward pass.
        workers: threads; fewer where each would have less than `FEW_EACH` pictures.
        cores: that they share; all of the machine's if None.

    Yields:
        What each group of jobs did, in order.
    """
    workers = max(1, min(workers, pictures // FEW_EACH))
    rounds = max(1, -(-pictures // (SMALL_PART * workers)))
    groups = in_groups(jobs, max(1, -(-pictures // (rounds * workers))))
    share = max(1, (cores or os.cpu_count() or 1) // workers)
    run = partial(encode, backbone=backbone, store=store, batch=batch)
    with threads(share):
        if workers == 1:  # one that is not the main thread gets no help from OpenMP's
            yield from map(run, groups)
            return
        # OpenMP keeps a thread count for each thread.
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            yield from ahead(pool, run, groups, 2 * workers)


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
