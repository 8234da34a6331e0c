"""A job: read, decode, show and encode a batch of pictures, and keep them as a part of the store."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from nsnet.features.backbone import Backbone
from nsnet.features.jobs import Job
from nsnet.features.parts import KEY_COLUMNS, part_folder, part_table, write_part
from nsnet.features.pictures import Key, PictureSource, ReplacedPicture
from nsnet.features.short_passes import encode_together
from nsnet.features.views import View


@dataclass
class Done:
    """What came of jobs.

    Attributes:
        pictures: how many were encoded.
        faults: pictures that are not what was ingested, with their paths; the others were kept.
        parts: what was written, each with its columns `KEY_COLUMNS`.
    """

    pictures: int = 0
    faults: list[str] = field(default_factory=list)
    parts: list[tuple[Path, pa.Table]] = field(default_factory=list)


def encode(jobs: Sequence[Job], backbone: Backbone, store: Path, batch: int) -> Done:
    """Encode the pictures of small jobs, or of one, in common forward passes; each adds a part of its own to the store.

    Args:
        jobs: of a plan, perhaps of another process's.
        backbone: whose id the plan was made for.
        store: the feature store.
        batch: views in a forward pass.

    Returns:
        Counts, faults and parts.
    """
    done = Done()
    shown = [_show(job, backbone, done) for job in jobs]
    views = [view for part in shown for view in part.views]
    if not views:
        return done
    keys = [(job, key) for job, part in zip(jobs, shown, strict=True) for key in part.keys]
    wanted = [row for row, (job, key) in enumerate(keys) if job.patches and key == ("mosaic", 0)]
    start = time.perf_counter()
    features, patches = encode_views(backbone, views, wanted, batch)
    forward = (time.perf_counter() - start) / len(views)
    first = 0
    for job, part in zip(jobs, shown, strict=True):
        rows = range(first, first + len(part.views))
        first = rows.stop
        if rows:
            own = {row - rows.start: patches[row] for row in rows if row in patches}
            table = part_table(part.image_ids, part.keys, part.views, features[rows.start : rows.stop], own, job.dtype)
            seconds = {**part.seconds, "forward_seconds": forward * len(rows)}
            counts = {"pictures": len(set(part.image_ids)), "rows": len(rows)}
            folder = part_folder(store, backbone.id, job.condition.id, job.suite, job.generator)
            path = write_part(folder, table, counts | {name: round(value, 4) for name, value in seconds.items()})
            done.parts.append((path, table.select(KEY_COLUMNS)))
    return done


@dataclass
class _Shown:
    """The views of a job's pictures, row by row, and the seconds behind them."""

    image_ids: list[str] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    views: list[View] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: {"read_seconds": 0.0, "decode_seconds": 0.0})


def _show(job: Job, backbone: Backbone, done: Done) -> _Shown:
    source, shown = PictureSource(dict(job.pictures), backbone.views), _Shown()
    for image_id, _ in job.pictures:
        start = time.perf_counter()
        try:
            content = source.read(image_id)
        except ReplacedPicture as fault:
            done.faults.append(str(fault))
            continue
        read = time.perf_counter()
        shown.views += source.show(content, image_id, job.condition, job.keys)
        shown.seconds["read_seconds"] += read - start
        shown.seconds["decode_seconds"] += time.perf_counter() - read
        shown.image_ids += [image_id] * len(job.keys)
        shown.keys += job.keys
        done.pictures += 1
    return shown


def encode_views(
    backbone: Backbone, views: Sequence[View], with_patches: Sequence[int], batch: int
) -> tuple[npt.NDArray[np.float32], dict[int, npt.NDArray[np.float32]]]:
    """Features of views, float32 (n, d), and those of the patches of some: float32 (slots, d) by place.

    Args:
        backbone: the tower.
        views: what is shown.
        with_patches: places of mosaics among them whose patches are wanted.
        batch: views in a forward pass.

    Returns:
        Both.
    """
    features: list[npt.NDArray[np.float32]] = []
    patches: dict[int, npt.NDArray[np.float32]] = {}
    asked = set(with_patches)
    for start in range(0, len(views), batch):
        part = views[start : start + batch]
        mosaics = sorted(asked & set(range(start, start + len(part))))
        encoded, *slots = encode_together(backbone, [view.pixels for view in part], batch, bool(mosaics))
        features.append(encoded)
        patches |= {row: slots[0][row - start] for row in mosaics}
    return np.concatenate(features), patches
