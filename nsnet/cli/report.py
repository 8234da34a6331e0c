"""The command `nsnet report`: one page of everything, or the same as files for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.foresight import DryRun, measured, say
from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors

app = typer.Typer()


@app.command()
def report(
    out: Annotated[Path, typer.Option(help="Page to write; it needs no other file and no network.")] = Path(
        "report.html"
    ),
    against: Annotated[
        Path | None, typer.Option(help="Folder of printed tables of another run or night, to be compared with.")
    ] = None,
    revision: Annotated[
        str, typer.Option(help="Commit whose tables count where git tracks that folder; else they count as they lie.")
    ] = "HEAD",
    figures: Annotated[
        Path | None, typer.Option(help="Also write charts as SVG and PNG, and tables as LaTeX, into this folder.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Write what the last `dvc repro` found as one page: tables that sort and filter, plots, pictures, provenance.

    Examples:

      nsnet report

      nsnet report --against tables --revision v1 --out change.html

      nsnet report --figures figures
    """
    from nsnet.core.settings import load_section, load_value
    from nsnet.evaluation.settings import Evaluate
    from nsnet.reporting.report.page import make_report, write_files, write_page

    with clear_errors():
        paths = known_project()
        if dry_run:
            say(paths, "report", [])
            return
        settings = load_section(paths.params, "evaluate", Evaluate)
        words = load_value(paths.params, "semantics.pool.content", list[str])
        with measured(paths, "report"):
            made = make_report(paths, settings, words, against, revision)
            write_page(made, out)
            files = write_files(made, figures) if figures else []
    print(f"{out}: {len(made.sections)} sections, {out.stat().st_size / 1e6:.1f} MB")
    if files:
        print(f"{figures}: {len(files)} files")
