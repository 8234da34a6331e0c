"""An evaluation as a whole: runs of one project on the corpus of another, or its own."""

from __future__ import annotations

import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.core.provenance import code_checksum, digest
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contests import Contest, contests_of
from nsnet.evaluation.contracts import Differences, FlipRate, Means, Predictions, RealSources, Results
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.flips import flip_rates
from nsnet.evaluation.scores import CODE, keep_evaluations, score_runs, score_tasks
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.training.contracts import Runs

PARTS = (*CODE, "corpus/pairings.py", "evaluation", "suites")


def evaluate(paths: Paths, trained: Paths, settings: Evaluate, source: ScoringSource) -> Evaluation:
    """Score, compute and write predictions and all that is made of them, of the corpus in `paths`.

    Args:
        paths: project whose test pictures are scored and whose tables are written.
        trained: project whose runs score them; validation splits count if it is the same one.
        settings: section evaluate.
        source: features and pixels of the corpus.

    Returns:
        What is made of the predictions, as written.

    Raises:
        ValueError: no fakes to test, pools without reals, missing inputs, or a damaged detector.
    """
    runs = read_table(Runs, trained.table(Runs))
    samples = read_table(Samples, paths.table(Samples))
    contests = contests_of(samples)
    own = paths == trained
    exams = Exams(contests, trained_pictures(samples) if own else {})
    tasks = score_tasks(runs, exams, settings.conditions)
    with bar("score", len(tasks)) as advance:
        predictions = score_runs(tasks, source, trained.detectors, paths.run_store, advance)
    provenance = {"code_checksum": evaluation_checksum(settings), "data_checksum": pictures_checksum(contests)}
    with bar("evaluate", runs.height * len(settings.conditions)) as advance:
        evaluation = evaluate_runs(runs, exams, predictions, settings, provenance, advance)
    for kind, frame in (
        (Predictions, predictions),
        (Results, evaluation.results),
        (Means, evaluation.means),
        (Differences, evaluation.differences),
        (RealSources, evaluation.real_sources),
        (FlipRate, flip_rates(runs, exams, predictions, settings)),
    ):
        write_table(kind, frame, paths.table(kind))
    if own:
        kept = ((Predictions, predictions), (Results, evaluation.results))
        keep_evaluations(paths.run_store, [(table_name(kind), frame) for kind, frame in kept])
    return evaluation


def evaluation_checksum(settings: Evaluate) -> str:
    """Of the code and the settings that results come from; what the leaderboard shows changes none."""
    return digest([code_checksum(*PARTS), settings.bootstrap, settings.seed])


def pictures_checksum(contests: list[Contest]) -> str:
    """Of the test pictures with their labels and pools, and of what else is known of them."""
    parts = []
    for contest in contests:
        pair = contest.pairing
        # What is null everywhere has no part: the name stays that of corpora without it.
        more = {"real": pair.real_clusters, "fake": pair.fake_clusters, "source": pair.real_sources}
        known = {name: values for name, values in more.items() if any(values)}
        parts.append([*contest.pool, pair.generator, pair.real, pair.fake, *([known] if known else [])])
    return digest(parts)


def headline(means: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Held-out means by suite, condition, training set and detector, for `dvc metrics`: four digits."""
    place = ["suite", "condition", "training_set", "train_condition", "detector"]
    rows = means.filter(group="held-out").sort(*place, "metric")
    figures: dict[str, dict[str, float]] = {}
    for *names, metric, value in rows.select(*place, "metric", "value").iter_rows():
        figures.setdefault("/".join(names), {})[metric] = round(value, 4)
    return figures
