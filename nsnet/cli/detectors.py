"""The commands `nsnet detectors ...`: which there are, their cards, and whether they score here as elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.project import Exported, named_project, tell
from nsnet.core.console import clear_errors, print_table

app = typer.Typer()

Name = Annotated[str | None, typer.Argument(help="Which one; the only one, or nsnet, if left out.")]
TrainingSet = Annotated[str | None, typer.Option(help="Needed where it was trained on several.")]
TrainCondition = Annotated[str | None, typer.Option(help="Needed where it was trained under several.")]
Seed = Annotated[int | None, typer.Option(help="Training seed; the lowest if left out.")]


@app.callback(invoke_without_command=True)
def list_detectors(context: typer.Context, detectors: Exported = None) -> None:
    """List the detectors that `nsnet predict` and `nsnet.load` know here; show, check or save them.

    Those of the project's last `dvc repro`; where there are none, three of the lab that ship.

    Examples:

      nsnet detectors

      nsnet detectors --detectors exported

      nsnet detectors show univfd
    """
    if context.invoked_subcommand is not None:
        if detectors is not None:
            raise typer.BadParameter("name it behind the command", param_hint="--detectors")
        return
    from nsnet.prediction.loading import trained_detectors

    with clear_errors():
        trained = trained_detectors(named_project(), detectors)
    columns = ["detector", "kind", "view", "null_space", "training_set", "train_condition", "seed", "threshold"]
    columns.append("validation_acc")
    worlds = (origin.partition(":")[0] for origin in trained.runs["origin"])
    rows = trained.runs.select(columns).iter_rows()
    print_table([*columns, "world"], ((*row, world) for row, world in zip(rows, worlds, strict=True)))
    tell(f"{trained.runs.height} detectors in {trained.paths.root.resolve()}")


@app.command()
def show(
    name: Name = None,
    training_set: TrainingSet = None,
    train_condition: TrainCondition = None,
    seed: Seed = None,
    detectors: Exported = None,
) -> None:
    """Print a detector's card: world, intended use, limits, training data, metrics, licences, checksums.

    commercial_ok is true only where the licence of every part is stated and known to allow it.

    Examples:

      nsnet detectors show univfd

      nsnet detectors show nsnet --detectors exported --training-set biased
    """
    from nsnet.prediction.cards import card
    from nsnet.prediction.exports import facts_of
    from nsnet.prediction.loading import choose_run, trained_detectors

    with clear_errors():
        trained = trained_detectors(named_project(), detectors)
        run = choose_run(trained.runs, name, training_set, train_condition, seed)
        print(card(run, facts_of(trained, run)), end="")


@app.command()
def check(detectors: Exported = None) -> None:
    """Score five pictures made in code with every exported detector, and compare with what was pinned at the export.

    Exit code 1: some detector scores otherwise here, or nothing was pinned.

    Examples:

      nsnet detectors check

      nsnet detectors check --detectors exported
    """
    from nsnet.prediction.exports import deviations
    from nsnet.prediction.golden import TOLERANCE
    from nsnet.prediction.loading import ORDER, trained_detectors

    with clear_errors():
        trained = trained_detectors(named_project(), detectors)
        rows = [(*(run[name] for name in ORDER), found) for run, found in deviations(trained, named_project())]
        if not rows:
            raise ValueError(
                f"no scores are pinned in {trained.paths.root}: `nsnet runs export` and `nsnet detectors save` pin them"
            )
    print_table([*ORDER, "largest difference"], rows)
    other = sum(found > TOLERANCE for *_, found in rows)
    tell(f"{len(rows)} detectors checked, {other} score otherwise here (differences are of logits, up to {TOLERANCE})")
    if other:
        raise typer.Exit(1)


@app.command()
def save(
    name: Annotated[str, typer.Argument(help="Which one.")],
    out: Annotated[Path, typer.Argument(help="Folder to be made.")],
    training_set: TrainingSet = None,
    train_condition: TrainCondition = None,
    seed: Seed = None,
    detectors: Exported = None,
) -> None:
    """Save one detector as a folder of its own: model.safetensors, config.json, README.md (its card).

    It is what huggingface_hub pushes and pulls; `nsnet predict --detectors FOLDER` and
    `nsnet.load(FOLDER)` read it. What is there under these names is replaced.

    Example:

      nsnet detectors save nsnet my-detector
    """
    from nsnet.prediction.exports import save_detector_folder
    from nsnet.prediction.loading import choose_run, trained_detectors

    with clear_errors():
        trained = trained_detectors(named_project(), detectors)
        run = choose_run(trained.runs, name, training_set, train_condition, seed)
        save_detector_folder(trained, run, named_project(), out)
    print(f"{run['detector']} (run {run['run_id']}) in {out}")
