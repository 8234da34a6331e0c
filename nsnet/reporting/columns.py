"""What the columns of views are: sql/columns.yaml, and the endings of intervals."""

from __future__ import annotations

import functools
from pathlib import Path

from nsnet.core.settings import read_values

FILE = Path(__file__).parent / "sql" / "columns.yaml"
EVERYWHERE = "every view"
# Longest first: each ends with those behind it.
ENDINGS = {
    "_population_low": "lower end of the 95 % interval of {} for another generator; null of fewer than three",
    "_population_high": "upper end of the 95 % interval of {} for another generator; null of fewer than three",
    "_low": "lower end of the 95 % interval of {} for this benchmark again",
    "_high": "upper end of the 95 % interval of {} for this benchmark again",
}


@functools.cache
def descriptions() -> dict[str, dict[str, str]]:
    """By view, what its columns are; those of every view under `EVERYWHERE`.

    Raises:
        ValueError: the file has a fault.
    """
    return read_values(FILE)


def described(view: str, column: str) -> str:
    """What a column of a view is.

    Args:
        view: its name.
        column: the column's.

    Returns:
        A phrase.

    Raises:
        KeyError: nobody has said it.
    """
    known = descriptions()
    named = known[EVERYWHERE] | known.get(view, {})
    if column in named:
        return named[column]
    for ending, words in ENDINGS.items():
        base = column.removesuffix(ending)
        if base != column and base in named:
            return words.format(base)
    raise KeyError(f"column {column} of view {view} is described nowhere: say in {FILE} what it is")
