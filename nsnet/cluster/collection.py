"""The one writer: what workers left at a URL goes into the store, or aside if it is damaged."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from nsnet.cluster.places import Place
from nsnet.core.files import atomic_path
from nsnet.features.parts import DAMAGED

# As the store has them: condition, suite, generator.
PART = re.compile(r"[0-9a-f]{12}/[0-9a-f]{12}/[^/]+/[^/]+/part-([0-9a-f]{64})\.parquet")


@dataclass(frozen=True)
class Collected:
    """What was found.

    Attributes:
        parts: how many were put into the store.
        damaged: names of those whose bytes are not those that were written; set aside there.
    """

    parts: int
    damaged: tuple[str, ...]


def collect_shards(place: Place, backbone_id: str, store: Path) -> Collected:
    """Move all parts of a tower into the store, each verified by its name; damaged ones are set aside and named.

    What is in the store leaves the URL, shards and receipts with it: the next plan asks the store alone.

    Args:
        place: where workers left them; nobody works there now.
        backbone_id: of the tower.
        store: the feature store, which nobody else fills from there.

    Returns:
        How many came, and which did not.

    Raises:
        OSError: the place cannot be reached, or the disk is full.
    """
    parts = 0
    damaged: list[str] = []
    names = {name for name in place.names(backbone_id) if not name.endswith(DAMAGED)}
    for name in sorted(names):
        match = PART.fullmatch(name)
        if match is None:
            continue
        target = store / name
        if not target.exists():
            content = place.read(name)
            if hashlib.sha256(content).hexdigest() != match[1]:
                damaged.append(name)
                place.move(name, name + DAMAGED)
                continue
            stats = name.removesuffix(".parquet") + ".json"
            if stats in names:
                _put(target.with_suffix(".json"), place.read(stats))
            _put(target, content)
            parts += 1
    for name in names.difference(damaged):
        place.remove(name)
    return Collected(parts, tuple(damaged))


def _put(target: Path, content: bytes) -> None:
    with atomic_path(target) as temporary:
        temporary.write_bytes(content)
