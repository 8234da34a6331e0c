"""An evaluation once more, beside what is kept of it: tables from predictions, predictions from weights."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.names import unknown
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.assessment import pictures_checksum, tables_of
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.contracts import ExternalRuns, Predictions, Results
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.flips import flip_rates
from nsnet.evaluation.scores import score_runs, score_tasks
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.sources import ScoringSource
from nsnet.evaluation.statistics import evaluate_runs
from nsnet.training.contracts import Runs


def recomputed_tables(paths: Paths, settings: Evaluate) -> Iterator[tuple[str, int, str]]:
    """Compute every table of an evaluation again from the predictions.

    Args:
        paths: project.
        settings: section evaluate.

    Yields:
        Name of a table, its number of rows, and how it first differs from the kept one: nothing if it does not.

    Raises:
        FileNotFoundError: a table has not been made.
        ValueError: predictions are missing.
    """
    samples = read_table(Samples, paths.table(Samples))
    contests = contests_of(samples)
    everyone = pl.concat([read_table(kind, paths.table(kind)) for kind in (Runs, ExternalRuns)])
    predictions = read_table(Predictions, paths.table(Predictions))
    # Figures are compared, not the name of the code that made them; that of the pictures is.
    code = read_table(Results, paths.table(Results))["code_checksum"][0]
    provenance = {"code_checksum": str(code), "data_checksum": pictures_checksum(contests)}
    exams = Exams(contests, trained_pictures(samples))
    with bar("evaluate", everyone.height * len(settings.conditions)) as advance:
        evaluation = evaluate_runs(everyone, exams, predictions, settings, provenance, advance)
    flips = flip_rates(everyone, exams, predictions, settings)
    for kind, frame in tables_of(evaluation, flips):
        yield table_name(kind), frame.height, first_difference(read_table(kind, paths.table(kind)), frame)


def chosen_runs(paths: Paths, asked: str | None, limit: int | None = None) -> pl.DataFrame:
    """The runs of a project that are meant.

    Args:
        paths: project.
        asked: a run's id, or a detector: all of its runs; None for all of them.
        limit: the first so many at most.

    Returns:
        Rows of the table runs, by id.

    Raises:
        FileNotFoundError: the table has not been made.
        ValueError: there is no such run or detector, with near names.
    """
    runs = read_table(Runs, paths.table(Runs)).sort("run_id")
    chosen = runs if asked is None else runs.filter((pl.col("run_id") == asked) | (pl.col("detector") == asked))
    if asked is not None and chosen.is_empty():
        raise unknown("run or detector", asked, [*runs["detector"].unique().sort(), *runs["run_id"]])
    return chosen.head(limit or chosen.height)


def recomputed_predictions(
    paths: Paths, settings: Evaluate, source: ScoringSource, asked: str, limit: int | None = None
) -> Iterator[tuple[str, int, str]]:
    """Score pictures again from features or pixels and the detectors' weights, taking no score that was kept.

    Args:
        paths: project.
        settings: section evaluate.
        source: where pictures' inputs come from.
        asked, limit: as for `chosen_runs`.

    Yields:
        Id of a run, its number of predictions, and how they first differ from the kept ones: nothing if they do not.

    Raises:
        FileNotFoundError: a table has not been made.
        ValueError: there is no such run or detector, with near names; a damaged detector, or missing inputs.
    """
    chosen = chosen_runs(paths, asked, limit)
    samples = read_table(Samples, paths.table(Samples))
    exams = Exams(contests_of(samples), trained_pictures(samples))
    kept = read_table(Predictions, paths.table(Predictions))
    for (run_id,), run in chosen.partition_by("run_id", as_dict=True, maintain_order=True).items():
        with tempfile.TemporaryDirectory() as nothing_kept:
            tasks = score_tasks(run, exams, settings.conditions)
            scored = score_runs(tasks, source, paths.detectors, Path(nothing_kept))
        both = (one.sort("split", "condition", "image_id") for one in (kept.filter(run_id=run_id), scored))
        yield str(run_id), scored.height, first_difference(*both)


def first_difference(kept: pl.DataFrame, again: pl.DataFrame) -> str:
    """Where two tables of one contract first differ.

    Args:
        kept: that lies in the project.
        again: computed anew.

    Returns:
        Row, column and both values in words; nothing where they are equal.
    """
    if kept.equals(again):
        return ""
    if kept.columns != again.columns:
        return f"columns: kept {', '.join(kept.columns)}, now {', '.join(again.columns)}"
    if kept.height != again.height:
        return f"rows: kept {kept.height}, now {again.height}"
    for number, (one, other) in enumerate(zip(kept.iter_rows(), again.iter_rows(), strict=True)):
        for column, was, now in zip(kept.columns, one, other, strict=True):
            if was != now:
                return f"row {number}, column {column}: kept {was!r}, now {now!r}"
    raise AssertionError("tables that differ in no value")
