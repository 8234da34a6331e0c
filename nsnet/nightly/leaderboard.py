"""The leaderboard as rows, for the terminal and for Prefect's artifact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

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


def leaderboard_rows(root: Path) -> tuple[str, list[dict[str, Any]]]:
    """The origin of the numbers, and the leaderboard's rows; suite and conditions only if there are several.

    The columns *_low and *_high are the interval of this benchmark, *_other_low and *_other_high that of
    another generator.

    Raises:
        FileNotFoundError: no catalogue yet.
        ValueError: no generator is held out, so there is nothing to rank.
    """
    database = Paths(root).database
    origin = run_query(database, "SELECT DISTINCT origin FROM detectors ORDER BY origin")["origin"].str.join("; ")[0]
    rows = run_query(database, LEADERBOARD)
    if rows.is_empty():
        raise ValueError(f"{database} has no held-out generator: every test generator was seen in training")
    return origin, without_constants(rows, ("suite", "train_condition", "condition")).to_dicts()


def without_constants(rows: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Rows less those of some columns that say the same of all."""
    return rows.drop(name for name in columns if rows[name].n_unique() == 1)
