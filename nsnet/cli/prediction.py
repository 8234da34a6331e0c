"""The command on single pictures, without labels: `nsnet predict`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsnet.cli.answers import Format, print_answers, sum_up
from nsnet.cli.foresight import DryRun
from nsnet.cli.project import Exported, named_project, tell
from nsnet.core.console import clear_errors
from nsnet.core.foresight import Work

if TYPE_CHECKING:
    from nsnet.cli.answers import Answer
    from nsnet.prediction.explanations import Explanation
    from nsnet.prediction.inputs import PictureFile
    from nsnet.prediction.predictions import Prediction, Rejection
    from nsnet.prediction.predictor import Predictor

app = typer.Typer()

EXPLAINED = ".explained.png"


@app.command()
def predict(
    paths: Annotated[
        list[str],
        typer.Argument(metavar="PATH...", help="Files, folders, patterns; - for names on stdin, one a line."),
    ],
    detector: Annotated[
        str | None, typer.Option(help="Which one; `nsnet detectors` lists them; the only one, or nsnet, if left out.")
    ] = None,
    training_set: Annotated[str | None, typer.Option(help="Needed where it was trained on several.")] = None,
    train_condition: Annotated[str | None, typer.Option(help="Needed where it was trained under several.")] = None,
    seed: Annotated[int | None, typer.Option(help="Training seed; the lowest if left out.")] = None,
    detectors: Exported = None,
    draws: Annotated[int, typer.Option(help="Mosaics of each picture; other views have one.", min=1)] = 8,
    threshold: Annotated[
        float | None, typer.Option(help="From here on fake; the run's own if left out.", min=0, max=1)
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print rows; jsonl as they come.")] = Format.table,
    workers: Annotated[
        int | None, typer.Option(help="Threads that decode and score; one a core if left out.", min=1)
    ] = None,
    redeliver: Annotated[
        bool, typer.Option(help="Score each picture also as JPEG, WebP, made smaller, from a screen.")
    ] = False,
    explain: Annotated[
        Path | None, typer.Option(help="Folder for a PNG of each picture: which parts speak for fake.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Score only the first so many files.", min=1)] = None,
    dry_run: DryRun = False,
) -> None:
    """Score pictures with a trained detector; no labels, no project and no earlier step are needed.

    score is the probability of fake, a mean over mosaic draws; low..high is where the score of
    one more draw lies with 95 %. decision is fake or real, or unsure where the threshold lies
    between low and high. Pictures that cannot be scored are listed with the reason, on stderr
    and as rows of json, jsonl and csv: pictures in = scored + rejected.

    --redeliver adds a row for each way in which pictures are passed on; flips says where the
    decision is not that of the picture as it is (clean). A picture no longer than 1080 or 512
    pixels stays as it is under at_most_1080 and at_most_512.

    --explain DIR draws the picture with its patches, the mosaic beside it, and by how much the
    log-odds of fake fall when the next patch of the ranking takes the place of each; the views
    crop and full are cut into cells, each painted in the mean colour. It takes some fifty times
    as long. The file's name is the picture's, written so that no two are the same.

    --dry-run counts the files and names the detector, and reads neither; --limit 20 tells how many
    pictures a second there are.

    Exit codes: 0 all were scored; 1 none was, or an error; 2 wrong usage; 3 some were rejected,
    the others scored.

    Examples:

      nsnet predict a.jpg photos/ 'more/**/*.png'

      find . -name '*.jpg' | nsnet predict - --detector univfd --format csv > scores.csv

      nsnet predict photos --detectors exported --detector nsnet --training-set biased --draws 16

      nsnet predict a.jpg --redeliver

      nsnet predict photos --explain explained
    """
    from nsnet.core.progress import bar
    from nsnet.prediction.inputs import LIST, expand
    from nsnet.prediction.loading import find, load

    if redeliver and explain:
        raise typer.BadParameter("--redeliver and --explain: expected one of them; each scores pictures in its own way")
    with clear_errors():
        files, faults = expand(paths, sys.stdin if LIST in paths else ())
        if dry_run:
            _, run = find(detector, training_set, train_condition, seed, named_project(), detectors)
            tell(_title(run, run["threshold"] if threshold is None else threshold, draws))
            for fault in faults:
                tell(f"{fault.path}: {fault.reason}")
            print(f"predict: {Work(f'of {len(files)} files to score', len(files[:limit]))}")
            return
        files = files[:limit]
        loaded = load(
            detector,
            training_set=training_set,
            train_condition=train_condition,
            seed=seed,
            project=named_project(),
            detectors=detectors,
            draws=draws,
            threshold=threshold,
            workers=workers,
        )
        tell(_title(loaded.run, loaded.threshold, loaded.draws))
        start = time.perf_counter()
        with bar("pictures", len(files)) as advance:
            stream = _each(faults, _stream(loaded, files, redeliver, explain), advance)
            said = print_answers(stream, format, redeliver)
        seconds = time.perf_counter() - start
    scored = sum_up(said, seconds)
    if explain and scored:
        tell(f"{scored} explanations in {explain}")
    if scored < len(said) or not scored:
        raise typer.Exit(3 if scored else 1)


def _title(run: dict[str, Any], threshold: float, draws: int) -> str:
    """Which detector speaks, and of which world."""
    from nsnet.core.origin import describe

    record = json.loads(run["backbone"])
    lines = [
        f"{run['detector']}, trained on {run['training_set']}, {run['train_condition']}, seed {run['seed']}"
        f" (run {run['run_id'][:12]}); threshold {threshold:.4g}, {draws} draws",
        run["origin"],
    ]
    if run["origin"].startswith("LAB"):
        lines.append(f"Other pictures than the lab's: {describe(['yours'], record['model'], record['weights'])}")
    return "\n".join(lines)


def _each(faults: list[Rejection], stream: Iterable[Answer], advance: Any) -> Iterator[Answer]:
    yield from faults
    for one in stream:
        advance(1)
        yield one


def _stream(loaded: Predictor, files: list[PictureFile], redeliver: bool, explain: Path | None) -> Iterable[Answer]:
    """What is said of each picture; explanations are drawn on the way."""
    if redeliver:
        return loaded.redeliveries(files)
    return _drawn(loaded.explanations(files), explain) if explain else loaded.stream(files)


def _drawn(stream: Iterable[Explanation | Rejection], folder: Path) -> Iterator[Prediction | Rejection]:
    from nsnet.core.files import safe_path
    from nsnet.prediction.explanations import Explanation
    from nsnet.prediction.plots import explanation_plot

    for one in stream:
        if isinstance(one, Explanation):
            explanation_plot(one, safe_path(folder, str(one.prediction.path), suffix=EXPLAINED))
            yield one.prediction
        else:
            yield one
