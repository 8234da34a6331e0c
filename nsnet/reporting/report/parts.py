"""What sections of the report are made of: titles, words, charts and the tables behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from nsnet.core.printing import span
from nsnet.features.conditions import CLEAN
from nsnet.reporting.report import charts
from nsnet.reporting.report.gallery import Mistake
from nsnet.reporting.tables import label


@dataclass(frozen=True)
class Figure:
    """A chart, the words below it, and what a reader who cannot see it is told."""

    name: str
    chart: charts.Chart
    caption: str

    @property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite."""
        return self.chart.to_dict()


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name: in addresses and file names.
        title: heading.
        words: what a reader must know.
        figures: charts.
        table: rows behind them, sortable.
        gallery: pictures.
    """

    name: str
    title: str
    words: str
    figures: list[Figure] = field(default_factory=list)
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    gallery: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True)
class Chosen:
    """What charts show of everything: detectors with a line each, and the condition that pictures are tested in."""

    detectors: list[str]
    condition: str

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows of these detectors under this condition."""
        return rows.filter(pl.col("detector").is_in(self.detectors), condition=self.condition)


def panels(rows: pl.DataFrame) -> Iterator[tuple[str, str, pl.DataFrame]]:
    """Rows of each suite, training set and training condition, as far as they have those columns.

    Args:
        rows: with training_set.

    Yields:
        A name for addresses and files, words, and the rows; in the order in which they are met.
    """
    keys = [name for name in ("suite", "training_set", "train_condition") if name in rows.columns]
    for place, part in rows.partition_by(keys, as_dict=True, maintain_order=True).items():
        facts = dict(zip(keys, map(str, place), strict=True))
        name, words = label(facts["training_set"], facts.get("train_condition", CLEAN.name))
        suite = [facts["suite"]] if "suite" in facts else []
        yield "-".join([*suite, name]), ", ".join([*suite, words]), part


def over(rows: pl.DataFrame) -> str:
    """What a mean is over: rows with n_generators and n_seeds."""
    return f"{span(rows['n_generators'])} held-out generators and {span(rows['n_seeds'])} seeds"


def counted(rows: pl.DataFrame) -> str:
    """How many pictures generators are judged by: rows with n_fake and n_real."""
    return f"{span(rows['n_fake'])} fakes of each against {span(rows['n_real'])} reals"
