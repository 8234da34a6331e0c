"""Stage evaluate: scores of every run, then results, means and differences with intervals."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from nsnet.core.device import best_device
from nsnet.core.environment import environment
from nsnet.core.files import atomic_path
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import cost
from nsnet.core.settings import load_section, load_value
from nsnet.evaluation.assessment import evaluate, headline
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


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "evaluate", Evaluate)
    conditions = load_value(paths.params, "conditions", Conditions)
    section = load_section(paths.params, "backbone", Backbone)
    runs = read_table(Runs, paths.table(Runs))
    # Validation splits are scored as they were trained on.
    names = [*settings.conditions, *runs["train_condition"].unique().sort()]
    known = {condition.name: condition for condition in choose(names, conditions)}
    with cost(paths.cost("evaluate")) as figures:
        figures["environment"] = environment(best_device())
        source = ScoringSource(paths, paths.data, known, lambda: _tower(section))
        evaluation = evaluate(paths, paths, settings, source)
        with atomic_path(paths.metrics) as temporary:
            temporary.write_text(json.dumps(headline(evaluation.means), indent=2) + "\n", encoding="utf-8")
    external = read_table(ExternalRuns, paths.table(ExternalRuns))["detector"].n_unique()
    scored = f"{runs.height} runs" + (f" and {external} external detectors" if external else "")
    print(f"evaluate: {scored} under {', '.join(settings.conditions)}, {evaluation.results.height} results")
