"""What is asked of the features, and the jobs that it comes to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from nsnet.features.conditions import Condition
from nsnet.features.pictures import Key

# Pictures in a part: what a kill loses, and few enough files for a million pictures.
PART = 64
# Parts of this many pictures, where there are so few that whole ones would leave a worker idle.
SMALL_PART = 16
# Below this many pictures for each, threads are not worth starting.
FEW_EACH = 4


@dataclass(frozen=True)
class Request:
    """What the tables features and patches are to hold.

    Attributes:
        images, samples: Parquet files of these tables.
        root: folder that images.path is below.
        train: conditions of training and validation pictures.
        test: conditions of test pictures.
        keys: (view, draw) of every picture.
        dtype: float32 or float16.
        patches: whether the features of patches are wanted, of the mosaic's draw 0.
    """

    images: Path
    samples: Path
    root: Path
    train: Sequence[Condition]
    test: Sequence[Condition]
    keys: Sequence[Key]
    dtype: str
    patches: bool

    @property
    def conditions(self) -> list[Condition]:
        """All conditions, each id once."""
        return list({condition.id: condition for condition in [*self.train, *self.test]}.values())


@dataclass(frozen=True)
class Job:
    """A batch of pictures of one generator under one condition: independent of every other, and picklable.

    Attributes:
        suite, generator: where the part goes.
        condition: what is done to the pictures.
        pictures: image_id and file of each.
        keys: (view, draw) that all of them lack.
        dtype: of the part.
        patches: whether the mosaic of draw 0 gets features of its patches.
    """

    suite: str
    generator: str
    condition: Condition
    pictures: tuple[tuple[str, Path], ...]
    keys: tuple[Key, ...]
    dtype: str
    patches: bool


def part_size(pictures: int, workers: int) -> int:
    """Pictures in a part: whole parts, unless smaller ones keep all workers busy to the end.

    Args:
        pictures: to be encoded.
        workers: that encode.

    Returns:
        At least 1.
    """
    even = pictures // (4 * workers)
    return max(min(even // SMALL_PART * SMALL_PART, PART), min(even, SMALL_PART), 1)


def in_groups(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    """Consecutive jobs in groups of some `size` pictures: single generators may not fill a forward pass.

    Args:
        jobs: of a plan, taken as they are needed.
        size: pictures.

    Yields:
        Groups that end as near to multiples of that as jobs do.
    """
    group: list[Job] = []
    pictures, end = 0, size
    for job in jobs:
        more = len(job.pictures)
        if group and pictures + more - end >= end - pictures:  # nearer without it
            yield group
            group = []
            end = max(end, pictures // size * size) + size
        group.append(job)
        pictures += more
    if group:
        yield group
