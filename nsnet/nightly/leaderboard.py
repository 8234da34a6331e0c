"""The leaderboard as rows, for the terminal and for Prefect's artifact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from nsnet.core.names import unknown
from nsnet.core.paths import Paths
from nsnet.reporting.queries import run_query

LEADERBOARD = """
SELECT suite, training_set, train_condition, condition, detector,
       round(acc, 3) AS acc, round(acc_low, 3) AS acc_low, round(acc_high, 3) AS acc_high,
       round(acc_population_low, 3) AS acc_other_low, round(acc_population_high, 3) AS acc_other_high,
       round(ap, 3) AS ap, round(ap_low, 3) AS ap_low, round(ap_high, 3) AS ap_high,
       round(ap_population_low, 3) AS ap_other_low, round(ap_population_high, 3) AS ap_other_high,
       round(acc_difference, 3) AS "acc - baseline", n_seeds, n_generators
FROM leaderboard ORDER BY suite, training_set, train_condition, condition, leaderboard.acc DESC, detector
"""
# Columns that say nothing where there is one of each.
PLACES = ("suite", "train_condition", "condition")


def leaderboard_rows(root: Path) -> tuple[str, list[dict[str, Any]]]:
    """The origin of the numbers, and the leaderboard's rows; suite and conditions only if there are several.

    The columns *_low and *_high are the interval of this benchmark, *_other_low and *_other_high that of
    another generator.

    Raises:
        FileNotFoundError: no catalogue yet.
        ValueError: no generator is held out, so there is nothing to rank.
    """
    origin, rows = _leaderboard(root)
    return origin, without_constants(rows, PLACES).to_dicts()


def changed_rows(
    root: Path, changes: Iterable[Mapping[str, Any]], suite: str | None = None
) -> tuple[str, list[dict[str, Any]]]:
    """As `leaderboard_rows`, with what has changed since the last accepted night.

    Args:
        root: the project.
        changes: of `changes_between`; a row without one has not changed.
        suite: the only one to show; all if left out.

    Returns:
        The origin, and the rows; acc_change is paired, with its interval as change_low and change_high.

    Raises:
        FileNotFoundError: as `leaderboard_rows`.
        ValueError: as `leaderboard_rows`, or there is no such suite.
    """
    origin, rows = _leaderboard(root)
    names = rows["suite"].unique().to_list()
    if suite is not None and suite not in names:
        raise unknown("suite", suite, names)
    shown = rows.filter(pl.col("suite") == suite) if suite else rows
    keys = ("suite", "training_set", "train_condition", "condition", "detector")
    means = [row for row in changes if row["generator"] is None and row["metric"] == "acc"]
    found = {tuple(row[key] for key in keys): row for row in means}
    moved = [found.get(tuple(row[key] for key in keys), {}) for row in shown.to_dicts()]
    ends = {"acc_change": "difference", "change_low": "ci_low", "change_high": "ci_high"}
    columns = [
        pl.Series(name, [round(row.get(key, 0.0), 3) for row in moved], pl.Float64) for name, key in ends.items()
    ]
    return origin, without_constants(shown.with_columns(columns), PLACES).to_dicts()


def _leaderboard(root: Path) -> tuple[str, pl.DataFrame]:
    database = Paths(root).database
    origin = run_query(database, "SELECT DISTINCT origin FROM detectors ORDER BY origin")["origin"].str.join("; ")[0]
    rows = run_query(database, LEADERBOARD)
    if rows.is_empty():
        raise ValueError(f"{database} has no held-out generator: every test generator was seen in training")
    return origin, rows


def without_constants(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Rows less those of some columns that say the same of all."""
    return rows.drop(name for name in columns if rows[name].n_unique() == 1)
