"""The commands `nsnet results ...`: scores of external detectors beside ours, or ranked alone."""

from __future__ import annotations

import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.project import known_project, settings_file
from nsnet.core.console import clear_errors, print_table
from nsnet.core.paths import Paths

# Columns of the ranking that say nothing where there is one of each.
PLACE = ("suite", "training_set", "train_condition", "condition")

app = typer.Typer(no_args_is_help=True, help="Scores of other people's detectors, without their code.")


class ScaleName(StrEnum):
    """Scales of `nsnet.evaluation.scales`."""

    probability = "probability"
    percent = "percent"
    logit = "logit"
    llr = "llr"


Detector = Annotated[str | None, typer.Option(help="Name of the detector, where no column detector says it.")]
Condition = Annotated[str, typer.Option(help="What the pictures had been put through, as in params.yaml.")]
Version = Annotated[str, typer.Option("--version", help="Of the detector.")]
Sha256 = Annotated[str, typer.Option("--sha256", help="Of the detector's weights.")]
Scale = Annotated[ScaleName, typer.Option(help="Of the scores; higher is more fake.")]
Folder = Annotated[Path | None, typer.Option("--out", help="A folder of `nsnet ingest`; the project if left out.")]


@app.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="csv, jsonl or parquet with path or image_id, and score.")],
    detector: Detector = None,
    condition: Condition = "clean",
    scale: Scale = ScaleName.probability,
    version: Version = "",
    sha256: Sha256 = "",
    threshold: Annotated[
        float | None, typer.Option(help="From here on fake, on the file's scale; chosen on validation, or 0.5.")
    ] = None,
    training_set: Annotated[
        list[str] | None, typer.Option(help="It was trained on this one of ours; beside all of them if left out.")
    ] = None,
    out: Folder = None,
) -> None:
    """Put a detector's scores beside ours: in every table, interval, view and report of the next `dvc repro`.

    Labels and generators are the corpus's. Every test picture needs one score; those of
    validation pictures choose the threshold, others are kept. Other columns: detector (for
    several in one file), condition, version, sha256, and label, which must be the corpus's.

    Examples:

      nsnet results import scores.csv --detector dire --version 1.2 && dvc repro

      nsnet results import logits.parquet --detector npr --scale logit --threshold 0

      nsnet results import scores.csv --detector dire --out work/photos && nsnet score photos --out work/photos
    """
    from nsnet.core.settings import load_value
    from nsnet.evaluation.score_files import Claims
    from nsnet.evaluation.score_imports import import_scores
    from nsnet.features.settings import Conditions

    paths = Paths(out) if out else known_project()
    with clear_errors():
        claims = Claims(detector, condition, version, sha256, scale.value)
        conditions = load_value(settings_file(), "conditions", Conditions)
        new, aside = import_scores(paths, file, claims, conditions, threshold, training_set or [])
    for record in new:
        print(f"{record.detector} under {record.condition}: kept in {paths.scores}/")
    if aside:
        print(f"{aside} rows are of files that the corpus rejected (copies, unreadable): left out")
    following = f"`nsnet score FOLDER --out {out}`" if out else "`dvc repro`"
    print(f"Next: {following}" if new else "nothing new: these scores are here already")


@app.command("list")
def list_results(out: Folder = None) -> None:
    """List the external detectors whose scores were imported.

    Example:

      nsnet results list
    """
    from nsnet.evaluation.score_store import ScoreStore

    paths = Paths(out) if out else known_project()
    columns = ["detector", "condition", "pictures", "version", "sha256", "scale", "threshold", "beside", "source"]
    with clear_errors():
        store = ScoreStore(paths.scores)
        rows = [(record, store.scores(record).height) for record in store.records()]
    print_table(
        columns,
        (
            (
                *(record.detector, record.condition, pictures, record.version, record.sha256[:12], record.scale),
                *(record.threshold, ", ".join(record.training_sets) or "all", record.source),
            )
            for record, pictures in rows
        ),
    )


@app.command()
def remove(
    detector: Annotated[list[str], typer.Argument(help="Names, as `nsnet results list` has them.")],
    out: Folder = None,
) -> None:
    """Delete the imported scores of detectors.

    Example:

      nsnet results remove dire && dvc repro
    """
    from nsnet.evaluation.score_store import ScoreStore

    paths = Paths(out) if out else known_project()
    with clear_errors():
        for record in ScoreStore(paths.scores).remove(detector):
            print(f"{record.detector} under {record.condition}: removed")


@app.command()
def rank(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="csv, jsonl or parquet.")],
    detector: Detector = None,
    condition: Condition = "clean",
    scale: Scale = ScaleName.probability,
    baseline: Annotated[str | None, typer.Option(help="Detector that the others are compared with.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for tables/; nothing is written if left out.")] = None,
) -> None:
    """Rank detectors by files alone, with intervals and paired differences: no corpus, no picture, no project.

    Columns: path or image_id, score, label (of one row of each picture at least), and if there
    are any detector, generator, family, suite, split (validation chooses thresholds), real_pool,
    condition, version and sha256. A detector without a name is called as its file.

    Examples:

      nsnet results rank scores.csv --out ranking

      nsnet results rank dire.csv npr.csv --baseline dire
    """
    from nsnet.core.names import unknown
    from nsnet.evaluation.folder import shown_of
    from nsnet.evaluation.score_files import Claims
    from nsnet.evaluation.score_imports import rank_scores
    from nsnet.nightly.leaderboard import LEADERBOARD, without_constants
    from nsnet.params import load_params
    from nsnet.reporting.views import open_tables
    from nsnet.reporting.writing import origin_of, write_tables

    with clear_errors(), tempfile.TemporaryDirectory() as temporary:
        here, params = Paths(out or Path(temporary)), load_params(settings_file())
        claims = Claims(detector, condition, scale=scale.value)
        ranked = rank_scores(here, files, claims, params.evaluate)
        names = ranked.means["detector"].unique().to_list()
        if baseline is not None and baseline not in names:
            raise unknown("detector", baseline, names)
        settings = shown_of(params.evaluate.model_copy(update={"baseline": baseline or ""}), names)
        with open_tables(here, here, settings) as connection:
            rows = without_constants(connection.sql(LEADERBOARD).pl(), PLACE)
            print(origin_of(connection))
        print_table(rows.columns, rows.iter_rows())
        if out:
            write_tables(here, here, settings, params.audit.flag_auc)
            print(f"Tables: {here.tables}/*.md and *.csv")
