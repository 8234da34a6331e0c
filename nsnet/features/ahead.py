"""Working ahead in threads, but not far."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(pool: Executor, work: Callable[[Item], Result], items: Iterable[Item], count: int) -> Iterator[Result]:
    """Results in the order of `items`, of which at most `count` are worked on before the first is fetched.

    If the caller stops or fails, or an item does, what has not begun is not begun.

    Args:
        pool: where work is done.
        work: from an item to its result.
        items: taken one by one.
        count: results that may wait.

    Yields:
        Results.
    """
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(work, item))
            if len(pending) >= count:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()
