"""What a night can find, by name; docs/nightly.md says what to do about each."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nsnet.evaluation.changes import DETECTOR

# Names of findings, and whether such a night is refused: what is published stays as it is until a person decides.
BLOCKS = {
    "disk-low": True,
    "pull-failed": True,
    "corpus-drift": True,
    "pipeline-failed": True,
    "not-compared": True,
    "missing-generator": True,
    "missing-detector": True,
    "regression": True,
    "improvement": False,
    "new-generator": False,
    "new-detector": False,
    "slow-stage": False,
    "environment": False,
    "clock": False,
}
GENERATOR = ["suite", "generator"]
NAMED = 8  # generators that a detail names


@dataclass(frozen=True)
class Finding:
    """Something that a person should know of.

    Attributes:
        finding: of `BLOCKS`.
        subject: what it is about.
        detail: in words, with numbers.
    """

    finding: str
    subject: str
    detail: str

    @property
    def blocks(self) -> bool:
        """Whether the night is refused."""
        return BLOCKS[self.finding]

    @property
    def line(self) -> str:
        """All of it in a line."""
        return f"{self.finding}: {self.subject}: {self.detail}"


def gone_and_new(now: pl.DataFrame, before: pl.DataFrame) -> list[Finding]:
    """Generators and detectors that one of two nights has a result of, and the other has not.

    Args:
        now, before: of both nights, the columns `GENERATOR` and `DETECTOR` of all results.

    Returns:
        Findings, in order.
    """
    findings = []
    for kind, columns in (("generator", GENERATOR), ("detector", DETECTOR)):
        here, there = (set(side.select(columns).unique().iter_rows()) for side in (now, before))
        words = {"missing": "the last accepted night tested it, this one did not", "new": "tested for the first time"}
        for name, found in (("missing", there - here), ("new", here - there)):
            findings += [Finding(f"{name}-{kind}", "/".join(one), words[name]) for one in sorted(found)]
    return findings


def moved(changes: Iterable[Mapping[str, Any]]) -> list[Finding]:
    """Held-out generators whose metric has changed beyond the paired interval, a finding a detector and direction.

    Args:
        changes: from `changes_between`.

    Returns:
        Findings: regressions first.
    """
    place = ("training_set", "train_condition", "condition", "detector", "metric")
    found: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for row in changes:
        if row["generator"] is not None and (row["ci_high"] < 0 or row["ci_low"] > 0):
            direction = "regression" if row["ci_high"] < 0 else "improvement"
            found.setdefault((direction, *(row[key] for key in place)), []).append(row)
    findings = []
    for (direction, *where), rows in sorted(found.items(), key=lambda one: (one[0][0] != "regression", one[0])):
        worst = sorted(rows, key=lambda row: (-abs(row["difference"]), row["suite"], row["generator"]))
        told = [
            f"{row['suite']}/{row['generator']} {row['difference']:+.3f} ({row['ci_low']:+.3f}..{row['ci_high']:+.3f})"
            for row in worst[:NAMED]
        ]
        more = [f"and {len(rows) - NAMED} more"] if len(rows) > NAMED else []
        detail = f"{where[-1]} on {len(rows)} generators: {', '.join([*told, *more])}"
        findings.append(Finding(direction, "/".join(where[:-1]), detail))
    return findings


def slow(costs: Iterable[Mapping[str, Any]], slower: float) -> list[Finding]:
    """Stages that took much longer than in most earlier nights.

    Args:
        costs: of stages that ran: stage, seconds and median_seconds (None if unknown).
        slower: times the median that is too much.

    Returns:
        Findings, in order of stage.
    """
    return [
        Finding("slow-stage", row["stage"], f"{row['seconds']:.1f} s, in most nights {row['median_seconds']:.1f} s")
        for row in sorted(costs, key=lambda row: row["stage"])
        if row["median_seconds"] is not None and row["seconds"] > slower * row["median_seconds"]
    ]


def medians(earlier: Iterable[tuple[str, float]], fewest: int) -> dict[str, float]:
    """Median seconds of each stage.

    Args:
        earlier: stage and seconds of every time that one ran.
        fewest: times that a stage must have run.

    Returns:
        By stage; those that ran less often are left out.
    """
    rows = itertools.groupby(sorted(earlier), key=lambda row: row[0])
    found = {stage: [seconds for _, seconds in group] for stage, group in rows}
    return {stage: statistics.median(seconds) for stage, seconds in found.items() if len(seconds) >= fewest}
