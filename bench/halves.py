"""What a machine allows: reading and decoding alone, forward passes alone, with every core at it and nothing else.

As many processes as there are cores, each with one thread, a tower of its own and the same work, at the same time:
nobody waits for an interpreter's lock, and all share caches, memory and clock as in a real run. On a CPU both halves
want the same cores, so that a run can at best take the time of the one and then that of the other.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier
from types import TracebackType

import torch

from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN
from nsnet.features.pictures import Key, PictureSource
from nsnet.features.recorded import record
from nsnet.features.settings import Backbone as Settings

# Pictures that a process decodes, again and again, and for how many seconds at least it does each thing.
DECODED, LEAST = 64, 5.0


class Halves:
    """The processes; a context."""

    def __init__(self, settings: Settings, batch: int, keys: Sequence[Key], cores: int, recorded: bool) -> None:
        self.cores, self.keys, context = cores, tuple(keys), get_context("spawn")
        self.kinds = 3 if recorded else 2
        start = (settings, batch, recorded, context.Barrier(cores))
        self._pool = ProcessPoolExecutor(cores, mp_context=context, initializer=_start, initargs=start)

    def __enter__(self) -> Halves:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._pool.shutdown()

    def measure(self, pictures: dict[str, Path]) -> list[float]:
        """Both halves, each alone.

        Args:
            pictures: some that they are measured with.

        Returns:
            Seconds of a picture, of all cores: decoding, an eager pass and, if wanted, a recorded one.
        """
        work = [self._pool.submit(_measure, pictures, self.keys) for _ in range(self.cores)]
        return [max(column) / self.cores for column in zip(*(one.result() for one in work), strict=True)]


_own: dict[str, tuple[int, list[Backbone], Barrier]] = {}


def _start(settings: Settings, batch: int, recorded: bool, together: Barrier) -> None:
    torch.set_num_threads(1)
    tower = load_backbone(settings)
    towers = [tower, record(tower, batch, tokens=True)] if recorded else [tower]
    _own["process"] = batch, towers, together


def _measure(pictures: dict[str, Path], keys: Sequence[Key]) -> list[float]:
    """Seconds of a picture: decoding, then each kind of pass. All processes begin each at the same time."""
    batch, towers, together = _own["process"]
    source, image_ids = PictureSource(pictures, towers[0].views), itertools.cycle(pictures)
    some = itertools.islice(image_ids, -(-batch // len(keys)))
    pixels = stack([view.pixels for image_id in some for view in source.views(image_id, CLEAN, keys)][:batch], batch)
    seconds = [_each(lambda: source.views(next(image_ids), CLEAN, keys), together)]
    for tower in towers:
        seconds.append(_each(partial(tower.encode_patches, pixels), together) / batch * len(keys))
    return seconds


def _each(work: Callable[[], object], together: Barrier) -> float:
    """Seconds of a call, of many that begin when all processes are there."""
    together.wait()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < LEAST:
        work()
        calls += 1
    return (time.perf_counter() - start) / calls
