"""The commands `nsnet lab ...` that study a project after `dvc repro`: null spaces, texts, patches, layers, errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from nsnet.cli.foresight import DryRun, measured, say, work
from nsnet.cli.project import known_project
from nsnet.core.console import clear_errors

if TYPE_CHECKING:
    import polars as pl

    from nsnet.core.paths import Paths

app = typer.Typer()

BOTH = ("mosaic", "crop")
Views = Annotated[list[str] | None, typer.Option("--view", help="Views to study; mosaic and crop if left out.")]
Draws = Annotated[int, typer.Option(min=1, max=64, help="Training sets, and pools, of each kind.")]
Resamples = Annotated[int, typer.Option(min=10, help="Of test pictures and draws, for the intervals.")]


def _study(
    command: str, view: list[str] | None, dry_run: bool, tables: Callable[[Paths, list[str]], Iterable[pl.DataFrame]]
) -> None:
    """Print the tables of a study as they come, or say what it would do.

    Args:
        command: its name, as it is typed.
        view: views that were named.
        dry_run: only say it.
        tables: from the project and the views to the tables.
    """
    from nsnet.core.names import unknown
    from nsnet.core.printing import markdown_table
    from nsnet.features.contracts import VIEWS

    with clear_errors():
        paths, views = known_project(), view or list(BOTH)
        if strange := [name for name in views if name not in VIEWS]:
            raise unknown("view", strange[0], VIEWS)
        if dry_run:
            say(paths, command, [work(paths, command, f"views to study ({', '.join(views)})", len(views))])
            return
        with measured(paths, command, len(views)):
            for number, table in enumerate(tables(paths, views)):
                print(("\n" if number else "") + markdown_table(table), end="", flush=True)


def _by_view(views: list[str], made: Callable[[str], pl.DataFrame]) -> pl.DataFrame:
    """The tables of some views as one, with a bar: for studies that show none of their own."""
    import polars as pl

    from nsnet.core.progress import bar

    parts = []
    with bar("views", len(views)) as advance:
        for name in views:
            parts.append(made(name))
            advance(1)
    return pl.concat(parts)


@app.command()
def leakage(
    view: Views = None,
    rank: Annotated[list[int] | None, typer.Option(help="Numbers of text directions to remove.")] = None,
    dry_run: DryRun = False,
) -> None:
    """Measure how much content the null space leaves in image features (after `dvc repro`).

    Example:

      nsnet lab leakage --view mosaic --rank 0 --rank 14
    """

    def tables(paths: Paths, views: list[str]) -> Iterator[pl.DataFrame]:
        from nsnet.studies.content_probes import leakage

        yield _by_view(views, lambda name: leakage(paths, name, rank or [0, 14, 30, 60]))

    _study("lab leakage", view, dry_run, tables)


@app.command()
def layers(view: Views = None, dry_run: DryRun = False) -> None:
    """Say at which layer of the image tower content and traces can be read (after `dvc repro`; a minute).

    Example:

      nsnet lab layers --view mosaic
    """

    def tables(paths: Paths, views: list[str]) -> Iterator[pl.DataFrame]:
        from nsnet.studies.layer_probes import layers

        yield _by_view(views, lambda name: layers(paths, name))

    _study("lab layers", view, dry_run, tables)


@app.command()
def null_spaces(view: Views = None, draws: Draws = 5, resamples: Resamples = 1000, dry_run: DryRun = False) -> None:
    """Say when which null space helps: by dose of bias, rank, size of the pool and wrong captions (after `dvc repro`).

    Example:

      nsnet lab null-spaces --view mosaic
    """

    def tables(paths: Paths, views: list[str]) -> Iterator[pl.DataFrame]:
        import polars as pl

        from nsnet.studies.null_space_tables import TABLES
        from nsnet.studies.null_spaces import NullSpaceStudy

        studies = [NullSpaceStudy(paths, name, draws, resamples) for name in views]
        for table in TABLES:
            yield pl.concat([table(study) for study in studies])

    _study("lab null-spaces", view, dry_run, tables)


@app.command()
def sweeps(view: Views = None, draws: Draws = 5, resamples: Resamples = 1000, dry_run: DryRun = False) -> None:
    """Say what the choice of patches does, and whose texts the text null space wants (after `dvc repro`; 8 minutes).

    Example:

      nsnet lab sweeps
    """

    def tables(paths: Paths, views: list[str]) -> Iterator[pl.DataFrame]:
        import polars as pl

        from nsnet.studies.null_spaces import NullSpaceStudy
        from nsnet.studies.patch_sweep import patches
        from nsnet.studies.text_sweep import texts

        yield pl.concat([texts(NullSpaceStudy(paths, name, draws, resamples)) for name in views])
        yield patches(paths, draws, resamples)

    _study("lab sweeps", view, dry_run, tables)


@app.command()
def failures(view: Views = None, dry_run: DryRun = False) -> None:
    """Say why held-out generators defeat detectors: their traces are not seen, or are others (after `dvc repro`).

    Example:

      nsnet lab failures --view mosaic
    """

    def tables(paths: Paths, views: list[str]) -> Iterator[pl.DataFrame]:
        import polars as pl

        from nsnet.core.parquet import read_table
        from nsnet.corpus.contracts import Samples
        from nsnet.studies.failures import by_family, failures
        from nsnet.studies.null_spaces import NullSpaceStudy

        named = read_table(Samples, paths.table(Samples)).select("generator", "family").unique()
        families = dict(named.filter(pl.col("family").is_not_null()).iter_rows())
        found = pl.concat([failures(NullSpaceStudy(paths, name, 5, 10), families) for name in views])
        yield by_family(found)
        yield found

    _study("lab failures", view, dry_run, tables)
