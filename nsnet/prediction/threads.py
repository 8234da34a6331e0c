"""Work on groups of pictures in threads, a few groups ahead of the one that is asked for.

As in nsnet.features.extraction, a thread does whole groups and torch gets its share of the cores: passes
that want all cores beside threads that decode took ten times as long on a busy machine.
"""

from __future__ import annotations

import itertools
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

from nsnet.features.ahead import ahead

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    work: Callable[[Sequence[Item]], Sequence[Result]], items: Iterable[Item], size: int, workers: int
) -> Iterator[Result]:
    """What is made of items, in their order.

    Args:
        work: makes a result of each item of a group; called in several threads at once.
        items: read as they are needed.
        size: items in a group, at least 1.
        workers: threads.

    Yields:
        A result for each item.
    """
    with warnings.catch_warnings():
        # Decoding catches warnings in each thread, and threads that end in another order than they began leave
        # their filters behind: leaving this block puts back those that were there.
        groups = _groups(items, size)
        first = list(itertools.islice(groups, 2))
        groups = itertools.chain(first, groups)
        if len(first) < 2 or workers == 1:  # one group alone has all cores
            for group in groups:
                yield from work(group)
            return
        share = max(1, (os.cpu_count() or 1) // workers)
        # OpenMP keeps a thread count for each thread.
        with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(share,)) as pool:
            for results in ahead(pool, work, groups, workers + 1):
                yield from results


def _groups(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while group := list(itertools.islice(rest, size)):
        yield group
