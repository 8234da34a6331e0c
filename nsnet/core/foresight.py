"""What a command would do: how much there is, how much is done already, and how long the rest takes.

How long comes from what earlier runs noted: seconds beside the parts of a store, or in artifacts/costs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Work:
    """Things of one kind that a command would do.

    Attributes:
        what: what they are and what is done to them, such as "pictures to encode".
        total: how many are asked for.
        known: how many of them are done and kept.
        each: seconds of one, as earlier ones took; None where none has told.
    """

    what: str
    total: int
    known: int = 0
    each: float | None = None

    @property
    def left(self) -> int:
        """How many are still to be done."""
        return self.total - self.known

    def __str__(self) -> str:
        counted = f"{self.left} {self.what}" + (f" ({self.known} of {self.total} are known)" if self.known else "")
        return f"{counted}, about {duration(self.left * self.each)}" if self.each and self.left else counted


def duration(seconds: float) -> str:
    """Seconds in the unit that a person would use.

    Args:
        seconds: at least 0.

    Returns:
        Such as 4 s, 12 min or 3 h 20 min.
    """
    if seconds < 1:
        return "under 1 s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"


def noted(file: Path) -> dict[str, Any]:
    """What the last run of a stage or command noted (nsnet.core.progress.cost); nothing of none, or a damaged file."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def seconds_each(file: Path) -> float | None:
    """Seconds of one item in the last run of a stage or command that counted any (figure `items`)."""
    found = noted(file)
    return found["seconds"] / found["items"] if found.get("items") and "seconds" in found else None


def foretell(name: str, works: Iterable[Work], file: Path) -> list[str]:
    """What a stage or command would do, in lines.

    Args:
        name: of the stage or command.
        works: what it would do.
        file: where its last run noted what it cost.

    Returns:
        A line for each work, and one on the last run as a whole.
    """
    last = noted(file)
    whole = "no run here has told yet how long it takes"
    if "seconds" in last:
        whole = f"the last run here took {duration(last['seconds'])}"
        whole += f" and {last['peak_memory_mb']} MB" if "peak_memory_mb" in last else ""
    return [f"{name}: {line}" for line in (*map(str, works), whole)]
