"""What long commands share: --dry-run says what there is to do, and what a run cost is kept for it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from nsnet.core.foresight import Work, foretell, seconds_each
from nsnet.core.paths import Paths

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and how long it took before; do nothing.")
]


def say(paths: Paths, command: str, works: Iterable[Work]) -> None:
    """Print what a command would do.

    Args:
        paths: where its last run noted what it cost.
        command: its name, as it is typed.
        works: what it would do.
    """
    print("\n".join(foretell(command, works, _file(paths, command))))


def work(paths: Paths, command: str, what: str, total: int) -> Work:
    """Work whose seconds the last run of a command tells.

    Args:
        paths, command: as for `say`.
        what, total: as of `Work`.

    Returns:
        The work; nothing of it is known.
    """
    return Work(what, total, each=seconds_each(_file(paths, command)))


@contextmanager
def measured(paths: Paths, command: str, items: int | None = None) -> Iterator[None]:
    """Note what a command cost, if it ends well.

    Args:
        paths, command: as for `say`.
        items: how many things of `work` it did; None where seconds of one would tell nothing.
    """
    from nsnet.core.progress import cost

    with cost(_file(paths, command)) as figures:
        if items is not None:
            figures["items"] = items
        yield


def _file(paths: Paths, command: str) -> Path:
    return paths.cost(command.replace(" ", "-"))
