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


CLUSTERS = "independent units among {}: their clusters, and those in none; null where none is in a cluster"


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
        " runs.threshold), plain_acc and plain_ap (images weigh the same, as published), tpr_at_1_percent and"
        " tpr_at_5_percent (fakes caught where at most that share of the pool is called fake),"
        " precision_at_1_percent (share of right alarms at 0.5 where one picture in a hundred is fake; 0 without an"
        " alarm), ece and ece_scaled (expected calibration error, 15 bins, classes weigh the same; of the scores, and"
        " of scores scaled by runs.temperature), acc_oracle (acc at the threshold that is best on these very test"
        " pictures, another for every run and generator: an upper bound nobody can use; papers sometimes report it as"
        " acc)",
    )
    value: pl.Float64 = pa.Field(ge=0, le=1, description="the metric on all images")
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="lower end of the 95 % interval over images")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="upper end of the 95 % interval over images")
    n_real: pl.Int32 = pa.Field(ge=1, description="reals in the pool")
    n_fake: pl.Int32 = pa.Field(ge=1, description="fakes of the generator")
    n_clusters: pl.Int32 = pa.Field(nullable=True, ge=1, description=CLUSTERS.format("fakes"))
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
    n_clusters: pl.Int32 = pa.Field(nullable=True, ge=1, description=CLUSTERS.format("the group's fakes"))
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


@contract("condition_shifts", stage="evaluate")
class ConditionShifts(Table):
    """What a condition costs a detector, or training on it gains: paired on the same pictures, seeds and generators.

    The view `robustness` sets it beside the figures themselves.
    """

    training_set: str = pa.Field(description="means.training_set")
    train_condition: str = pa.Field(description="means.train_condition")
    suite: str = pa.Field(description="means.suite")
    condition: str = pa.Field(description="means.condition, any but clean")
    group: str = pa.Field(description="held-out")
    metric: str = pa.Field(isin=["acc", "ap", "auroc"], description="as in results")
    detector: str = pa.Field(description="means.detector")
    comparison: str = pa.Field(
        isin=["delivered", "matched"],
        description="delivered: minus the same runs on the pictures as they are; matched: minus runs trained on"
        " pictures as they are, under the same condition",
    )
    n_generators: pl.Int32 = pa.Field(ge=1, description="generators in the group, equal weights")
    difference: pl.Float64 = pa.Field(description="mean of the detector minus what it is compared with")
    ci_low: pl.Float64 = pa.Field(description="this benchmark again: images x seeds, lower end of the paired 95 %")
    ci_high: pl.Float64 = pa.Field(description="this benchmark again: images x seeds, upper end of the paired 95 %")
    population_low: pl.Float64 = pa.Field(nullable=True, description="another generator: lower end of the paired 95 %")
    population_high: pl.Float64 = pa.Field(nullable=True, description="another generator: upper end of the paired 95 %")


@contract("real_sources", stage="evaluate")
class RealSources(Table):
    """R.Acc of a detector on one source of the reals of a pool, mean over seeds, with intervals over images x seeds.

    A detector may call all of one source fake, which R.Acc over all of them hides.
    """

    training_set: str = pa.Field(description="runs.training_set")
    train_condition: str = pa.Field(description="runs.train_condition")
    suite: str = pa.Field(description="samples.suite")
    condition: str = pa.Field(description="predictions.condition")
    real_pool: str = pa.Field(description="samples.real_pool")
    source: str = pa.Field(description="samples.source; the pool's name where pictures have none")
    detector: str = pa.Field(description="runs.detector")
    n_real: pl.Int32 = pa.Field(ge=1, description="reals of the source")
    n_clusters: pl.Int32 = pa.Field(nullable=True, ge=1, description=CLUSTERS.format("them"))
    n_seeds: pl.Int32 = pa.Field(ge=1, description="trainings averaged; with one, no interval includes seeds")
    r_acc: pl.Float64 = pa.Field(ge=0, le=1, description="share called real at 0.5")
    r_acc_low: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: lower end of 95 %")
    r_acc_high: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: upper end of 95 %")
    r_acc_validation: pl.Float64 = pa.Field(ge=0, le=1, description="share called real at each run's threshold")
    r_acc_validation_low: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: lower end of 95 %")
    r_acc_validation_high: pl.Float64 = pa.Field(ge=0, le=1, description="this benchmark again: upper end of 95 %")


@contract("flip_rate", stage="evaluate")
class FlipRate(Table):
    """Share of test pictures whose decision under a condition is not that on the same pictures as they are.

    Decisions are those of each run at its own threshold; pictures weigh the same. The view
    `flip_rates` lays the main ones side by side.
    """

    training_set: str = pa.Field(description="means.training_set")
    train_condition: str = pa.Field(description="means.train_condition")
    detector: str = pa.Field(description="means.detector")
    suite: str = pa.Field(description="samples.suite")
    condition: str = pa.Field(description="predictions.condition, any but clean")
    label: str = pa.Field(isin=["real", "fake", "all"], description="whose pictures: reals, fakes or both")
    flip: str = pa.Field(
        isin=["real->fake", "fake->real", "any"], description="decision on the picture as it is, and what became of it"
    )
    n: pl.Int32 = pa.Field(ge=1, description="test pictures with that label that the detector is judged on")
    n_clusters: pl.Int32 = pa.Field(nullable=True, ge=1, description=CLUSTERS.format("the side that has fewest"))
    n_seeds: pl.Int32 = pa.Field(ge=1, description="trainings averaged; with one, no interval includes seeds")
    value: pl.Float64 = pa.Field(
        ge=0, le=1, description="share that flips so, mean over seeds; pictures weigh the same"
    )
    ci_low: pl.Float64 = pa.Field(ge=0, le=1, description="images x seeds, paired, lower end of 95 %")
    ci_high: pl.Float64 = pa.Field(ge=0, le=1, description="images x seeds, paired, upper end of 95 %")
