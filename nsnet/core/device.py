"""Which device and how many threads torch computes with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import torch


def best_device() -> str:
    """cuda where there is one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Compute with `count` threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def one_thread() -> AbstractContextManager[None]:
    """Compute with one thread: for matrices so small that handing out the work costs more than the work."""
    return threads(1)


def beside(module: torch.nn.Module, batch: torch.Tensor) -> torch.nn.Module:
    """The module, moved to the device of a batch unless it is there.

    Args:
        module: with at least one parameter.
        batch: what it will be given.

    Returns:
        The module itself.
    """
    return module if next(module.parameters()).device == batch.device else module.to(batch.device)
