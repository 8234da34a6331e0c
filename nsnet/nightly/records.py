"""Nights and decisions as append-only folders of Parquet: written under a temporary name, then renamed to a number."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nsnet.core.contracts import Table, make, table_name
from nsnet.core.files import sweep, temporary_name
from nsnet.core.parquet import write_table
from nsnet.reporting.nights.contracts import NightDecisions
from nsnet.reporting.nights.tables import read_nights

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Accepted:
    """The night whose version is published."""

    night: int
    version: str


def accepted(nights: Path) -> Accepted | None:
    """The night that the last decision published; None before the first.

    Args:
        nights: folder nights/ of a project.

    Raises:
        ValueError: a decision is damaged.
    """
    decisions = read_nights(NightDecisions, nights)
    if decisions.is_empty():
        return None
    last = decisions.sort("decision").row(-1, named=True)
    return Accepted(last["night"], last["version"])


def add_night(nights: Path, tables: Mapping[type[Table], Iterable[Row]]) -> int:
    """Append a night; nobody sees it before it is whole.

    Args:
        nights: folder nights/ of a project.
        tables: rows of each of its tables, but for the column night.

    Returns:
        Its number: one more than the highest, whatever the clock says.

    Raises:
        OSError: it cannot be written.
        ValueError: rows break a contract.
    """

    def write(folder: Path, number: int) -> None:
        for kind, rows in tables.items():
            frame = make(kind, ({**row, "night": number} for row in rows))
            write_table(kind, frame, folder / f"{table_name(kind)}.parquet")

    return _append(nights / "nights", "night", write)


def decide(nights: Path, night: int, version: str, action: str, by: str, why: str) -> int:
    """Append a decision: from now on this version is the published one.

    Args:
        nights: folder nights/ of a project.
        night, version: whose tables.
        action: accepted or rolled back.
        by, why: who decided, and the reason.

    Returns:
        Its number.

    Raises:
        OSError: it cannot be written.
    """
    row = {"decided_at": utc_now(), "night": night, "version": version, "action": action, "by": by, "why": why}

    def write(folder: Path, number: int) -> None:
        frame = make(NightDecisions, [{**row, "decision": number}])
        write_table(NightDecisions, frame, folder / f"{table_name(NightDecisions)}.parquet")

    return _append(nights / "decisions", "decision", write)


def utc_now() -> datetime.datetime:
    """The time, UTC, without a zone, as tables have it."""
    return datetime.datetime.now(datetime.UTC).replace(tzinfo=None)


def _append(folder: Path, name: str, write: Callable[[Path, int], None]) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    while True:
        number = 1 + max((_number(path, name) for path in folder.iterdir()), default=0)
        target = folder / f"{name}={number:06d}"
        temporary = temporary_name(target)
        write(temporary, number)
        try:
            temporary.rename(target)
        except OSError:
            if not target.exists():
                raise
            continue  # another process was faster: the next number
        return number


def _number(path: Path, name: str) -> int:
    match = re.fullmatch(rf"{name}=(\d+)", path.name)
    return int(match[1]) if match else 0
