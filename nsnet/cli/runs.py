"""The commands `nsnet runs ...`: trainings of this and other settings, seeds and revisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True, help="Every training so far, kept until it is pruned.")


@app.command("list")
def list_runs() -> None:
    """List the runs that are kept, and which of them the table runs asks for.

    Example:

      nsnet runs list
    """
    from nsnet.training.contracts import Runs
    from nsnet.training.runs import RunStore, asked_runs

    paths = known_project()
    with clear_errors():
        store = RunStore(paths.run_store)
        asked = asked_runs(paths) if paths.table(Runs).exists() else set()
        rows = [(run_id, store.facts(run_id)) for run_id in store.ids()]
    shown = ["detector", "training_set", "train_condition", "seed", "device", "seconds"]
    ordered = sorted(rows, key=lambda row: [str(row[1].get(name)) for name in shown])
    print_table(
        ["run_id", *shown, "asked for"],
        ((run_id, *(facts.get(name) for name in shown), run_id in asked) for run_id, facts in ordered),
    )


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be deleted, delete nothing.")] = False,
) -> None:
    """Delete the runs that the table runs of the last `dvc repro` does not ask for, scores included.

    Deletes as well what was set aside as damaged, and checkpoints of trainings that were stopped.

    Example:

      nsnet runs prune --dry-run
    """
    from nsnet.training.runs import RunStore, asked_runs

    paths = known_project()
    with clear_errors():
        deleted = RunStore(paths.run_store).prune(asked_runs(paths), dry_run)
    for name in deleted:
        print(name)
    print(f"{len(deleted)} runs {'would be ' if dry_run else ''}deleted")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Folder for `nsnet score --detectors`.")],
    detector: Annotated[list[str] | None, typer.Option(help="Which detectors; all if left out.")] = None,
    training_set: Annotated[list[str] | None, typer.Option(help="Which training sets; all if left out.")] = None,
    seed: Annotated[list[int] | None, typer.Option(help="Which seeds; all if left out.")] = None,
) -> None:
    """Copy trained detectors of the last `dvc repro` into a folder of their own.

    Beside each lies RUN_ID.json: what its card says of data and metrics, and scores of five
    pictures made in code, which `nsnet detectors check` compares with those of the machine it
    runs on.

    Example:

      nsnet runs export exported --detector nsnet --detector univfd --seed 0
    """
    from nsnet.core.progress import bar
    from nsnet.prediction.exports import export_detectors

    paths = known_project()
    with clear_errors(), bar("detectors", None) as advance:
        runs = export_detectors(paths, out, detector or [], training_set or [], seed or [], advance)
    print(f"{runs.height} detectors in {out}")
