"""The commands `nsnet data ...`: versions of the raw corpora."""

from __future__ import annotations

import datetime
from typing import Annotated

import typer

from nsnet.cli.project import known_project, project
from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True, help="Versions of the raw corpora in data/.")


@app.command()
def diff(revision: Annotated[str, typer.Argument(help="Git revision to compare with, such as HEAD or v1.")]) -> None:
    """List generators with images added, removed or changed between a git revision and now.

    Example:

      nsnet data diff HEAD~3
    """
    from nsnet.corpus.versions import data_diff

    with clear_errors():
        changes = data_diff(project().root, revision)
    print_table(changes.columns, changes.iter_rows())
    print(f"{changes.height} generators differ between {revision} and now")


@app.command()
def gate(
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every file again, also those of unchanged size and time.")
    ] = False,
) -> None:
    """Fail if data/ is no longer what is committed in data.dvc (the nightly evaluation's first step).

    Examples:

      nsnet data gate && dvc repro

      nsnet data gate --deep
    """
    from nsnet.corpus.gate import refuse_drift

    with clear_errors():
        print(refuse_drift(project().root, deep))


@app.command()
def pin(
    accessed: Annotated[
        str | None, typer.Option(help="Day the pictures were fetched, YYYY-MM-DD; today if left out.")
    ] = None,
) -> None:
    """Write provenance into data.dvc: producer, citation, hosts, licence, and each generator's checksum.

    Run after `dvc repro corpus`, then commit data.dvc.

    Example:

      nsnet data pin --accessed 2026-11-20
    """
    from nsnet.core.parquet import read_table
    from nsnet.corpus.contracts import Images, Samples
    from nsnet.corpus.versions import pin

    paths = known_project()
    with clear_errors():
        samples, images = (read_table(kind, paths.table(kind)) for kind in (Samples, Images))
        written = pin(paths.root, samples, images, accessed or datetime.date.today().isoformat())
    print("\n".join(f"{name}: {len(facts['generators'])} generators and pools" for name, facts in written.items()))
