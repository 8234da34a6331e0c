"""Cards: what a detector was trained on, how it did, what it is for, and under which terms.

All of a card is derived: from the detector's row of the table runs, the project's tables samples and means, the
registry of suites and the backbone record. Beside an exported detector lies what the row alone does not say (`Facts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import polars as pl
from pydantic import Field

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.printing import markdown_table
from nsnet.core.settings import Section
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contracts import Means
from nsnet.prediction.licences import terms
from nsnet.training.sets import Pictures, training_sets

GROUPS, METRICS = ("held-out", "in-domain"), ("acc", "ap", "auroc")
# By world (nsnet.core.origin): what a detector is for, and what it is not.
USES = {
    "LAB": (
        "Trying the pipeline, and comparing methods under controlled conditions.",
        "It knows simulated generators and rendered scenes only, and says nothing of real pictures.",
    ),
    "REAL": (
        "Research: comparing detectors, and ranking pictures like those it was trained on for a person to look at.",
        "Other generators, contents, sizes or re-delivery than it was tested on may mislead it; a score is no proof"
        " about a single picture, and must not be the ground of a decision about a person.",
    ),
    "REAL-SMALL": (
        "Research: what shifts of generator, content and files do to a detector.",
        "It was trained on some hundred pictures with a small tower; a score says nothing about a single picture.",
    ),
    "MIXED": (
        "Research on the pipeline itself.",
        "Simulated pictures stand beside real ones: its numbers are no benchmark, and say little of real pictures.",
    ),
}
NO_USE = ("None.", "What it says has no meaning: read the line on its world above.")


class Counts(Section):
    """Pictures of a split, each once."""

    real: int
    fake: int


class TrainingData(Section):
    """What a detector was trained on; generators are suite/name of its fakes."""

    suites: list[str]
    generators: list[str]
    train: Counts
    validation: Counts


class Metric(Section):
    """A row of the table means, of this detector."""

    suite: str
    condition: str
    group: str
    metric: str
    n_generators: int
    n_seeds: int
    value: float
    ci_low: float
    ci_high: float
    population_low: float | None
    population_high: float | None


class Facts(Section):
    """What travels with a detector's file, beside its row of the table runs.

    Attributes:
        training: None where the tables at hand are of other pictures.
        metrics: over all seeds of the detector, as the leaderboard has them.
        golden: scores of nsnet.prediction.golden; None where none were pinned.
    """

    training: TrainingData | None = None
    metrics: list[Metric] = Field(default_factory=list)
    golden: list[float] | None = None


def project_facts(paths: Paths, run: Mapping[str, Any]) -> Facts:
    """What a project's tables say of one of its runs.

    Args:
        paths: of the project; tables that are not there say nothing.
        run: row of its table runs.

    Returns:
        The facts, without golden scores.
    """
    return Facts(training=_training(paths, run), metrics=_metrics(paths, run))


def _training(paths: Paths, run: Mapping[str, Any]) -> TrainingData | None:
    if not paths.table(Samples).exists():
        return None
    samples = read_table(Samples, paths.table(Samples)).filter(training_set=run["training_set"])
    known = {one.checksum: one for one in (training_sets(samples) if samples.height else [])}
    pictures = known.get(run["data_checksum"])
    if pictures is None:
        return None
    mine = samples.filter(pl.col("draw").eq_missing(pictures.draw), pl.col("split") != "test", label=1)
    names = ["/".join(row) for row in mine.select("suite", "generator").unique().sort(pl.all()).iter_rows()]
    return TrainingData(
        suites=list(pictures.suites),
        generators=names,
        train=_counts(pictures.train),
        validation=_counts(pictures.validation),
    )


def _counts(pictures: Pictures) -> Counts:
    fakes = sum(pictures.labels)
    return Counts(real=len(pictures.labels) - fakes, fake=fakes)


def _metrics(paths: Paths, run: Mapping[str, Any]) -> list[Metric]:
    if not paths.table(Means).exists():
        return []
    rows = read_table(Means, paths.table(Means)).filter(
        pl.col("group").is_in(GROUPS),
        pl.col("metric").is_in(METRICS),
        **{name: run[name] for name in ("detector", "training_set", "train_condition")},
    )
    ordered = rows.sort("suite", "condition", "group", "metric").select(list(Metric.model_fields))
    return [Metric(**row) for row in ordered.iter_rows(named=True)]


def card(run: Mapping[str, Any], facts: Facts) -> str:
    """A card as Markdown.

    Args:
        run: the detector's row of the table runs.
        facts: what else is known of it.

    Returns:
        Title and sections, each line ended.
    """
    purpose, limits = USES.get(run["origin"].partition(":")[0], NO_USE)
    parts = [
        f"# {run['detector']}, trained on {run['training_set']}, {run['train_condition']}, seed {run['seed']}\n",
        f"{run['origin']}\n",
        f"## Intended use\n\n{purpose}\n",
        f"## Limits\n\n{limits}\n",
        f"## Training data\n\n{_trained_on(run, facts.training)}",
        f"## Metrics\n\n{_measured(run, facts.metrics)}",
        f"## Licences\n\n{_licences(run, facts.training)}",
        f"## The detector\n\n{_made(run, facts.golden)}",
    ]
    return "\n".join(parts)


def _trained_on(run: Mapping[str, Any], training: TrainingData | None) -> str:
    checksum = f"- checksum: {run['data_checksum']}\n"
    if training is None:
        return f"- not known here: no tables of these pictures\n{checksum}"
    counts = (f"{name} {one.real} real, {one.fake} fake" for name, one in _splits(training).items())
    return (
        f"- suites: {', '.join(training.suites)}\n"
        f"- generators: {', '.join(training.generators)}\n"
        f"- pictures: {'; '.join(counts)}\n{checksum}"
    )


def _splits(training: TrainingData) -> dict[str, Counts]:
    return {"train": training.train, "validation": training.validation}


def _measured(run: Mapping[str, Any], metrics: list[Metric]) -> str:
    own = (
        f"Balanced accuracy on its validation split at 0.5: {run['validation_acc']:.3f}; threshold chosen there:"
        f" {run['threshold']:.4g}.\n"
    )
    if not metrics:
        return own
    shown = pl.DataFrame(
        {
            **{name: getattr(metric, name) for name in ("suite", "condition", "group", "metric", "value")},
            "this benchmark again": _ends(metric.ci_low, metric.ci_high),
            "another generator": _ends(metric.population_low, metric.population_high),
            **{name: getattr(metric, name) for name in ("n_generators", "n_seeds")},
        }
        for metric in metrics
    )
    return f"Means over generators and training seeds, with two 95 % intervals.\n\n{markdown_table(shown)}\n{own}"


def _ends(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:.3f}..{high:.3f}"


def _licences(run: Mapping[str, Any], training: TrainingData | None) -> str:
    found = terms(run, training.suites if training else None)
    lines = [f"- {part}: {licence}\n" for part, licence in found.licences.items()]
    verdict = "true" if found.commercial_ok else f"false ({'; '.join(found.reasons)})"
    return "".join([*lines, f"- commercial_ok: {verdict}\n"])


def _made(run: Mapping[str, Any], golden: list[float] | None) -> str:
    pinned = ", ".join(f"{score:.4g}" for score in golden) if golden else "none pinned"
    facts = {
        "run": run["run_id"],
        "kind": f"{run['kind']}, view {run['view']}, null space {run['null_space']}",
        "backbone": f"{json.loads(run['backbone'])['model']} ({run['backbone_id']})",
        "sha256": run["detector_sha256"],
        "code": run["code_checksum"],
        "golden scores": pinned,
    }
    return "".join(f"- {name}: {value}\n" for name, value in facts.items())
