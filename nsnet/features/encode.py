"""One job: read, decode, show and encode a batch of pictures, and keep them as a part of the store."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nsnet.features.backbone import Backbone, stack
from nsnet.features.parts import part_folder, part_table, write_part
from nsnet.features.pictures import PictureSource, ReplacedPicture
from nsnet.features.plan import Job
from nsnet.features.views import View


@dataclass
class Done:
    """What came of a job.

    Attributes:
        pictures: how many were encoded.
        faults: pictures that are not what was ingested, with their paths; the others were kept.
        seconds: by what was done.
    """

    pictures: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - start


def run_job(job: Job, backbone: Backbone, store: Path, batch: int) -> Done:
    """Encode a job's pictures and add them to the store.

    Args:
        job: of a plan, perhaps of another process's.
        backbone: whose id the plan was made for.
        store: the feature store.
        batch: views in a forward pass; always that many, so that a feature does not depend on its mates.
    """
    done = Done()
    source = PictureSource(dict(job.pictures), backbone.views)
    image_ids: list[str] = []
    views: list[View] = []
    for image_id, _ in job.pictures:
        try:
            with done.clock("read"):
                content = source.read(image_id)
        except ReplacedPicture as fault:
            done.faults.append(str(fault))
            continue
        with done.clock("decode"):
            views += source.show(content, image_id, job.condition, job.keys)
        image_ids.append(image_id)
    done.pictures = len(image_ids)
    if not image_ids:
        return done
    keys = list(job.keys) * len(image_ids)
    wanted = [row for row, key in enumerate(keys) if job.patches and key == ("mosaic", 0)]
    with done.clock("forward"):
        features, patches = encode_views(backbone, views, wanted, batch)
    rows = [image_id for image_id in image_ids for _ in job.keys]
    table = part_table(rows, keys, views, features, patches, job.dtype)
    folder = part_folder(store, backbone.id, job.condition.id, job.suite, job.generator)
    stats = {f"{name}_seconds": round(value, 4) for name, value in done.seconds.items()}
    write_part(folder, table, {"pictures": len(image_ids), "rows": len(rows), **stats})
    return done


def encode_views(
    backbone: Backbone, views: Sequence[View], with_patches: Sequence[int], batch: int
) -> tuple[npt.NDArray[np.float32], dict[int, npt.NDArray[np.float32]]]:
    """Features of views, float32 (n, d), and those of the patches of some: float32 (slots, d) by place."""
    features: list[npt.NDArray[np.float32]] = []
    patches: dict[int, npt.NDArray[np.float32]] = {}
    asked = set(with_patches)
    for start in range(0, len(views), batch):
        part = views[start : start + batch]
        pixels = stack([view.pixels for view in part], batch)
        mosaics = sorted(asked & set(range(start, start + len(part))))
        if mosaics:
            found, slots = backbone.encode_patches(pixels)
            patches |= {row: slots[row - start] for row in mosaics}
        else:
            found = backbone.encode_images(pixels)
        features.append(found[: len(part)])
    return np.concatenate(features), patches
