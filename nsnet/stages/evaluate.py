"""Stage evaluate: scores of every run, then results, means and differences with intervals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import polars as pl

from nsnet.core.device import best_device
from nsnet.core.environment import environment
from nsnet.core.files import atomic_path
from nsnet.core.foresight import Work
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section, load_value
from nsnet.evaluation.assessment import evaluate, foresee_scores, headline
from nsnet.evaluation.contracts import ExternalRuns
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.features.conditions import choose
from nsnet.features.settings import Backbone, Conditions
from nsnet.training.contracts import Runs

if TYPE_CHECKING:
    from nsnet.features.backbone import Backbone as Tower


def _tower(section: Backbone) -> Tower:
    from nsnet.features.backbone import load_backbone  # takes seconds, and few detectors need it

    return load_backbone(section, best_device())


def source_of(paths: Paths, settings: Evaluate, runs: pl.DataFrame) -> ScoringSource:
    """Where the inputs of runs come from.

    Args:
        paths: of the project.
        settings: section evaluate.
        runs: the table runs: validation splits are scored as they were trained on.

    Returns:
        The source; it loads no tower before a detector needs one.
    """
    conditions = load_value(paths.params, "conditions", Conditions)
    section = load_section(paths.params, "backbone", Backbone)
    names = [*settings.conditions, *runs["train_condition"].unique().sort()]
    known = {condition.name: condition for condition in choose(names, conditions)}
    return ScoringSource(paths, paths.data, known, lambda: _tower(section))


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do."""
    settings = load_section(paths.params, "evaluate", Evaluate)
    source = source_of(paths, settings, read_table(Runs, paths.table(Runs)))
    return [foresee_scores(paths, paths, settings, source)]


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "evaluate", Evaluate)
    runs = read_table(Runs, paths.table(Runs))
    with cost(paths.cost("evaluate")) as figures:
        figures["environment"] = environment(best_device())
        evaluation = evaluate(paths, paths, settings, source_of(paths, settings, runs))
        with atomic_path(paths.metrics) as temporary:
            temporary.write_text(json.dumps(headline(evaluation.means), indent=2) + "\n", encoding="utf-8")
    external = read_table(ExternalRuns, paths.table(ExternalRuns))["detector"].n_unique()
    scored = f"{runs.height} runs" + (f" and {external} external detectors" if external else "")
    print(f"evaluate: {scored} under {', '.join(settings.conditions)}, {evaluation.results.height} results")
