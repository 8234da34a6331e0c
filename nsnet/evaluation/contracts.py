"""The tables of scores and of what is made of them."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract
from nsnet.features.contracts import CONDITIONS

METRICS = ("acc", "r_acc", "f_acc", "ap")


@contract("predictions", stage="evaluate")
class Predictions(Table):
    """Score of one run for one image, prepared as the run's training pictures were."""

    run_id: str = pa.Field(description="runs.run_id")
    image_id: str = pa.Field(description="images.image_id")
    condition: str = pa.Field(isin=CONDITIONS, description="runs.condition")
    score: pl.Float64 = pa.Field(ge=0, le=1, description="probability of fake; at 0.5 or above called fake")


@contract("results", stage="evaluate")
class Results(Table):
    """One metric of one run on one generator, with a stratified bootstrap interval."""

    run_id: str = pa.Field(description="runs.run_id")
    suite: str = pa.Field(description="samples.suite")
    generator: str = pa.Field(description="samples.generator")
    family: str = pa.Field(description="samples.family")
    in_domain: bool = pa.Field(description="the run's training set holds the generator")
    condition: str = pa.Field(description="predictions.condition")
    metric: str = pa.Field(isin=METRICS, description="acc, r_acc, f_acc at threshold 0.5, or ap")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="the metric on all images")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval")
    n_real: pl.Int32 = pa.Field(ge=1, description="reals in the pool")
    n_fake: pl.Int32 = pa.Field(ge=1, description="fakes of the generator")
    git_revision: str = pa.Field(description="commit that evaluated it")
    data_checksum: str = pa.Field(description="hash of the samples table it was tested on")
    backbone_id: str = pa.Field(description="runs.backbone_id")


@contract("means", stage="evaluate")
class Means(Table):
    """Plain mean of a metric over a group of generators, and its paired difference to the baseline."""

    run_id: str = pa.Field(description="runs.run_id")
    suite: str = pa.Field(description="samples.suite, or a protocol over several suites")
    condition: str = pa.Field(description="predictions.condition")
    group: str = pa.Field(description="held-out, in-domain, or family:NAME (held-out generators of that family)")
    metric: str = pa.Field(isin=METRICS, description="as in results")
    n_generators: pl.Int32 = pa.Field(ge=1, description="generators in the group, equal weights")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="mean over the group's generators")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval")
    baseline: str = pa.Field(description="detector compared with, trained on the same training set")
    difference: pl.Float64 = pa.Field(description="value minus the baseline's, on the same images")
    difference_low: pl.Float64 = pa.Field(description="lower end of the paired 95 % interval")
    difference_high: pl.Float64 = pa.Field(description="upper end of the paired 95 % interval")
