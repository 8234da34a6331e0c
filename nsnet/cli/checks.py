"""The commands `nsnet verify` and `nsnet check-integrity`: a project against what is kept or committed of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer()


@app.command()
def verify(
    against: Annotated[
        Path | None, typer.Option(help="Folder of committed tables: every figure must lie in the interval there.")
    ] = None,
    revision: Annotated[
        str, typer.Option(help="Commit whose tables count where git tracks them; else they count as they lie.")
    ] = "HEAD",
    run: Annotated[
        str | None, typer.Option(help="A run, or a detector: score pictures again from features and weights.")
    ] = None,
) -> None:
    """Compute the last `dvc repro`'s figures again, or hold them against committed tables.

    Without an option every table is computed again from the predictions, and must be equal; with --run the
    predictions of a run are, from features or pixels and weights. With --against every figure must lie within the
    interval that was committed for it, as on another machine. The command fails if something differs.

    Examples:

      nsnet verify

      nsnet verify --run univfd

      nsnet verify --against tables/ --revision v1
    """
    if against is not None and run is not None:
        raise typer.BadParameter("--run computes again, --against compares tables: name one", param_hint="--run")
    if against is not None:
        _verify_against(against, revision)
        return
    from nsnet.core.device import best_device
    from nsnet.core.settings import load_section, load_value
    from nsnet.evaluation.recomputation import recomputed_predictions, recomputed_tables
    from nsnet.evaluation.settings import Evaluate
    from nsnet.evaluation.sources import ScoringSource
    from nsnet.features.backbone import load_backbone
    from nsnet.features.conditions import condition
    from nsnet.features.settings import Backbone, Conditions

    differs = False
    with clear_errors():
        paths = known_project()
        settings = load_section(paths.params, "evaluate", Evaluate)
        if run is None:
            rows, what = recomputed_tables(paths, settings), "rows computed again from the predictions"
        else:
            known = load_value(paths.params, "conditions", Conditions)
            named = {name: condition(name, each) for name, each in known.items()}
            tower = partial(load_backbone, load_section(paths.params, "backbone", Backbone), best_device())
            source = ScoringSource(paths, paths.data, named, tower)
            rows, what = recomputed_predictions(paths, settings, source, run), "predictions computed again"
        for name, count, difference in rows:
            print(f"{name}: {count} {what}: {difference or 'equal'}")
            differs = differs or bool(difference)
    if differs:
        raise typer.Exit(1)


def _verify_against(folder: Path, revision: str) -> None:
    from nsnet.core.settings import load_section
    from nsnet.evaluation.settings import Evaluate
    from nsnet.reporting.verification import verify as compare
    from nsnet.reporting.views import open_tables

    with clear_errors():
        paths = known_project()
        settings = load_section(paths.params, "evaluate", Evaluate)
        with open_tables(paths, paths, settings) as connection:
            verification = compare(connection, folder, revision)
    if verification.findings:
        columns = ["figure", "committed", "interval", "this run"]
        print_table(columns, ((row.figure, row.committed, row.interval, row.value) for row in verification.findings))
    print(f"{verification.compared} figures compared with {verification.source}: {len(verification.findings)} differ")
    if verification.findings:
        raise typer.Exit(1)


@app.command("check-integrity")
def check_integrity() -> None:
    """Hash again every picture and detector that the catalogue names, and compare its tables with their files.

    Fails if something is gone or is not what it was; each is named.

    Example:

      nsnet check-integrity
    """
    from nsnet.core.progress import bar
    from nsnet.reporting.integrity import check_integrity as check

    with clear_errors():
        paths = known_project()
        with bar("hash", None) as advance:
            found = check(paths, advance)
    for part in found:
        for fault in part.faults:
            print(fault)
        print(f"{part.count} {part.what}: {f'{len(part.faults)} faults' if part.faults else 'as they were'}")
    if any(part.faults for part in found):
        raise typer.Exit(1)
