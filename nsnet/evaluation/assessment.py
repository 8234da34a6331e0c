"""An evaluation as a whole: runs of one project on the corpus of another, or its own."""

from __future__ import annotations

import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.core.provenance import code_checksum, digest
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contests import Contest, contests_of, pictures_of
from nsnet.evaluation.contracts import Differences, ExternalRuns, Means, Predictions, Results
from nsnet.evaluation.external import external_detectors
from nsnet.evaluation.score_store import ScoreStore
from nsnet.evaluation.scores import CODE, keep_evaluations, score_runs
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.training.contracts import Runs

PARTS = (*CODE, "corpus/pairings.py", "evaluation", "suites")


def evaluate(paths: Paths, trained: Paths, settings: Evaluate, source: ScoringSource) -> Evaluation:
    """Score, compute and write predictions, results, means and paired_differences of the corpus in `paths`.

    External detectors, whose scores were imported into `paths`, stand beside the runs.

    Args:
        paths: project whose test pictures are scored and whose tables are written.
        trained: project whose runs score them; validation splits count if it is the same one.
        settings: section evaluate.
        source: features and pixels of the corpus.

    Returns:
        The four tables, as written.

    Raises:
        ValueError: no fakes to test, pools without reals, missing inputs, a damaged detector, or imported scores
            that do not fit.
    """
    runs = read_table(Runs, trained.table(Runs))
    samples = read_table(Samples, paths.table(Samples))
    contests = contests_of(samples)
    tested = pictures_of(contests)
    own = paths == trained
    validation = validation_images(samples) if own else {}
    # Before any scoring: what was imported may be refused.
    external = external_detectors(ScoreStore(paths.scores), runs, samples, tested, validation, settings.conditions)
    sets = runs.height * len(settings.conditions) + runs.filter(pl.col("training_set").is_in(list(validation))).height
    with bar("score", sets) as advance:
        scored = score_runs(
            runs, tested, validation, settings.conditions, source, trained.detectors, paths.run_store, advance
        )
    predictions = pl.concat([scored, external.predictions])
    everyone = pl.concat([runs, external.runs])
    provenance = {"code_checksum": evaluation_checksum(settings), "data_checksum": pictures_checksum(contests)}
    with bar("evaluate", everyone.height * len(settings.conditions)) as advance:
        evaluation = evaluate_runs(everyone, contests, predictions, settings, provenance, advance)
    for kind, frame in (
        (ExternalRuns, external.runs),
        (Predictions, predictions),
        (Results, evaluation.results),
        (Means, evaluation.means),
        (Differences, evaluation.differences),
    ):
        write_table(kind, frame, paths.table(kind))
    if own:
        results = evaluation.results.join(runs.select("run_id"), on="run_id", how="semi", maintain_order="left")
        kept = ((Predictions, scored), (Results, results))
        keep_evaluations(paths.run_store, [(table_name(kind), frame) for kind, frame in kept])
    return evaluation


def validation_images(samples: pl.DataFrame) -> dict[str, list[str]]:
    """Training set to image_id of its validation split, each picture once, in order."""
    rows = samples.filter(pl.col("training_set").is_not_null(), split="validation")
    return {
        str(name): part["image_id"].unique().sort().to_list()
        for (name,), part in rows.partition_by("training_set", as_dict=True).items()
    }


def evaluation_checksum(settings: Evaluate) -> str:
    """Of the code and the settings that results come from; what the leaderboard shows changes none."""
    return digest([code_checksum(*PARTS), settings.bootstrap, settings.seed])


def pictures_checksum(contests: list[Contest]) -> str:
    """Of the test pictures with their labels and pools."""
    return digest(
        [[*contest.pool, contest.pairing.generator, contest.pairing.real, contest.pairing.fake] for contest in contests]
    )


def headline(means: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Held-out means by suite, condition, training set and detector, for `dvc metrics`: four digits."""
    place = ["suite", "condition", "training_set", "train_condition", "detector"]
    rows = means.filter(group="held-out").sort(*place, "metric")
    figures: dict[str, dict[str, float]] = {}
    for *names, metric, value in rows.select(*place, "metric", "value").iter_rows():
        figures.setdefault("/".join(names), {})[metric] = round(value, 4)
    return figures
