"""A shard: some jobs of a plan, with all that a worker elsewhere must know to do them; a file of JSON.

    URL/<backbone_id>/shards/<sha256>.json                  what is to be made, named by the file's own checksum
    URL/<backbone_id>/done/<sha256>.json                    what came of it
    URL/<backbone_id>/<condition_id>/.../part-<sha256>.parquet    its parts, where the store will have them

Schedulers pass names only: a plan of a million pictures goes through no scheduler's memory.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pydantic import TypeAdapter

from nsnet.cluster.places import Place
from nsnet.features.jobs import Job
from nsnet.features.settings import Backbone


@dataclass(frozen=True)
class Shard:
    """Jobs, and how they are done.

    Attributes:
        backbone: the tower's settings.
        backbone_id: what its record must hash to, wherever it is loaded.
        batch: views in a forward pass.
        recorded: whether passes are recorded, as the stage would with as many pictures.
        data: folder or URL that the jobs' pictures are below.
        jobs: with pictures by their paths below `data`.
    """

    backbone: Backbone
    backbone_id: str
    batch: int
    recorded: bool
    data: str
    jobs: tuple[Job, ...]


@dataclass(frozen=True)
class Receipt:
    """What came of a shard.

    Attributes:
        pictures: how many were encoded.
        faults: pictures that are not what was ingested; the others were encoded.
        parts: names below the URL.
        machine: kind of processor, and the versions that features may depend on to the last bit.
    """

    pictures: int
    faults: tuple[str, ...]
    parts: tuple[str, ...]
    machine: str


_SHARD = TypeAdapter(Shard)
_RECEIPT = TypeAdapter(Receipt)


def write_shard(place: Place, shard: Shard) -> str:
    """Write a shard; return its name, which another shard does not have."""
    content = _SHARD.dump_json(shard)
    name = hashlib.sha256(content).hexdigest()
    place.write(shard_file(shard.backbone_id, name), content)
    return name


def read_shard(place: Place, backbone_id: str, name: str) -> Shard:
    """Read a shard.

    Raises:
        OSError: it is gone, or cannot be read.
        ValueError: its bytes are not those that were written.
    """
    file = shard_file(backbone_id, name)
    content = place.read(file)
    checksum = hashlib.sha256(content).hexdigest()
    if checksum != name:
        raise ValueError(f"{place.url}/{file} is damaged: its sha256 is {checksum}; run the flow again")
    return _SHARD.validate_json(content)


def write_receipt(place: Place, backbone_id: str, name: str, receipt: Receipt) -> None:
    """Say that a shard is done; its parts must lie there already."""
    place.write(receipt_file(backbone_id, name), _RECEIPT.dump_json(receipt))


def read_receipt(place: Place, backbone_id: str, name: str) -> Receipt | None:
    """What came of a shard, if it is done and all its parts still lie there."""
    file = receipt_file(backbone_id, name)
    if not place.exists(file):
        return None
    receipt = _RECEIPT.validate_json(place.read(file))
    return receipt if all(place.exists(part) for part in receipt.parts) else None


def shard_file(backbone_id: str, name: str) -> str:
    """Where a shard lies."""
    return f"{backbone_id}/shards/{name}.json"


def receipt_file(backbone_id: str, name: str) -> str:
    """Where its receipt lies."""
    return f"{backbone_id}/done/{name}.json"
