"""The commands `nsnet verify` and `nsnet check-integrity`: a project against what is kept or committed of it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.foresight import DryRun, measured, say, work
from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer()

INTEGRITY = "check-integrity"


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
    limit: Annotated[
        int | None, typer.Option(help="With --run: only the first so many runs of a detector.", min=1)
    ] = None,
    dry_run: DryRun = False,
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
    if limit is not None and run is None:
        raise typer.BadParameter("it counts runs of --run: tables are computed as a whole", param_hint="--limit")
    if against is not None:
        if dry_run:
            raise typer.BadParameter("--against reads printed tables only, which takes seconds", param_hint="--dry-run")
        _verify_against(against, revision)
        return
    from nsnet.core.device import best_device
    from nsnet.core.settings import load_section, load_value
    from nsnet.evaluation.recomputation import chosen_runs, recomputed_predictions, recomputed_tables
    from nsnet.evaluation.settings import Evaluate
    from nsnet.evaluation.sources import ScoringSource
    from nsnet.features.backbone import load_backbone
    from nsnet.features.conditions import condition
    from nsnet.features.settings import Backbone, Conditions

    differs = False
    with clear_errors():
        paths = known_project()
        settings = load_section(paths.params, "evaluate", Evaluate)
        command = "verify" if run is None else "verify --run"
        runs = chosen_runs(paths, run, limit).height
        if dry_run:
            what = "runs to evaluate again" if run is None else "runs whose predictions to compute again"
            say(paths, command, [work(paths, command, what, runs)])
            return
        if run is None:
            rows, what = recomputed_tables(paths, settings), "rows computed again from the predictions"
        else:
            known = load_value(paths.params, "conditions", Conditions)
            named = {name: condition(name, each) for name, each in known.items()}
            tower = partial(load_backbone, load_section(paths.params, "backbone", Backbone), best_device())
            source = ScoringSource(paths, paths.data, named, tower)
            rows, what = recomputed_predictions(paths, settings, source, run, limit), "predictions computed again"
        with measured(paths, command, runs):
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


@app.command(INTEGRITY)
def check_integrity(
    limit: Annotated[
        int | None, typer.Option(help="Read at most so many pictures, evenly spread, and so many detectors.", min=1)
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Hash again every picture and detector that the catalogue names, and compare its tables with their files.

    Fails if something is gone or is not what it was; each is named.

    Examples:

      nsnet check-integrity

      nsnet check-integrity --limit 1000
    """
    from nsnet.core.progress import bar
    from nsnet.reporting.integrity import check_integrity as check
    from nsnet.reporting.integrity import named_files, spread

    with clear_errors():
        paths = known_project()
        counts = {what: len(spread(files, limit)) for what, files in named_files(paths).items()}
        total = sum(counts.values())
        if dry_run:
            listed = ", ".join(f"{count} {what}" for what, count in counts.items())
            say(paths, INTEGRITY, [work(paths, INTEGRITY, f"files to hash ({listed})", total)])
            return
        with measured(paths, INTEGRITY, total), bar("hash", total) as advance:
            found = check(paths, advance, limit)
    for part in found:
        for fault in part.faults:
            print(fault)
        print(f"{part.count} {part.what}: {f'{len(part.faults)} faults' if part.faults else 'as they were'}")
    if any(part.faults for part in found):
        raise typer.Exit(1)
