"""An evaluation as a whole: runs of one project on the corpus of another, or its own."""

from __future__ import annotations

import polars as pl

from nsnet.core.contracts import Table, table_name
from nsnet.core.foresight import Work
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.core.provenance import code_checksum, digest
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contests import Contest, contests_of
from nsnet.evaluation.contracts import (
    ConditionShifts,
    Differences,
    ExternalRuns,
    FlipRate,
    Means,
    Predictions,
    RealSources,
    Results,
)
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.external import external_detectors
from nsnet.evaluation.flips import flip_rates
from nsnet.evaluation.metrics import ORACLE
from nsnet.evaluation.score_store import ScoreStore
from nsnet.evaluation.scores import CODE, keep_evaluations, score_files, score_runs, score_tasks
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.training.contracts import Runs

PARTS = (*CODE, "corpus/pairings.py", "evaluation", "suites")


def evaluate(paths: Paths, trained: Paths, settings: Evaluate, source: ScoringSource) -> Evaluation:
    """Score, compute and write predictions and all that is made of them, of the corpus in `paths`.

    External detectors, whose scores were imported into `paths`, stand beside the runs.

    Args:
        paths: project whose test pictures are scored and whose tables are written.
        trained: project whose runs score them; validation splits count if it is the same one.
        settings: section evaluate.
        source: features and pixels of the corpus.

    Returns:
        What is made of the predictions, as written.

    Raises:
        ValueError: no fakes to test, pools without reals, missing inputs, a damaged detector, or imported scores
            that do not fit.
    """
    runs = read_table(Runs, trained.table(Runs))
    samples = read_table(Samples, paths.table(Samples))
    contests = contests_of(samples)
    own = paths == trained
    exams = Exams(contests, trained_pictures(samples) if own else {})
    # Before any scoring: what was imported may be refused.
    external = external_detectors(ScoreStore(paths.scores), runs, samples, exams, settings.conditions)
    tasks = score_tasks(runs, exams, settings.conditions)
    with bar("score", len(tasks)) as advance:
        scored = score_runs(tasks, source, trained.detectors, paths.run_store, advance)
    predictions = pl.concat([scored, external.predictions])
    everyone = pl.concat([runs, external.runs])
    provenance = {"code_checksum": evaluation_checksum(settings), "data_checksum": pictures_checksum(contests)}
    with bar("evaluate", everyone.height * len(settings.conditions)) as advance:
        evaluation = evaluate_runs(everyone, exams, predictions, settings, provenance, advance)
    flips = flip_rates(everyone, exams, predictions, settings)
    scores: tuple[tuple[type[Table], pl.DataFrame], ...] = ((ExternalRuns, external.runs), (Predictions, predictions))
    for kind, frame in (*scores, *tables_of(evaluation, flips)):
        write_table(kind, frame, paths.table(kind))
    if own:
        results = evaluation.results.join(runs.select("run_id"), on="run_id", how="semi", maintain_order="left")
        kept = ((Predictions, scored), (Results, results))
        keep_evaluations(paths.run_store, [(table_name(kind), frame) for kind, frame in kept])
    return evaluation


def foresee_scores(paths: Paths, trained: Paths, settings: Evaluate, source: ScoringSource) -> Work:
    """What `evaluate` would score; statistics come on top, of all scores, known or not.

    Args:
        paths, trained, settings, source: as there.

    Returns:
        Scores of a picture by a run, and those of them that are kept.
    """
    samples = read_table(Samples, paths.table(Samples))
    exams = Exams(contests_of(samples), trained_pictures(samples) if paths == trained else {})
    tasks = score_tasks(read_table(Runs, trained.table(Runs)), exams, settings.conditions)
    sizes = [len(task.pictures) for task in tasks]
    files = score_files(tasks, source, paths.run_store)
    known = sum(size for size, file in zip(sizes, files, strict=True) if file.exists())
    return Work("scores to compute, of a picture by a run each", sum(sizes), known)


def tables_of(evaluation: Evaluation, flips: pl.DataFrame) -> tuple[tuple[type[Table], pl.DataFrame], ...]:
    """What is made of predictions, by contract.

    Args:
        evaluation: from `evaluate_runs`.
        flips: from `flip_rates`.

    Returns:
        Contracts and their tables.
    """
    return (
        (Results, evaluation.results),
        (Means, evaluation.means),
        (Differences, evaluation.differences),
        (ConditionShifts, evaluation.shifts),
        (RealSources, evaluation.real_sources),
        (FlipRate, flips),
    )


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
    """Held-out means by suite, condition, training set and detector, for `dvc metrics`: four digits.

    Without accuracies at thresholds chosen on the test pictures: what nobody can reach is no headline.
    """
    place = ["suite", "condition", "training_set", "train_condition", "detector"]
    rows = means.filter(pl.col("metric") != ORACLE, group="held-out").sort(*place, "metric")
    figures: dict[str, dict[str, float]] = {}
    for *names, metric, value in rows.select(*place, "metric", "value").iter_rows():
        figures.setdefault("/".join(names), {})[metric] = round(value, 4)
    return figures
