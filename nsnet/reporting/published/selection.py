"""Published figures as people ask for them: of a suite, a method, a generator or a metric."""

from __future__ import annotations

import polars as pl

from nsnet.core.names import unknown
from nsnet.reporting.published import published
from nsnet.suites import normalised
from nsnet.suites import suite as named


def select(
    suite: str, method: str | None = None, generator: str | None = None, metric: str | None = None
) -> pl.DataFrame:
    """The published figures of a suite; names match whatever their case and punctuation.

    Args:
        suite: key or title.
        method: as printed; all if left out.
        generator: key of the registry, or as printed, such as mean; all if left out.
        metric: as ours are called; all if left out.

    Returns:
        Rows of `Published`, in its order.

    Raises:
        ValueError: an unknown name, with near ones; or no figure is all of that.
    """
    key = named(suite).key
    figures = published()
    if key not in (with_some := figures["suite"].drop_nulls().unique().sort().to_list()):
        raise ValueError(f"no figures are published here for {key}; there are some for {', '.join(with_some)}")
    figures = figures.filter(suite=key)
    for kind, wanted, columns in (
        ("method", method, ["method"]),
        ("generator", generator, ["generator", "generator_printed"]),
        ("metric", metric, ["metric"]),
    ):
        if wanted is not None:
            figures = _of(figures, kind, wanted, columns)
    return figures


def _of(figures: pl.DataFrame, kind: str, wanted: str, columns: list[str]) -> pl.DataFrame:
    names = {name for column in columns for name in figures[column].drop_nulls()}
    same = [name for name in names if normalised(name) == normalised(wanted)]
    if not same:
        raise unknown(f"{kind} here", wanted, names)
    return figures.filter(pl.any_horizontal(pl.col(column).is_in(same) for column in columns))


def shown_rows(figures: pl.DataFrame) -> list[dict[str, str]]:
    """Rows for the terminal.

    Args:
        figures: rows of `Published`.

    Returns:
        A dict of texts for each; a name that only the source has stands in parentheses, and a doubt as its number
        among those of `remarks`.
    """
    doubts = _doubts(figures)
    return [
        {
            "generator": f"mean of {len(row['generators'])}" if len(row["generators"]) > 1 else _name(row, "generator"),
            "method": row["method"],
            "trained on": _name(row, "training_set"),
            "condition": _name(row, "condition"),
            "metric": _name(row, "metric"),
            "value": f"{row['value']:.4f}",
            "doubt": f"[{doubts.index(row['doubt']) + 1}]" if row["doubt"] else "",
            "source": row["source"],
        }
        for row in figures.iter_rows(named=True)
    ]


def remarks(figures: pl.DataFrame) -> list[str]:
    """What speaks against figures, how many there are, and why some are of no setting of ours.

    Args:
        figures: rows of `Published`.

    Returns:
        Lines.
    """
    mapped = figures["unmapped"].null_count()
    reasons = figures["unmapped"].drop_nulls().value_counts(sort=True, name="n").sort("n", "unmapped", descending=True)
    return [
        *(f"[{number}] {doubt}" for number, doubt in enumerate(_doubts(figures), start=1)),
        f"{figures.height} figures, {mapped} of a setting that we have too",
        *(f"{count} of none, for {reason}" for reason, count in reasons.iter_rows()),
    ]


def _doubts(figures: pl.DataFrame) -> list[str]:
    return figures["doubt"].drop_nulls().unique(maintain_order=True).to_list()


def _name(row: dict[str, str | None], part: str) -> str:
    return row[part] or f"({row[f'{part}_printed']})"
