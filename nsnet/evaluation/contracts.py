"""The tables of scores and of what is made of them."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract
from nsnet.evaluation.metrics import METRICS
from nsnet.training.contracts import Runs

# runs.kind of a detector whose scores were imported, and the training set of one that stands beside none of ours.
EXTERNAL = "external"


@contract("external_runs", stage="evaluate")
class ExternalRuns(Runs):
    """One training of one detector on one training set, under one condition, with one seed.

    A detector of kind external was trained elsewhere and its scores imported: it has a row for each training set
    that it stands beside.
    """

    training_set: str = pa.Field(
        description="samples.training_set it was trained on; of an external detector the one it stands beside, and"
        " external where there is none"
    )
    seed: pl.Int32 = pa.Field(description="training seed; 0 of an external detector")
    kind: str = pa.Field(description="linear, cnn, published, external, or a kind of another package")
    view: str = pa.Field(description="what the detector looks at; unknown of an external one")
    params: str = pa.Field(
        description="resolved settings of the detector, JSON; of an external one version, scale of its scores and where"
        " they came from"
    )
    threshold: pl.Float64 = pa.Field(
        description="score of best balanced accuracy on the validation split; of an external detector the user's, or"
        " 0.5 where validation pictures have no scores"
    )
    validation_acc: pl.Float64 = pa.Field(
        nullable=True, ge=0, le=1, description="balanced accuracy on the validation split at 0.5; null without scores"
    )
    code_checksum: str = pa.Field(nullable=True, description="hash of the code that trained it; null if external")
    data_checksum: str = pa.Field(
        nullable=True, description="hash of the training and validation pictures with their labels; null if external"
    )
    device: str = pa.Field(nullable=True, description="device it was trained on: cpu or cuda; null if external")
    precision: str = pa.Field(
        nullable=True, description="precision it was trained in, as Lightning Fabric names it; null if external"
    )
    detector_sha256: str = pa.Field(
        nullable=True,
        description="sha256 of the detector's file, verified whenever it is loaded; of an external one as the user"
        " says, or null",
    )


@contract("predictions", stage="evaluate")
class Predictions(Table):
    """Score of one run for one image of the test split, or of its training set's validation split."""

    run_id: str = pa.Field(description="runs.run_id")
    image_id: str = pa.Field(description="images.image_id")
    condition: str = pa.Field(description="condition the picture was shown under")
    split: str = pa.Field(isin=["validation", "test"], description="samples.split")
    score: pl.Float64 = pa.Field(ge=0, le=1, description="probability of fake; at 0.5 or above called fake")


@contract("results", stage="evaluate")
class Results(Table):
    """One metric of one run (one seed) on one generator; the interval is over images."""

    run_id: str = pa.Field(description="runs.run_id")
    suite: str = pa.Field(description="samples.suite")
    generator: str = pa.Field(description="samples.generator")
    family: str = pa.Field(description="samples.family")
    in_domain: bool = pa.Field(description="the run's training set holds the generator")
    condition: str = pa.Field(description="predictions.condition")
    metric: str = pa.Field(
        isin=METRICS,
        description="acc (mean of r_acc and f_acc at 0.5), ap (classes weigh the same), auroc, acc_validation (at"
        " runs.threshold), plain_acc and plain_ap (images weigh the same, as published)",
    )
    value: pl.Float64 = pa.Field(ge=0, le=1, description="the metric on all images")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval over images")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval over images")
    n_real: pl.Int32 = pa.Field(ge=1, description="reals in the pool")
    n_fake: pl.Int32 = pa.Field(ge=1, description="fakes of the generator")
    code_checksum: str = pa.Field(description="hash of the code that evaluated it")
    data_checksum: str = pa.Field(description="hash of the test pictures with their labels and pools")
    backbone_id: str = pa.Field(description="runs.backbone_id")


@contract("means", stage="evaluate")
class Means(Table):
    """A detector's metric, averaged over its seeds and over a group of generators, with two intervals."""

    training_set: str = pa.Field(description="runs.training_set")
    train_condition: str = pa.Field(description="runs.train_condition")
    detector: str = pa.Field(description="runs.detector")
    suite: str = pa.Field(description="samples.suite, or a protocol over several suites")
    condition: str = pa.Field(description="predictions.condition")
    group: str = pa.Field(
        description="held-out, in-domain, family:NAME (held-out generators of that family) or generator:SUITE/NAME"
    )
    metric: str = pa.Field(isin=METRICS, description="as in results")
    n_generators: pl.Int32 = pa.Field(ge=1, description="generators in the group, equal weights")
    n_seeds: pl.Int32 = pa.Field(ge=1, description="trainings averaged; with one, no interval includes seeds")
    value: pl.Float64 = pa.Field(ge=0, le=1, description="mean over seeds and the group's generators")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: images x seeds, lower end of 95 %")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: images x seeds, upper end of 95 %")
    population_low: pl.Float64 = pa.Field(
        nullable=True, description="another generator: generators x seeds x images, lower end; null below 3 generators"
    )
    population_high: pl.Float64 = pa.Field(nullable=True, description="another generator: upper end of 95 %")


@contract("paired_differences", stage="evaluate")
class Differences(Table):
    """Detector minus reference on the same images, seeds and generators: paired, with both intervals.

    Every two detectors of one training set, in either order; the view `differences` adds what they say.
    """

    training_set: str = pa.Field(description="means.training_set")
    train_condition: str = pa.Field(description="means.train_condition")
    suite: str = pa.Field(description="means.suite")
    condition: str = pa.Field(description="means.condition")
    group: str = pa.Field(description="held-out or in-domain")
    metric: str = pa.Field(isin=METRICS, description="as in results")
    detector: str = pa.Field(description="means.detector")
    reference: str = pa.Field(description="the detector it is compared with")
    n_generators: pl.Int32 = pa.Field(ge=1, description="generators in the group, equal weights")
    difference: pl.Float64 = pa.Field(description="mean of the detector minus mean of the reference")
    ci_low: pl.Float64 = pa.Field(description="this benchmark again: images x seeds, lower end of the paired 95 %")
    ci_high: pl.Float64 = pa.Field(description="this benchmark again: images x seeds, upper end of the paired 95 %")
    population_low: pl.Float64 = pa.Field(nullable=True, description="another generator: lower end of the paired 95 %")
    population_high: pl.Float64 = pa.Field(nullable=True, description="another generator: upper end of the paired 95 %")
