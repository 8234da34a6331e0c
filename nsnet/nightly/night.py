"""A night as a whole: compare what it made with the last accepted night, judge, record, publish."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nsnet.core.contracts import Table
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256, git_revision
from nsnet.core.settings import load_section
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.changes import DETECTOR, WATCHED, Scored, changes_between
from nsnet.evaluation.contests import HELD_OUT
from nsnet.evaluation.contracts import ExternalRuns, Means, Predictions, Results
from nsnet.evaluation.settings import Evaluate
from nsnet.nightly.findings import GENERATOR, Finding, gone_and_new, medians, moved, slow
from nsnet.nightly.publishing import publish, whole
from nsnet.nightly.records import Accepted, accepted, add_night, decide, utc_now
from nsnet.nightly.settings import Nightly
from nsnet.nightly.versions import keep_version
from nsnet.reporting.nights.contracts import NightChanges, NightFindings, NightMeans, Nights, NightStages
from nsnet.reporting.nights.tables import read_nights
from nsnet.training.contracts import Runs

Row = dict[str, Any]


@dataclass
class Night:
    """What a night has come to.

    Attributes:
        started_at: UTC, without a zone.
        findings: what was found so far, all of it.
        costs: of the stages that ran: stage, seconds, peak_memory_mb.
        changes: against the last accepted night, columns of night_changes but for night.
        reproduced: whether the pipeline came to its end, so that there are tables to judge.
    """

    started_at: datetime.datetime = field(default_factory=utc_now)
    findings: list[Finding] = field(default_factory=list)
    costs: list[Row] = field(default_factory=list)
    changes: list[Row] = field(default_factory=list)
    reproduced: bool = False

    @property
    def refused(self) -> bool:
        """Whether something was found that blocks."""
        return any(finding.blocks for finding in self.findings)


@dataclass(frozen=True)
class Recorded:
    """A night as it stands in nights/, and what is published after it.

    Attributes:
        night: its number.
        published: the night whose version is published; None before the first that was accepted.
    """

    night: int
    published: Accepted | None


def judge(paths: Paths, night: Night) -> None:
    """Compare with the last accepted night and with earlier costs; adds to the night's findings.

    Args:
        paths: the project, whose pipeline has run.
        night: gets findings, changes, and the medians of its costs.
    """
    settings = load_section(paths.params, "nightly", Nightly)
    earlier = read_nights(NightStages, paths.nights).select("stage", "seconds").rows()
    usual = medians(earlier, settings.nights_for_median)
    night.costs = [row | {"median_seconds": usual.get(row["stage"])} for row in night.costs]
    night.findings += slow(night.costs, settings.slower)
    last = read_nights(Nights, paths.nights)["finished_at"].max()
    if isinstance(last, datetime.datetime) and night.started_at < last:
        detail = f"it says {night.started_at:%Y-%m-%d %H:%M:%S}, an earlier night ended {last:%Y-%m-%d %H:%M:%S}"
        night.findings.append(Finding("clock", platform.node(), f"{detail}; nights are in order by their numbers"))
    before = accepted(paths.nights)
    if before is None or not night.reproduced:
        return
    try:
        keep_version(paths)  # mends the accepted one where nothing has changed since
        then = Paths(whole(paths, before))
        night.findings += gone_and_new(_tested(paths), _tested(then))
        night.changes = changes_between(
            _scored(paths), _scored(then), read_table(Samples, paths.table(Samples)), _evaluate(paths)
        )
    except (ValueError, OSError) as error:
        night.findings.append(Finding("not-compared", f"night {before.night}", str(error).replace("\n", "; ")))
    night.findings += moved(night.changes)


def record(paths: Paths, night: Night) -> Recorded:
    """Keep what the night made, append it to nights/, and publish it unless it is refused.

    Args:
        paths: the project.
        night: judged.

    Returns:
        Its number, and what is published now.

    Raises:
        OSError, ValueError: as `publish`.
    """
    before = accepted(paths.nights)
    version = keep_version(paths) if night.reproduced else None
    row = {
        "started_at": night.started_at,
        "finished_at": utc_now(),
        "outcome": "refused" if night.refused else "accepted",
        "version": version,
        "compared_with": before.night if before else None,
        "revision": git_revision(paths.root),
        "params": file_sha256(paths.params)[:12],
        "data": file_sha256(paths.root / "data.dvc")[:12],
        "processor": platform.processor() or platform.machine(),
    }
    findings = [
        {"finding": one.finding, "blocks": one.blocks, "subject": one.subject, "detail": one.detail}
        for one in night.findings
    ]
    tables: dict[type[Table], Sequence[Row]] = {
        Nights: [row],
        NightMeans: _means(paths) if version else [],
        NightChanges: night.changes,
        NightFindings: findings,
        NightStages: night.costs,
    }
    number = add_night(paths.nights, tables)
    if version and not night.refused:
        decide(paths.nights, number, version, "accepted", "the night", "nothing found that blocks")
    publish(paths)
    return Recorded(number, accepted(paths.nights))


def _evaluate(paths: Paths) -> Evaluate:
    return load_section(paths.params, "evaluate", Evaluate)


def _runs(paths: Paths) -> pl.DataFrame:
    columns = ["run_id", "seed", "kind", "threshold", "temperature", "backbone_id", *DETECTOR]
    kinds: tuple[type[Table], ...] = (Runs, ExternalRuns)
    return pl.concat([read_table(kind, paths.table(kind)).select(columns) for kind in kinds])


def _scored(paths: Paths) -> Scored:
    return Scored(_runs(paths), read_table(Predictions, paths.table(Predictions)))


def _tested(paths: Paths) -> pl.DataFrame:
    results = read_table(Results, paths.table(Results)).join(_runs(paths), on="run_id")
    return results.select(*GENERATOR, *DETECTOR).unique()


def _means(paths: Paths) -> list[Row]:
    means = read_table(Means, paths.table(Means))
    return means.filter(pl.col("metric").is_in(WATCHED), group=HELD_OUT).to_dicts()
