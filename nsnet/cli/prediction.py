"""The command on single pictures, without labels: `nsnet predict`."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nsnet.cli.project import Exported, named_project, tell
from nsnet.core.console import clear_errors, print_table

if TYPE_CHECKING:
    from nsnet.prediction.predictions import Prediction, Rejection

app = typer.Typer()

# Columns of the table on the terminal; the others are the same in every row, and said once.
SHOWN = ["path", "score", "low", "high", "decision"]


class Format(StrEnum):
    """Output formats of `nsnet predict`."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


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
) -> None:
    """Score pictures with a trained detector; no labels, no project and no earlier step are needed.

    score is the probability of fake, a mean over mosaic draws; low..high is where the score of
    one more draw lies with 95 %. decision is fake or real, or unsure where the threshold lies
    between low and high. Pictures that cannot be scored are listed with the reason, on stderr
    and as rows of json, jsonl and csv: pictures in = scored + rejected.

    Exit codes: 0 all were scored; 1 none was, or an error; 2 wrong usage; 3 some were rejected,
    the others scored.

    Examples:

      nsnet predict a.jpg photos/ 'more/**/*.png'

      find . -name '*.jpg' | nsnet predict - --detector univfd --format csv > scores.csv

      nsnet predict photos --detectors exported --detector nsnet --training-set biased --draws 16
    """
    from nsnet.core.progress import bar
    from nsnet.prediction.inputs import LIST, expand
    from nsnet.prediction.loading import load
    from nsnet.prediction.predictions import Rejection

    with clear_errors():
        files, faults = expand(paths, sys.stdin if LIST in paths else ())
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
            said = _print(_each(faults, loaded.stream(files), advance), format)
        seconds = time.perf_counter() - start
    rejected = [one for one in said if isinstance(one, Rejection)]
    scored = len(said) - len(rejected)
    for one in rejected:
        tell(f"rejected: {one.path}: {one.reason}")
    speed = f", {scored / seconds:.1f} pictures/s" if scored else ""
    tell(f"{len(said)} pictures in = {scored} scored + {len(rejected)} rejected{speed}")
    if rejected or not scored:
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


def _each(
    faults: list[Rejection], stream: Iterable[Prediction | Rejection], advance: Any
) -> Iterator[Prediction | Rejection]:
    yield from faults
    for one in stream:
        advance(1)
        yield one


def _print(said: Iterable[Prediction | Rejection], format: Format) -> list[Prediction | Rejection]:
    """Print what is said of each picture, and return it."""
    import polars as pl

    from nsnet.core.printing import csv_text, printable
    from nsnet.prediction.predictions import COLUMNS, as_row

    if format is Format.jsonl:
        kept = []
        for one in said:
            print(json.dumps(as_row(one)), flush=True)
            kept.append(one)
        return kept
    kept = list(said)
    rows = [as_row(one) for one in kept]
    if format is Format.json:
        print(json.dumps(rows, indent=2))
    elif format is Format.csv:
        print(csv_text(pl.DataFrame(rows, schema=list(COLUMNS), infer_schema_length=None), digits=None), end="")
    else:
        scored = (row for row in rows if row["reason"] is None)
        print_table(SHOWN, ([printable(str(row["path"])), *(row[name] for name in SHOWN[1:])] for row in scored))
    return kept
