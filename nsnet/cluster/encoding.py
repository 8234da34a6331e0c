"""What a worker does: take a shard, encode its pictures, leave its parts and a receipt."""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

import torch

from nsnet.cluster.pictures import fetch, is_url
from nsnet.cluster.places import Place
from nsnet.cluster.shards import Receipt, Shard, read_receipt, read_shard, write_receipt
from nsnet.core.device import best_device
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.batches import fitting_batch
from nsnet.features.extraction import run_jobs
from nsnet.features.recorded import record
from nsnet.features.settings import Backbone as Settings

_LOADING = Lock()


def encode_shard(url: str, backbone_id: str, name: str) -> Receipt:
    """Encode a shard and leave its parts at the URL; one that lies there already is not encoded again.

    In one thread: a machine with more cores is given as many shards at a time, of which those
    of one process share a tower.

    Args:
        url: where shards, parts and receipts lie.
        backbone_id: of the plan.
        name: of the shard.

    Returns:
        What came of it.

    Raises:
        OSError: the place cannot be reached.
        ValueError: the tower is another one here, or cannot take as many views at a time.
    """
    place = Place(url)
    receipt = read_receipt(place, backbone_id, name)
    if receipt is not None:
        return receipt
    shard = read_shard(place, backbone_id, name)
    with _LOADING:
        tower = _tower(shard.backbone, shard.backbone_id, shard.batch, shard.recorded, shard.jobs[0].patches)
    with TemporaryDirectory() as folder:
        receipt = _encode(shard, tower, place, Path(folder))
    write_receipt(place, backbone_id, name, receipt)
    return receipt


def _encode(shard: Shard, tower: Backbone, place: Place, folder: Path) -> Receipt:
    data = Path(shard.data)
    if is_url(shard.data):
        data = folder / "pictures"
        fetch(shard.data, (path for job in shard.jobs for _, path in job.pictures), data)
    jobs = [replace(job, pictures=tuple((key, data / path) for key, path in job.pictures)) for job in shard.jobs]
    pictures = 0
    faults: list[str] = []
    parts: list[str] = []
    store = folder / "store"
    for done in run_jobs(jobs, sum(len(job.pictures) for job in jobs), tower, store, shard.batch, workers=1, cores=1):
        pictures += done.pictures
        faults += (fault.replace(str(data), shard.data) for fault in done.faults)
        for part, _ in done.parts:
            for file in (part.with_suffix(".json"), part):  # a part is seen when all about it is there
                place.write(file.relative_to(store).as_posix(), file.read_bytes())
            parts.append(part.relative_to(store).as_posix())
    return Receipt(pictures, tuple(faults), tuple(parts), _machine(tower.device))


@lru_cache(maxsize=1)
def _tower(settings: Settings, backbone_id: str, batch: int, recorded: bool, patches: bool) -> Backbone:
    """The tower of a plan, loaded once in a process, if it is the plan's."""
    tower = load_backbone(settings, best_device())
    here = f"on {platform.node()}"
    if tower.id != backbone_id:
        raise ValueError(
            f"backbone: {settings.model} has id {tower.id} {here}, expected {backbone_id}: install the same version"
            " of nsnet there, and the same file of weights"
        )
    fitting = fitting_batch(tower, batch, patches)
    if fitting != batch:  # features depend on it to the last bit, and one run has one
        raise ValueError(f"features.batch: {batch} views do not fit into a GPU {here}; expected at most {fitting}")
    return record(tower, batch, patches) if recorded else tower


def _machine(device: str) -> str:
    kind = f"CPU {torch.backends.cpu.get_cpu_capability()}" if device == "cpu" else torch.cuda.get_device_name()
    return ", ".join([kind, *(f"{name} {version(name)}" for name in ("torch", "pillow", "numpy"))])
