"""Plan, hand out, collect, until the store lacks nothing: whoever encodes may fail, be killed, or be slow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from nsnet.cluster.collection import collect_shards
from nsnet.cluster.places import Place
from nsnet.cluster.settings import Cluster
from nsnet.cluster.shards import Receipt, Shard, write_shard
from nsnet.core.device import best_device
from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.features import settings as sections
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.extraction import describe_store, make_plan
from nsnet.features.jobs import Request, in_groups
from nsnet.features.pictures import refuse
from nsnet.features.recorded import WORTH
from nsnet.features.requests import project_request

# Lines of progress in a log, for as many shards as there are.
LINES = 20
# Rounds without a single picture, one after the other, after which nobody is waited for.
IDLE = 3
# From URL, backbone_id and names of shards to what comes of each, in any order: a receipt, or why there is none.
Encode = Callable[[str, str, Sequence[str]], Iterable[Receipt | Exception]]


def fill_store(paths: Paths, settings: Cluster, encode: Encode, report: Callable[[str], None]) -> int:
    """Bring into the store what the stage `features` will look for there.

    Rounds of planning, encoding and collecting until nothing is missing: what a killed worker
    held is planned again, what was finished before a kill is collected first.

    Args:
        paths: the project, whose stage corpus has run.
        settings: section cluster.
        encode: has shards encoded (`nsnet.cluster.encoding.encode_shard`), wherever that is.
        report: gets a line now and then.

    Returns:
        Pictures (under a condition each) that were encoded.

    Raises:
        ReplacedPicture: files that are not what was ingested; the others are stored by then.
        RuntimeError: several rounds brought nothing, with what the first shard that failed said.
        ValueError: settings with faults, or a URL of an unknown kind; or what a worker said so of.
    """
    place = Place(settings.shards or str(paths.shards.resolve()))
    tower = load_backbone(load_section(paths.params, "backbone", sections.Backbone), best_device())
    request = project_request(paths, tower)
    describe_store(paths.feature_store, tower, request)
    encoded, idle = 0, 0
    receipts: list[Receipt] = []
    failures: list[Exception] = []
    before: int | None = None
    while True:
        collected = collect_shards(place, tower.id, paths.feature_store)
        report(f"{collected.parts} parts put into {paths.feature_store}")
        for name in collected.damaged:
            report(f"{place.url}/{name} is damaged: set aside there, to be encoded again")
        refuse([fault for receipt in receipts for fault in receipt.faults])
        for failure in failures:
            if isinstance(failure, ValueError):  # of settings or files, which another round would find as they are
                raise failure
        missing, names = _hand_out(paths, settings, request, tower, place)
        if not missing:
            return encoded
        idle = idle + 1 if missing == before else 0
        if idle == IDLE:
            reason = failures[0] if failures else "all that came was damaged"
            raise RuntimeError(f"{missing} pictures are missing, and {IDLE} rounds brought none: {reason}")
        before = missing
        report(f"{missing} pictures to encode, in {len(names)} shards at {place.url}")
        receipts, failures = _watch(encode(place.url, tower.id, names), len(names), missing, report)
        encoded += sum(receipt.pictures for receipt in receipts)


def _hand_out(
    paths: Paths, settings: Cluster, request: Request, tower: Backbone, place: Place
) -> tuple[int, list[str]]:
    """Write shards of all that the store lacks; how many pictures that is, and the shards' names."""
    extraction = load_section(paths.params, "features", sections.Features)
    backbone = load_section(paths.params, "backbone", sections.Backbone)
    data = settings.data or str(paths.data.resolve())
    # Paths in shards are below `data`, wherever a worker has that.
    with make_plan(replace(request, root=Path()), paths.feature_store, tower.id) as plan:
        plan.index()
        missing = plan.counts()[1]
        size = max(1, min(settings.shard_pictures, -(-missing // settings.workers)))
        names = [
            write_shard(place, Shard(backbone, tower.id, extraction.batch, missing >= WORTH, data, tuple(jobs)))
            for jobs in in_groups(plan.jobs(settings.workers), size)
        ]
    return missing, names


def _watch(
    outcomes: Iterable[Receipt | Exception], shards: int, missing: int, report: Callable[[str], None]
) -> tuple[list[Receipt], list[Exception]]:
    """What comes of shards, as it comes, told now and then."""
    receipts: list[Receipt] = []
    failures: list[Exception] = []
    for number, outcome in enumerate(outcomes, 1):
        if isinstance(outcome, Exception):
            failures.append(outcome)
        else:
            receipts.append(outcome)
        if number % max(1, shards // LINES) == 0 or number == shards:
            encoded = sum(receipt.pictures for receipt in receipts)
            report(f"{number} of {shards} shards, {encoded} of {missing} pictures; {len(failures)} shards failed")
    if failures:
        report(f"the first that failed: {failures[0]!r}")
    machines = sorted({receipt.machine for receipt in receipts})
    if len(machines) > 1:
        report(f"last digits of features may differ between {' and '.join(machines)}")
    return receipts, failures
