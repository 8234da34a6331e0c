"""The command `nsnet`. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

import importlib.metadata
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nsnet.cli.data import app as data_app
from nsnet.cli.features import app as features_app
from nsnet.cli.lab import app as lab_app
from nsnet.cli.project import known_project, project, use_project
from nsnet.cli.runs import app as runs_app
from nsnet.cli.suites import app as suites_app
from nsnet.core.console import clear_errors, print_table
from nsnet.core.paths import Paths

app = typer.Typer(no_args_is_help=True)
app.add_typer(lab_app, name="lab")
app.add_typer(suites_app, name="suites")
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(features_app, name="features")


class Format(StrEnum):
    """Output formats of `nsnet query`."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    parquet = "parquet"


def _print_version(asked: bool) -> None:
    if asked:
        print(f"nsnet {importlib.metadata.version('nsnet')}")
        raise typer.Exit


@app.callback()
def main(
    project: Annotated[Path | None, typer.Option(help="Folder of the project; this one if left out.")] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Train, test and compare detectors of AI-generated images."""
    use_project(project)


@app.command()
def init(folder: Annotated[Path, typer.Argument(help="Made if it does not exist.")]) -> None:
    """Make a folder a project of your own: settings, stages and the nightly flow, as in the repository.

    Example:

      nsnet init my-project && cd my-project && dvc repro
    """
    from nsnet.core.template import create_project

    with clear_errors():
        written = create_project(folder)
    print(f"{folder}: {', '.join(written)}")
    print(f"Next: commit them, then `dvc repro` in {folder}; your own pictures: deps.path in data.dvc")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement over nsnet.duckdb.")],
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file; needed for parquet.")] = None,
    database: Annotated[Path | None, typer.Option(help="Catalogue to read; the project's if left out.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that the statement may take.", min=0.001)] = 60,
    memory: Annotated[str, typer.Option(help="Memory that the statement may hold.")] = "2GB",
) -> None:
    """Query the catalogue, read-only and within limits.

    Examples:

      nsnet query "SELECT detector, acc FROM leaderboard WHERE training_set = 'biased'"

      nsnet query "FROM hardest_generators LIMIT 5" --format markdown

      nsnet query "FROM predictions" --format parquet --output predictions.parquet
    """
    from nsnet.reporting.queries import run_query

    if format is Format.parquet and output is None:
        raise typer.BadParameter("parquet is binary: name a file with --output", param_hint="--format")
    with clear_errors():
        frame = run_query(database or project().database, sql, format, timeout, memory)
        if output is not None:
            from nsnet.reporting.queries import write_rows

            write_rows(frame, format, output)
            print(f"{frame.height} rows in {output}")
        elif format is Format.table:
            print_table(frame.columns, frame.iter_rows())
        else:
            from nsnet.reporting.queries import as_text

            print(as_text(frame, format), end="")


@app.command()
def leaderboard() -> None:
    """Print the leaderboard of the last `dvc repro`, and where the tables are.

    acc_low..acc_high is the 95 % interval of this benchmark, acc_other_low..acc_other_high that of another
    generator; of ap alike.

    Example:

      dvc repro && nsnet leaderboard
    """
    from nsnet.nightly.leaderboard import leaderboard_rows

    with clear_errors():
        paths = known_project()
        origin, rows = leaderboard_rows(paths.root)
    print(origin)
    print_table(list(rows[0]), (row.values() for row in rows))
    print(f'Tables: {paths.tables}/*.md and *.csv; SQL: nsnet query "SELECT ..." ({paths.database})')


@app.command()
def mend() -> None:
    """Restore dvc.lock and data.dvc from the last commit where a kill or a full disk left them unreadable.

    Example:

      nsnet mend && dvc repro
    """
    from nsnet.nightly.lock import mend_lock

    with clear_errors():
        for sentence in mend_lock(known_project().root):
            print(sentence)


@app.command()
def verify(
    against: Annotated[Path, typer.Option(help="Folder of committed tables.")],
    revision: Annotated[
        str, typer.Option(help="Commit whose tables count where git tracks them; else they count as they lie.")
    ] = "HEAD",
) -> None:
    """Compare the last `dvc repro` with committed tables: every figure must lie within the interval given there.

    Figures that do not are listed, and so are rows on one side only; the command then fails.

    Examples:

      nsnet verify --against tables/

      nsnet verify --against tables/ --revision v1
    """
    from nsnet.core.settings import load_section
    from nsnet.evaluation.settings import Evaluate
    from nsnet.reporting.verification import verify
    from nsnet.reporting.views import open_tables

    with clear_errors():
        paths = known_project()
        settings = load_section(paths.params, "evaluate", Evaluate)
        with open_tables(paths, paths, settings) as connection:
            verification = verify(connection, against, revision)
    if verification.findings:
        columns = ["figure", "committed", "interval", "this run"]
        print_table(columns, ((row.figure, row.committed, row.interval, row.value) for row in verification.findings))
    print(f"{verification.compared} figures compared with {verification.source}: {len(verification.findings)} differ")
    if verification.findings:
        raise typer.Exit(1)


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="Folder of real pictures.")],
    out: Annotated[Path, typer.Option(help="Where to write the tables images and samples.")],
    suite: Annotated[str | None, typer.Option(help="Name of the suite; found from the tree if left out.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that decode.")] = 1,
    allow_leakage: Annotated[
        list[str] | None, typer.Option(help="Test generator or real pool (suite/name) that may be in training.")
    ] = None,
) -> None:
    """Read a folder of pictures: hash, decode, format, size, mode, JPEG quality, duplicates.

    Layouts: those of the registered suites (`nsnet suites list`), 0_real/ beside 1_fake/ (also
    below a generator's folder), real/ beside fake/<generator>/, or a manifest (csv, jsonl,
    parquet) with at least the columns path and label.

    Example:

      nsnet ingest photos --out work/photos
    """
    from nsnet.corpus.account import read_corpus

    with clear_errors():
        print(read_corpus(folder, Paths(out), suite, workers, allow_leakage or []))


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that was ingested.")],
    out: Annotated[Path, typer.Option(help="The --out of `nsnet ingest`; gets features, scores and tables.")],
    detectors: Annotated[
        Path | None, typer.Option(help="Folder of `nsnet runs export`; the project's, else the lab's that ship.")
    ] = None,
) -> None:
    """Score an ingested folder with trained detectors, and write its tables.

    Detectors are those of the last `dvc repro`; outside of a project, three that were trained
    in the lab and mean nothing for real pictures.

    Examples:

      nsnet ingest photos --out work/photos && nsnet score photos --out work/photos

      nsnet score photos --out work/photos --detectors exported
    """
    from nsnet.core.parquet import read_table
    from nsnet.core.template import template_folder
    from nsnet.evaluation.folder import score_folder, shown_of
    from nsnet.params import load_params
    from nsnet.reporting.views import open_tables
    from nsnet.reporting.writing import origin_of, write_tables
    from nsnet.training.contracts import Runs
    from nsnet.training.exports import SHIPPED

    with clear_errors():
        here, mine = Paths(out), project()
        trained = Paths(detectors) if detectors else mine if mine.table(Runs).exists() else SHIPPED
        settings = mine.params if mine.params.exists() else template_folder() / mine.params.name
        params = load_params(settings)
        evaluation = shown_of(params.evaluate, read_table(Runs, trained.table(Runs)))
        sections = (params.audit, params.backbone, params.conditions, params.features, evaluation)
        counts = score_folder(folder, here, trained, *sections)
        write_tables(here, trained, evaluation, params.audit.flag_auc)
        with open_tables(here, trained, evaluation) as connection:
            origin = origin_of(connection)
    print(f"{counts.computed} images encoded, {counts.cached} already known; tables in {here.tables}/")
    Console(stderr=True).print(f"[bold]{origin}[/bold]")
