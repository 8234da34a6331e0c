"""The commands `nsnet lab ...`: how the lab's model and strengths came about; studies stand in nsnet.cli.studies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli import foresight
from nsnet.cli.foresight import DryRun
from nsnet.cli.project import known_project
from nsnet.cli.studies import app as studies_app
from nsnet.core.console import clear_errors
from nsnet.core.foresight import Work
from nsnet.core.paths import Paths

app = typer.Typer(no_args_is_help=True, help="The embedded lab: its CLIP and its simulators.")
app.add_typer(studies_app)


@app.command()
def train_clip(
    work: Annotated[Path, typer.Option(help="Folder of the checkpoint; run again to go on from it.")] = Path(
        "clip-work"
    ),
    out: Annotated[
        Path | None, typer.Option(help="Where the weights go; the shipped folder's copy if left out.")
    ] = None,
    rounds: Annotated[
        tuple[int, int, int], typer.Option(help="Steps on random scenes, then on look-alikes, twice.")
    ] = (600, 800, 900),
    dry_run: DryRun = False,
) -> None:
    """Train the lab CLIP from rendered scenes (55 minutes on two cores).

    Examples:

      nsnet lab train-clip --out my-clip

      nsnet lab train-clip --out my-clip --rounds 20 10 10
    """
    import os
    import shutil

    # Read when torch is loaded. Threads that spin while they wait take the renderers' time: 1.2 against 1.0 s a step.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from nsnet.features.weights import LAB_CLIP
    from nsnet.studies.clip_training import CONFIG, WEIGHTS, steps_done, train_clip

    command, steps, done = "lab train-clip", sum(rounds), steps_done(work)
    if dry_run:
        each = foresight.work(Paths(work), command, "steps", steps).each
        foresight.say(Paths(work), command, [Work("steps of training", steps, min(done, steps), each)])
        return
    folder = out or work / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(LAB_CLIP / CONFIG, folder / CONFIG)
    with clear_errors(), foresight.measured(Paths(work), command, max(0, steps - done)):
        train_clip(folder, work, rounds)
    print(f"weights in {folder / WEIGHTS}")


@app.command()
def zero_shot(
    count: Annotated[int, typer.Option(help="Unseen pictures, at least 128.")] = 640, dry_run: DryRun = False
) -> None:
    """Measure what the lab CLIP of params.yaml knows and sees, on scenes it was not trained on.

    Example:

      nsnet lab zero-shot --count 256
    """
    from nsnet.features.backbone import load_backbone
    from nsnet.params import load_params
    from nsnet.studies.zero_shot import zero_shot

    command = "lab zero-shot"
    with clear_errors():
        paths = known_project()
        if dry_run:
            foresight.say(paths, command, [foresight.work(paths, command, "pictures to render and look at", count)])
            return
        with foresight.measured(paths, command, count):
            found = zero_shot(load_backbone(load_params(paths.params).backbone), count)
    for name, value in found.items():
        print(f"{name:14s} {value:.3f}")


@app.command()
def calibrate(
    only: Annotated[list[str] | None, typer.Option(help="Simulators to check; all if left out.")] = None,
    pictures: Annotated[int, typer.Option(help="Training pictures per class.")] = 400,
    search: Annotated[bool, typer.Option(help="Look for the weakest strength that is learned.")] = False,
    limit: Annotated[int | None, typer.Option(help="Check only the first so many simulators.", min=1)] = None,
    dry_run: DryRun = False,
) -> None:
    """Check that the CLIP-free control learns each simulator alone to at least 0.95.

    Each simulator is both trained on and checked, on fresh pictures: no other simulator
    and no detector on CLIP is looked at. The control itself is on the leaderboard, as what
    the pixels allow, and what it can learn is what the lab is made of.

    Examples:

      nsnet lab calibrate --only copy_move --only feed_jpeg

      nsnet lab calibrate --search --only copy_move
    """
    from nsnet.core.progress import bar
    from nsnet.lab.simulators import simulator, simulators
    from nsnet.params import load_params
    from nsnet.studies.calibration import REQUIRED, learnability, weakest_strength

    short, command = [], "lab calibrate --search" if search else "lab calibrate"
    with clear_errors():
        paths = known_project()
        params = load_params(paths.params)
        keys = [simulator(key).key for key in only or list(simulators())][:limit]
        if dry_run:
            foresight.say(paths, command, [foresight.work(paths, command, "simulators to learn", len(keys))])
            return
        with foresight.measured(paths, command, len(keys)), bar("simulators", len(keys)) as advance:
            for key in keys:
                strength = weakest_strength(key, params, pictures) if search else simulator(key).strength
                reached = learnability(key, strength, params, pictures)
                print(f"{key:28s} strength {strength:.2f}  accuracy {reached:.3f}", flush=True)
                short += [key] if reached < REQUIRED else []
                advance(1)
    if short:
        print(f"below {REQUIRED}: {', '.join(short)}; raise their strength in simulators.yaml")
        raise typer.Exit(1)
