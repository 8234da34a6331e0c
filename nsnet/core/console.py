"""What every command shares: tables on the terminal and clear errors."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


@contextmanager
def clear_errors() -> Iterator[None]:
    """Turn the errors a user can mend into one clear message and exit code 1."""
    import duckdb

    try:
        yield
    except (ValueError, OSError, duckdb.Error) as error:
        Console(stderr=True, soft_wrap=True).print(f"error: {error}", highlight=False, markup=False)
        raise typer.Exit(1) from error


def print_table(columns: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows as a Rich table; not on a terminal a line each and no frame, for grep and the like.

    Args:
        columns: their names.
        rows: a value for each column; None is shown as nothing, floats to four digits.
    """
    terminal = sys.stdout.isatty()
    table = Table() if terminal else Table(box=None, pad_edge=False)
    for number, column in enumerate(columns):
        table.add_column(column, no_wrap=number == 0, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_shown(value)) for value in row))  # Text: brackets in names are no markup
    Console(width=None if terminal else 1000).print(table)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
