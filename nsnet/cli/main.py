"""The command `nsnet`. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import nsnet
from nsnet.cli.checks import app as checks_app
from nsnet.cli.data import app as data_app
from nsnet.cli.detectors import app as detectors_app
from nsnet.cli.features import app as features_app
from nsnet.cli.lab import app as lab_app
from nsnet.cli.nights import app as nights_app
from nsnet.cli.pictures import app as pictures_app
from nsnet.cli.prediction import app as prediction_app
from nsnet.cli.profile import app as profile_app
from nsnet.cli.project import known_project, project, use_project
from nsnet.cli.report import app as report_app
from nsnet.cli.results import app as results_app
from nsnet.cli.runs import app as runs_app
from nsnet.cli.suites import app as suites_app
from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True)
app.add_typer(prediction_app)
app.add_typer(pictures_app)
app.add_typer(report_app)
app.add_typer(checks_app)
app.add_typer(detectors_app, name="detectors")
app.add_typer(lab_app, name="lab")
app.add_typer(suites_app, name="suites")
app.add_typer(profile_app, name="profile")
app.add_typer(data_app, name="data")
app.add_typer(runs_app, name="runs")
app.add_typer(features_app, name="features")
app.add_typer(results_app, name="results")
app.add_typer(nights_app, name="nights")


class Format(StrEnum):
    """Output formats of `nsnet query`."""

    table = "table"
    csv = "csv"
    json = "json"
    markdown = "markdown"
    parquet = "parquet"


def _print_version(asked: bool) -> None:
    if asked:
        print(f"nsnet {nsnet.__version__}")
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
def init(
    folder: Annotated[Path, typer.Argument(help="Made if it does not exist.")],
    profile: Annotated[str | None, typer.Option(help="Settings to lay over the default ones.")] = None,
    data: Annotated[Path | None, typer.Option(help="Your pictures: a folder elsewhere, in place of the lab.")] = None,
    update: Annotated[
        bool, typer.Option("--update", help="Bring a project that is there to this version; its settings stay.")
    ] = False,
) -> None:
    """Make a folder a project of your own: settings, stages and the nightly flow, as in the repository.

    Examples:

      nsnet init my-project && cd my-project && dvc repro

      nsnet init my-project --profile real-small --data downloads && cd my-project && dvc repro tables catalog

      nsnet init my-project --update
    """
    from nsnet.core.template import create_project
    from nsnet.profiles import profile_file, use_profile

    with clear_errors():
        if profile:
            profile_file(profile)
        written = create_project(folder, update, data)
        if profile:
            use_profile(profile, folder / "params.yaml")
    print(f"{folder}: {', '.join(written)}")
    done = "`dvc repro tables catalog`" if data else "`dvc repro`; your own pictures: --data, or deps.path in data.dvc"
    print(f"Next: commit them, then in {folder} {done}")


@app.command()
def query(
    sql: Annotated[str, typer.Argument(help="One SQL statement over nsnet.duckdb.")],
    format: Annotated[Format, typer.Option(help="How to print the rows.")] = Format.table,
    output: Annotated[Path | None, typer.Option(help="Write to this file; needed for parquet.")] = None,
    database: Annotated[Path | None, typer.Option(help="Catalogue to read; the project's if left out.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that the statement may take.", min=0.001)] = 60,
    memory: Annotated[
        str | None, typer.Option(help="Memory that the statement may hold, such as 2GB; half of the machine's.")
    ] = None,
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
    """Mend DVC's own files: unreadable dvc.lock and data.dvc, damaged listings, locks of processes that have ended.

    Example:

      nsnet mend && dvc repro
    """
    from nsnet.nightly import mending

    with clear_errors():
        for sentence in mending.mend(known_project().root):
            print(sentence)
