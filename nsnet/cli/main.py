"""The command `nsnet`. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nsnet.cli.data import app as data_app
from nsnet.cli.features import app as features_app
from nsnet.cli.lab import app as lab_app
from nsnet.cli.runs import app as runs_app
from nsnet.cli.suites import app as suites_app
from nsnet.core.console import clear_errors, print_table
from nsnet.core.paths import Paths

DATABASE = Paths().database

app = typer.Typer(no_args_is_help=True, help="Train, test and compare detectors of AI-generated images.")
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


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement over nsnet.duckdb.")],
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file; needed for parquet.")] = None,
    database: Annotated[Path, typer.Option(help="Catalogue to read.")] = DATABASE,
) -> None:
    """Query the catalogue, read-only.

    Examples:

      nsnet query "SELECT detector, acc FROM leaderboard WHERE training_set = 'biased'"

      nsnet query "FROM hardest_generators LIMIT 5" --format markdown

      nsnet query "FROM predictions" --format parquet --output predictions.parquet
    """
    from nsnet.reporting.queries import run_query

    if format is Format.parquet and output is None:
        raise typer.BadParameter("parquet is binary: name a file with --output", param_hint="--format")
    with clear_errors():
        frame = run_query(database, sql)
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

    Example:

      dvc repro && nsnet leaderboard
    """
    from nsnet.reporting.nightly import leaderboard_rows

    with clear_errors():
        world, rows = leaderboard_rows(Path())
    print(world)
    print_table(list(rows[0]), (row.values() for row in rows))
    print(f'Tables: {Paths().tables}/*.md and *.csv; SQL: nsnet query "SELECT ..." ({Paths().database})')


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
) -> None:
    """Score an ingested folder with the detectors of the last `dvc repro`, and write its tables.

    Example:

      nsnet ingest photos --out work/photos && nsnet score photos --out work/photos
    """
    from nsnet.core.parquet import read_table
    from nsnet.core.world import describe
    from nsnet.corpus.audit import audit_corpus
    from nsnet.corpus.contracts import Samples
    from nsnet.params import load_params
    from nsnet.stages.evaluate import evaluate
    from nsnet.stages.features import extract
    from nsnet.stages.tables import write_tables

    project, here = Paths(), Paths(out)
    with clear_errors():
        params = load_params(project.params)
        suites = read_table(Samples, here.table(Samples))["suite"].unique()
        audit_corpus(here, params.audit)
        counts = extract(folder, here, params)
        evaluate(folder, here, project, params)
        write_tables(here, project, params)
    print(f"{counts.computed} images encoded, {counts.cached} already known; tables in {here.tables}/")
    Console(stderr=True).print(f"[bold]{describe(suites, params.backbone.model)}[/bold]")
