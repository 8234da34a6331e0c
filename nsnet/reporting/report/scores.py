"""How scores are spread: shares in bins by label, and the share of fakes where a detector says so much."""

from __future__ import annotations

import duckdb
import polars as pl

_SCORED = """
    WITH scored AS (
        SELECT training_set, train_condition, detector, label, score,
               1 / count(*) OVER (PARTITION BY training_set, train_condition, detector, label) AS weight
        FROM predictions p
        JOIN runs r USING (run_id)
        JOIN (SELECT DISTINCT image_id, label FROM samples WHERE split = 'test') USING (image_id)
        WHERE p."current" AND r."current" AND p.split = 'test' AND p.condition = $condition
          AND list_contains($detectors, r.detector)
    )
"""


def histogram(connection: duckdb.DuckDBPyConnection, detectors: list[str], condition: str) -> pl.DataFrame:
    """Shares of test pictures in 25 bins of scores, all seeds together.

    Args:
        connection: with the views (`views.open_tables`).
        detectors: whose scores.
        condition: that the pictures were shown under.

    Returns:
        Columns training_set, train_condition, detector, label (real, fake), score (middle of the bin), share of the
        label's pictures and n (scores); no row of an empty bin.
    """
    return connection.sql(
        f"""{_SCORED}
        SELECT training_set, train_condition, detector, CASE label WHEN 1 THEN 'fake' ELSE 'real' END AS label,
               (least(24, floor(score * 25)) + 0.5) / 25 AS score, sum(weight) AS share, count(*) AS n
        FROM scored GROUP BY training_set, train_condition, detector, label, least(24, floor(score * 25))
        ORDER BY ALL""",
        params={"detectors": detectors, "condition": condition},
    ).pl()


def reliability(connection: duckdb.DuckDBPyConnection, detectors: list[str], condition: str) -> pl.DataFrame:
    """Mean score and share of fakes in 15 bins of scores, classes with half of the weight each.

    Args:
        connection, detectors, condition: as for `histogram`.

    Returns:
        Columns training_set, train_condition, detector, score, fakes and n (scores); no row of an empty bin.
    """
    return connection.sql(
        f"""{_SCORED}
        SELECT training_set, train_condition, detector, sum(score * weight) / sum(weight) AS score,
               sum(label * weight) / sum(weight) AS fakes, count(*) AS n
        FROM scored GROUP BY training_set, train_condition, detector, least(14, floor(score * 15))
        ORDER BY training_set, train_condition, detector, 4""",
        params={"detectors": detectors, "condition": condition},
    ).pl()
