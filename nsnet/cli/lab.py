"""The commands `nsnet lab ...`: how the lab's own model and strengths came about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors

app = typer.Typer(no_args_is_help=True, help="The embedded lab: its CLIP and its simulators.")


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
    from nsnet.studies.clip_training import CONFIG, WEIGHTS, train_clip

    folder = out or work / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(LAB_CLIP / CONFIG, folder / CONFIG)
    with clear_errors():
        train_clip(folder, work, rounds)
    print(f"weights in {folder / WEIGHTS}")


@app.command()
def zero_shot(count: Annotated[int, typer.Option(help="Unseen pictures, at least 128.")] = 640) -> None:
    """Measure what the lab CLIP of params.yaml knows and sees, on scenes it was not trained on.

    Example:

      nsnet lab zero-shot --count 256
    """
    from nsnet.features.backbone import load_backbone
    from nsnet.params import load_params
    from nsnet.studies.zero_shot import zero_shot

    with clear_errors():
        for name, value in zero_shot(load_backbone(load_params(known_project().params).backbone), count).items():
            print(f"{name:14s} {value:.3f}")


@app.command()
def calibrate(
    only: Annotated[list[str] | None, typer.Option(help="Simulators to check; all if left out.")] = None,
    pictures: Annotated[int, typer.Option(help="Training pictures per class.")] = 400,
    search: Annotated[bool, typer.Option(help="Look for the weakest strength that is learned.")] = False,
) -> None:
    """Check that the CLIP-free control learns each simulator alone to at least 0.95.

    Each simulator is both trained on and checked, on fresh pictures: no other simulator
    and no detector on CLIP is looked at. The control itself is on the leaderboard, as what
    the pixels allow, and what it can learn is what the lab is made of.

    Examples:

      nsnet lab calibrate --only copy_move --only feed_jpeg

      nsnet lab calibrate --search --only copy_move
    """
    from nsnet.lab.simulators import simulator, simulators
    from nsnet.params import load_params
    from nsnet.studies.calibration import REQUIRED, learnability, weakest_strength

    short = []
    with clear_errors():
        params = load_params(known_project().params)
        for key in only or list(simulators()):
            strength = weakest_strength(key, params, pictures) if search else simulator(key).strength
            reached = learnability(key, strength, params, pictures)
            print(f"{key:28s} strength {strength:.2f}  accuracy {reached:.3f}", flush=True)
            short += [key] if reached < REQUIRED else []
    if short:
        print(f"below {REQUIRED}: {', '.join(short)}; raise their strength in simulators.yaml")
        raise typer.Exit(1)


@app.command()
def leakage(
    view: Annotated[list[str] | None, typer.Option(help="Views to probe; mosaic and crop if left out.")] = None,
    rank: Annotated[list[int] | None, typer.Option(help="Numbers of text directions to remove.")] = None,
) -> None:
    """Measure how much content the null space leaves in image features (after `dvc repro`).

    Example:

      nsnet lab leakage --view mosaic --rank 0 --rank 14
    """
    import polars as pl

    from nsnet.core.printing import markdown_table
    from nsnet.studies.content_probes import leakage

    with clear_errors():
        frames = [leakage(known_project(), name, rank or [0, 14, 30, 60]) for name in view or ["mosaic", "crop"]]
        print(markdown_table(pl.concat(frames)), end="")


@app.command()
def layers(
    view: Annotated[list[str] | None, typer.Option(help="Views to probe; mosaic and crop if left out.")] = None,
) -> None:
    """Say at which layer of the image tower content and traces can be read (after `dvc repro`; a minute).

    Example:

      nsnet lab layers --view mosaic
    """
    import polars as pl

    from nsnet.core.printing import markdown_table
    from nsnet.studies.layer_probes import layers

    with clear_errors():
        print(markdown_table(pl.concat([layers(known_project(), name) for name in view or ["mosaic", "crop"]])), end="")


@app.command()
def null_spaces(
    view: Annotated[list[str] | None, typer.Option(help="Views to study; mosaic and crop if left out.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=64, help="Training sets, and pools, of each kind.")] = 5,
    resamples: Annotated[int, typer.Option(min=10, help="Of test pictures and draws, for the intervals.")] = 1000,
) -> None:
    """Say when which null space helps: by dose of bias, rank, size of the pool and wrong captions (after `dvc repro`).

    Example:

      nsnet lab null-spaces --view mosaic
    """
    import polars as pl

    from nsnet.core.printing import markdown_table
    from nsnet.studies.null_space_tables import TABLES
    from nsnet.studies.null_spaces import NullSpaceStudy

    with clear_errors():
        studies = [NullSpaceStudy(known_project(), name, draws, resamples) for name in view or ["mosaic", "crop"]]
        for table in TABLES:
            print(markdown_table(pl.concat([table(study) for study in studies])), flush=True)


@app.command()
def sweeps(
    view: Annotated[list[str] | None, typer.Option(help="Views to sweep texts on; both if left out.")] = None,
    draws: Annotated[int, typer.Option(min=1, max=64, help="Training sets of each kind.")] = 5,
    resamples: Annotated[int, typer.Option(min=10, help="Of test pictures and draws, for the intervals.")] = 1000,
) -> None:
    """Say what the choice of patches does, and whose texts the text null space wants (after `dvc repro`; 8 minutes).

    Example:

      nsnet lab sweeps
    """
    import polars as pl

    from nsnet.core.printing import markdown_table
    from nsnet.studies.null_spaces import NullSpaceStudy
    from nsnet.studies.patch_sweep import patches
    from nsnet.studies.text_sweep import texts

    with clear_errors():
        studies = [NullSpaceStudy(known_project(), name, draws, resamples) for name in view or ["mosaic", "crop"]]
        print(markdown_table(pl.concat([texts(study) for study in studies])), flush=True)
        print(markdown_table(patches(known_project(), draws, resamples)))


@app.command()
def failures(
    view: Annotated[list[str] | None, typer.Option(help="Views to study; mosaic and crop if left out.")] = None,
) -> None:
    """Say why held-out generators defeat detectors: their traces are not seen, or are others (after `dvc repro`).

    Example:

      nsnet lab failures --view mosaic
    """
    import polars as pl

    from nsnet.core.parquet import read_table
    from nsnet.core.printing import markdown_table
    from nsnet.corpus.contracts import Samples
    from nsnet.studies.failures import by_family, failures
    from nsnet.studies.null_spaces import NullSpaceStudy

    with clear_errors():
        paths = known_project()
        named = read_table(Samples, paths.table(Samples)).select("generator", "family").unique()
        families = dict(named.filter(pl.col("family").is_not_null()).iter_rows())
        found = pl.concat(
            [failures(NullSpaceStudy(paths, name, 5, 10), families) for name in view or ["mosaic", "crop"]]
        )
        print(markdown_table(by_family(found)))
        print(markdown_table(found), end="")
