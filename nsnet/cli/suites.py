"""The commands `nsnet suites ...`: what the registry knows of the published suites and the lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from nsnet.core.console import clear_errors, print_table

app = typer.Typer(no_args_is_help=True, help="The suites: generators, folders, counts and how certain they are.")


@app.command("list")
def list_suites() -> None:
    """List the suites and the protocols.

    Example:

      nsnet suites list
    """
    from nsnet.suites import protocols, suites
    from nsnet.suites.page import protocol_rows, suite_rows

    _print_rows(suite_rows(suites().values()))
    _print_rows(protocol_rows(protocols().values()))


@app.command()
def show(name: Annotated[str, typer.Argument(help="A suite or a protocol; `nsnet suites list` names them.")]) -> None:
    """Show one suite or protocol: its facts, its generators and its training sets.

    Each count says whether it was read, derived, found in an issue or comes from memory.

    Examples:

      nsnet suites show genimage

      nsnet suites show paper40
    """
    from nsnet.core.names import unknown
    from nsnet.suites import known_suite, protocols, suites
    from nsnet.suites.page import facts, generator_rows, member_rows, pool_rows, training_rows

    suite = known_suite(name)
    if suite:
        _print_text([suite.title, *facts(suite), ""])
        _print_rows(generator_rows(suite.generators.values()))
        _print_rows(pool_rows(suite))
        _print_rows(training_rows(suite))
    elif name in protocols():
        protocol = protocols()[name]
        _print_text([protocol.title, protocol.statement, ""])
        _print_rows(member_rows(protocol))
    else:
        with clear_errors():
            raise unknown("suite or protocol", name, [*suites(), *protocols()])


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="Folder of one suite, or of several under their names.")],
    suite: Annotated[str | None, typer.Option(help="Which suite it is; found from the tree if left out.")] = None,
) -> None:
    """Compare a downloaded suite with the registry: found, expected, missing, surplus, unreadable.

    Example:

      nsnet suites check downloads/GenImage
    """
    from nsnet.core.progress import bar
    from nsnet.corpus.checks import check_folder

    with clear_errors(), bar("check", None) as advance:
        rows = check_folder(folder, suite, advance)
    _print_rows(rows)


@app.command()
def published(
    suite: Annotated[str, typer.Argument(help="A suite; `nsnet suites list` names them.")],
    method: Annotated[str | None, typer.Option(help="Only of this method, as printed.")] = None,
    generator: Annotated[str | None, typer.Option(help="Only of this generator, or mean.")] = None,
    metric: Annotated[str | None, typer.Option(help="Only of this metric, by our name: plain_acc.")] = None,
) -> None:
    """Print the figures that others published for a suite, in our names and units, with their source.

    A name in parentheses is the source's own: we have nothing that is the same, and the figure is compared with
    nothing. The catalogue has them all in the table published, and beside ours in the view versus_published.

    Examples:

      nsnet suites published genimage --metric plain_acc

      nsnet suites published aigibench --method NPR --generator mean
    """
    from nsnet.reporting.published.selection import remarks, select, shown_rows

    with clear_errors():
        figures = select(suite, method, generator, metric)
    _print_rows(shown_rows(figures))
    _print_text(remarks(figures))


@app.command()
def pages(folder: Annotated[Path, typer.Argument(help="Folder of the pages.")] = Path("docs/suites")) -> None:
    """Write the registry as Markdown pages, one a suite; what is written by hand at their ends stays.

    Example:

      nsnet suites pages docs/suites
    """
    from nsnet.suites.page import write_pages

    with clear_errors():
        files = write_pages(folder)
    print(f"{len(files)} pages in {folder}")


def _print_text(lines: list[str]) -> None:
    for line in lines:
        Console(soft_wrap=True).print(line, markup=False, highlight=False)


def _print_rows(rows: list[dict[str, str]]) -> None:
    if rows:
        print_table(list(rows[0]), (row.values() for row in rows))
        print()
