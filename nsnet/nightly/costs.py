"""What the stages take: artifacts/costs, and which of them ran between two looks at it."""

from __future__ import annotations

import json
from typing import Any

from nsnet.core.paths import Paths

Looks = dict[str, tuple[int, int]]


def look(paths: Paths) -> Looks:
    """A mark of every cost file, by stage: another one once its stage has run again, whatever the clock says.

    Args:
        paths: the project.

    Returns:
        Number and time of each file.
    """
    files = sorted((paths.artifacts / "costs").glob("*.json"))
    return {file.stem: (file.stat().st_ino, file.stat().st_mtime_ns) for file in files}


def costs_since(paths: Paths, before: Looks) -> list[dict[str, Any]]:
    """Costs of the stages that have run since a look.

    Args:
        paths: the project.
        before: of `look`.

    Returns:
        stage, seconds and peak_memory_mb, by stage; a file that a kill left unreadable is left out.
    """
    costs = []
    for stage, mark in look(paths).items():
        if before.get(stage) == mark:
            continue
        try:
            figures = json.loads(paths.cost(stage).read_bytes())
        except (OSError, ValueError):
            continue
        if "seconds" in figures:  # those of trainings lie in a file beside the stages'
            costs.append({"stage": stage, **figures})
    return costs
