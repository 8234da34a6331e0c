"""What is kept of every night: what it made, what has changed since the last accepted one, what was found, decided."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract
from nsnet.evaluation.metrics import METRICS

NIGHT = "nights.night"


@contract("nights", stage="nights")
class Nights(Table):
    """A night: what it ran on, and the version of the tables that it made. Never changed once written."""

    night: pl.Int32 = pa.Field(ge=1, unique=True, description="number, in the order of publishing; clocks may go back")
    started_at: pl.Datetime = pa.Field(description="when it began, UTC")
    finished_at: pl.Datetime = pa.Field(description="when it was judged, UTC")
    outcome: str = pa.Field(
        isin=["accepted", "refused"], description="what the night itself came to; night_decisions has what people said"
    )
    version: str = pa.Field(nullable=True, description="folder of its tables in nights/versions; null if it made none")
    compared_with: pl.Int32 = pa.Field(nullable=True, ge=1, description="night that was the last accepted one then")
    revision: str = pa.Field(description="git commit of the code, -dirty if it was changed")
    params: str = pa.Field(description="hash of params.yaml")
    data: str = pa.Field(description="hash of data.dvc")
    processor: str = pa.Field(description="what it ran on, as the operating system calls it")


@contract("night_means", stage="nights")
class NightMeans(Table):
    """A detector's held-out mean in a night, as the table means had it then."""

    night: pl.Int32 = pa.Field(ge=1, description=NIGHT)
    suite: str = pa.Field(description="means.suite")
    training_set: str = pa.Field(description="means.training_set")
    train_condition: str = pa.Field(description="means.train_condition")
    condition: str = pa.Field(description="means.condition")
    detector: str = pa.Field(description="means.detector")
    metric: str = pa.Field(isin=METRICS, description="means.metric: acc, ap")
    n_generators: pl.Int32 = pa.Field(ge=1, description="held-out generators")
    n_seeds: pl.Int32 = pa.Field(ge=1, description="trainings averaged")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="mean over seeds and held-out generators")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: lower end of 95 %")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: upper end of 95 %")


@contract("night_changes", stage="nights")
class NightChanges(Table):
    """Night minus the night that it was compared with, paired: of every detector with another score on any picture.

    Both are judged on the pictures that both scored.
    """

    night: pl.Int32 = pa.Field(ge=1, description=NIGHT)
    suite: str = pa.Field(description="means.suite")
    training_set: str = pa.Field(description="means.training_set")
    train_condition: str = pa.Field(description="means.train_condition")
    condition: str = pa.Field(description="means.condition")
    detector: str = pa.Field(description="means.detector")
    generator: str = pa.Field(nullable=True, description="a held-out one; null: the mean over all of them")
    metric: str = pa.Field(isin=METRICS, description="results.metric: acc, ap")
    difference: pl.Float64 = pa.Field(ge=-1, le=1, description="of the means over seeds")
    ci_low: pl.Float64 = pa.Field(ge=-1, le=1, description="images x seeds, lower end of the paired 95 %")
    ci_high: pl.Float64 = pa.Field(ge=-1, le=1, description="images x seeds, upper end of the paired 95 %")


@contract("night_findings", stage="nights")
class NightFindings(Table):
    """What a night found, each by a name that docs/nightly.md explains."""

    night: pl.Int32 = pa.Field(ge=1, description=NIGHT)
    finding: str = pa.Field(description="its name, such as regression or corpus-drift")
    blocks: bool = pa.Field(description="a night with such a finding is refused")
    subject: str = pa.Field(description="generator, detector, stage or package that it is about")
    detail: str = pa.Field(description="in words, with numbers")


@contract("night_stages", stage="nights")
class NightStages(Table):
    """What the stages took that ran in a night; those that had nothing to do are not here."""

    night: pl.Int32 = pa.Field(ge=1, description=NIGHT)
    stage: str = pa.Field(description="of dvc.yaml")
    seconds: pl.Float64 = pa.Field(ge=0, description="wall time")
    peak_memory_mb: pl.Float64 = pa.Field(ge=0, description="of its process")
    median_seconds: pl.Float64 = pa.Field(nullable=True, description="over earlier nights in which it ran; null if few")


@contract("night_decisions", stage="nights")
class NightDecisions(Table):
    """Which version is the published one, and since when: the last decision holds. Never changed once written."""

    decision: pl.Int32 = pa.Field(ge=1, unique=True, description="number, in order")
    decided_at: pl.Datetime = pa.Field(description="when, UTC")
    night: pl.Int32 = pa.Field(ge=1, description="whose version is published from now on")
    version: str = pa.Field(description="nights.version")
    action: str = pa.Field(isin=["accepted", "rolled back"], description="what was done")
    by: str = pa.Field(description="the night itself, or a person")
    why: str = pa.Field(description="in words")
