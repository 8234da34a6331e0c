"""Progress bars on a terminal, silence elsewhere; and what a stage cost."""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nsnet.core.files import atomic_path


@contextmanager
def bar(description: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Yield a function that moves the bar on by a count; `total` is None if it is not known.

    Args:
        description: shown in front.
        total: what it counts to.

    Yields:
        A function of a count; it shows nothing where stderr is no terminal.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(description, total=total)
        yield lambda count: progress.advance(task, count)


@contextmanager
def cost(file: Path) -> Iterator[dict[str, Any]]:
    """Write wall seconds and peak memory of the block to a JSON file; the block may add facts.

    Peak memory is that of this process or its largest finished child, in MB. Costs differ
    from run to run, so they are kept out of every table that must be reproducible.
    """
    figures: dict[str, Any] = {}
    start = time.perf_counter()
    yield figures
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    figures |= {"seconds": round(time.perf_counter() - start, 2), "peak_memory_mb": round(peak / 1024)}
    with atomic_path(file) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n")
