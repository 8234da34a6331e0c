"""The commands on pictures of one's own: `nsnet ingest` and `nsnet score`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nsnet.cli.foresight import DryRun, measured, say
from nsnet.cli.project import project, settings_file
from nsnet.core.console import clear_errors
from nsnet.core.foresight import Work
from nsnet.core.paths import Paths

app = typer.Typer()


@app.command()
def ingest(
    folder: Annotated[Path, typer.Argument(help="Folder of real pictures.")],
    out: Annotated[Path, typer.Option(help="Where to write the tables images and samples.")],
    suite: Annotated[str | None, typer.Option(help="Name of the suite; found from the tree if left out.")] = None,
    workers: Annotated[int, typer.Option(help="Processes that decode.")] = 1,
    allow_leakage: Annotated[
        list[str] | None, typer.Option(help="Test generator or real pool (suite/name) that may be in training.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Read a folder of pictures: hash, decode, format, size, mode, JPEG quality, duplicates.

    Layouts: those of the registered suites (`nsnet suites list`), 0_real/ beside 1_fake/ (also
    below a generator's folder), real/ beside fake/<generator>/, or a manifest (csv, jsonl,
    parquet) with at least the columns path and label, or metadata.csv of an imagefolder. A folder
    of `save_to_disk` (Hugging Face's datasets) is unpacked into the --out folder first.

    There is no --limit: tables of some of the pictures would look like tables of all of them.

    Examples:

      nsnet ingest photos --out work/photos --dry-run

      nsnet ingest photos --out work/photos
    """
    from nsnet.core.progress import cost
    from nsnet.corpus.account import account, foresee_corpus, read_corpus
    from nsnet.corpus.saved_datasets import is_saved_dataset, unpack

    with clear_errors():
        if dry_run:
            packed = Work("saved dataset to unpack", 1) if is_saved_dataset(folder) else None
            say(Paths(out), "ingest", [packed or foresee_corpus(folder, Paths(out), suite, "ingest")])
            return
        if is_saved_dataset(folder):
            folder = unpack(folder, out / "unpacked")
            print(f"unpacked: score it with `nsnet score {folder} --out {out}`")
        with cost(Paths(out).cost("ingest")) as figures:
            corpus = read_corpus(folder, Paths(out), suite, workers, allow_leakage or [])
            figures["items"] = corpus.inspected
        print(account(corpus))


@app.command()
def score(
    folder: Annotated[Path, typer.Argument(help="Folder that was ingested.")],
    out: Annotated[Path, typer.Option(help="The --out of `nsnet ingest`; gets features, scores and tables.")],
    detectors: Annotated[
        Path | None, typer.Option(help="Folder of `nsnet runs export`; the project's, else the lab's that ship.")
    ] = None,
    dry_run: DryRun = False,
) -> None:
    """Score an ingested folder with trained detectors, and write its tables.

    Detectors are those of the last `dvc repro`; outside of a project, three that were trained
    in the lab and mean nothing for real pictures.

    Examples:

      nsnet ingest photos --out work/photos && nsnet score photos --out work/photos

      nsnet score photos --out work/photos --detectors exported
    """
    from nsnet.core.parquet import read_table
    from nsnet.evaluation.folder import foresee_folder, score_folder, shown_of
    from nsnet.params import load_params
    from nsnet.reporting.views import open_tables
    from nsnet.reporting.writing import origin_of, write_tables
    from nsnet.training.contracts import Runs
    from nsnet.training.exports import SHIPPED

    with clear_errors():
        here, mine = Paths(out), project()
        trained = Paths(detectors) if detectors else mine if mine.table(Runs).exists() else SHIPPED
        params = load_params(settings_file())
        evaluation = shown_of(params.evaluate, read_table(Runs, trained.table(Runs))["detector"])
        sections = (params.audit, params.backbone, params.conditions, params.features, evaluation)
        if dry_run:
            say(here, "score", foresee_folder(folder, here, trained, *sections[1:]))
            return
        with measured(here, "score"):
            counts = score_folder(folder, here, trained, *sections)
            write_tables(here, trained, evaluation, params.audit.flag_auc)
        with open_tables(here, trained, evaluation) as connection:
            origin = origin_of(connection)
    print(f"{counts.computed} images encoded, {counts.cached} already known; tables in {here.tables}/")
    Console(stderr=True).print(f"[bold]{origin}[/bold]")
