"""What `nsnet predict` prints: rows on stdout, and on stderr what people want to know of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from nsnet.cli.project import tell
from nsnet.core.console import print_table

if TYPE_CHECKING:
    from nsnet.prediction.predictions import Prediction, Redelivery, Rejection

    Answer: TypeAlias = Prediction | list[Redelivery] | Rejection

# Columns of the table on the terminal; the others are the same in every row, and said once.
SHOWN = ["path", "score", "low", "high", "decision"]
SHOWN_REDELIVERED = ["path", "delivery", *SHOWN[1:], "flips"]
YES_NO = {True: "yes", False: "no"}


class Format(StrEnum):
    """Output formats of `nsnet predict`."""

    table = "table"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def print_answers(answers: Iterable[Answer], format: Format, redeliver: bool) -> list[Answer]:
    """Print what is said of pictures: a row for each, or one for each delivery.

    Args:
        answers: as they come; jsonl is printed so.
        format: of the rows.
        redeliver: whether pictures were redelivered.

    Returns:
        The answers.
    """
    import polars as pl

    from nsnet.core.printing import csv_text, printable
    from nsnet.prediction.predictions import COLUMNS, REDELIVERED, as_row

    columns = REDELIVERED if redeliver else COLUMNS
    kept, rows = [], []
    for one in answers:
        kept.append(one)
        added = [as_row(part, columns) for part in (one if isinstance(one, list) else [one])]
        if format is Format.jsonl:
            print("".join(f"{json.dumps(row)}\n" for row in added), end="", flush=True)
        else:
            rows += added
    if format is Format.json:
        print(json.dumps(rows, indent=2))
    elif format is Format.csv:
        print(csv_text(pl.DataFrame(rows, schema=list(columns), infer_schema_length=None), digits=None), end="")
    elif format is Format.table:
        shown = SHOWN_REDELIVERED if redeliver else SHOWN
        texts = [row | {"path": printable(str(row["path"]))} for row in rows if row["reason"] is None]
        print_table(shown, ([YES_NO[row[name]] if name == "flips" else row[name] for name in shown] for row in texts))
    return kept


def sum_up(answers: list[Answer], seconds: float) -> int:
    """Say what was rejected, how many flipped, and how fast it went.

    Args:
        answers: of all pictures.
        seconds: that they took.

    Returns:
        How many pictures were scored.
    """
    from nsnet.prediction.predictions import Rejection

    rejected = [one for one in answers if isinstance(one, Rejection)]
    for one in rejected:
        tell(f"rejected: {one.path}: {one.reason}")
    delivered = [one for one in answers if isinstance(one, list)]
    if delivered:
        counts = [f"{ways[0].delivery} {sum(one.flips for one in ways)}" for ways in zip(*delivered, strict=True)]
        tell(f"flips of {len(delivered)} pictures: {', '.join(counts[1:])}")
    scored = len(answers) - len(rejected)
    speed = f", {scored / seconds:.1f} pictures/s" if scored else ""
    tell(f"{len(answers)} pictures in = {scored} scored + {len(rejected)} rejected{speed}")
    return scored
