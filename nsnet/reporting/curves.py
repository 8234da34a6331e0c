"""ROC and precision-recall curves as rows: what `dvc plots show` draws by the templates in .dvc/plots."""

from __future__ import annotations

import duckdb
import polars as pl

from nsnet.core.printing import printable, span
from nsnet.evaluation.settings import Evaluate
from nsnet.features.conditions import CLEAN
from nsnet.reporting.tables import label

# Points of a curve lie no further apart than this, in false alarms and fakes caught together, unless scores are equal.
STEP = 0.02
# What a run's pictures weigh together is 1 for reals and 1 for fakes, and seeds weigh the same: at each threshold the
# shares of every seed are averaged (Fawcett 2006, section 8.2).
_POINTS = """
    WITH pictures AS (
        SELECT DISTINCT r.training_set, r.train_condition, s.suite, r.detector, r.run_id, s.label, p.image_id, p.score
        FROM predictions p
        JOIN runs r USING (run_id)
        JOIN samples s ON s.image_id = p.image_id AND s.split = p.split
        WHERE p."current" AND r."current" AND p.split = 'test' AND p.condition = $condition
          AND list_contains($detectors, r.detector) AND NOT list_contains(s.in_domain_for, r.training_set)
    ), weighted AS (
        SELECT *, 1 / count(*) OVER (PARTITION BY suite, run_id, label) AS weight FROM pictures
    ), steps AS (
        SELECT training_set, train_condition, suite, detector, score AS threshold,
               coalesce(sum(weight) FILTER (label = 0), 0) AS alarms,
               coalesce(sum(weight) FILTER (label = 1), 0) AS hits
        FROM weighted GROUP BY training_set, train_condition, suite, detector, score
    ), curves AS (
        SELECT training_set, train_condition, suite, detector, threshold,
               sum(alarms) OVER downward / sum(alarms) OVER whole AS false_alarms,
               sum(hits) OVER downward / sum(hits) OVER whole AS caught
        FROM steps
        WINDOW whole AS (PARTITION BY training_set, train_condition, suite, detector),
               downward AS (whole ORDER BY threshold DESC)
    ), counts AS (
        SELECT training_set, train_condition, suite, detector,
               count(DISTINCT image_id) FILTER (label = 0) AS n_real,
               count(DISTINCT image_id) FILTER (label = 1) AS n_fake
        FROM pictures GROUP BY training_set, train_condition, suite, detector
    )
    SELECT training_set, train_condition, suite, detector, threshold, false_alarms, caught,
           caught / (caught + false_alarms) AS precision,
           coalesce(threshold = min(threshold) FILTER (threshold >= 0.5) OVER whole, false) AS at_half, n_real, n_fake
    FROM curves JOIN counts USING (training_set, train_condition, suite, detector)
    WHERE n_real > 0 AND n_fake > 0
    WINDOW whole AS (PARTITION BY training_set, train_condition, suite, detector)
    ORDER BY suite, training_set, train_condition, detector, threshold DESC
"""
PLACE = ["suite", "training_set", "train_condition"]


def curve_points(connection: duckdb.DuckDBPyConnection, detectors: list[str], condition: str) -> pl.DataFrame:
    """Points of the curves on held-out generators of a suite together, against all reals of their pools.

    Args:
        connection: with the views (`views.open_tables`).
        detectors: whose curves.
        condition: that the pictures were shown under.

    Returns:
        By suite, training_set, train_condition and detector, from the highest threshold down: threshold (called fake
        from there on), false_alarms and caught (shares, means over seeds), precision (classes weigh the same),
        at_half (what the threshold 0.5 gives), n_real and n_fake (pictures). The first point calls nothing fake: its
        threshold and precision are null.
    """
    rows = connection.sql(_POINTS, params={"detectors": detectors, "condition": condition}).pl()
    curve = [*PLACE, "detector"]
    part = ((pl.col("false_alarms") + pl.col("caught")) / STEP).floor()
    last = part != part.shift(-1).over(curve)
    kept = rows.filter(last.fill_null(True) | pl.col("at_half"))
    nothing = {"threshold": None, "false_alarms": 0.0, "caught": 0.0, "precision": None, "at_half": False}
    first = rows.unique(curve, keep="first", maintain_order=True).with_columns(
        pl.lit(value, dtype=rows.schema[name]).alias(name) for name, value in nothing.items()
    )
    return pl.concat([first, kept]).sort(*curve, "caught", "false_alarms", maintain_order=True)


def curve_rows(connection: duckdb.DuckDBPyConnection, settings: Evaluate, world: str) -> pl.DataFrame:
    """The curves as a table for templates of plots: each panel says in words what it shows.

    Args:
        connection: with the views (`views.open_tables`).
        settings: section evaluate; `shown` names the detectors.
        world: whose pictures, in a word or two.

    Returns:
        Columns panel, detector, threshold, false_alarms, caught, precision, decision (0.5 at that threshold, else
        empty), n_real and n_fake.
    """
    condition = CLEAN.name if CLEAN.name in settings.conditions else settings.conditions[0]
    rows = curve_points(connection, settings.shown, condition)
    parts = []
    for (suite, *place), part in rows.partition_by(PLACE, as_dict=True, maintain_order=True).items():
        _, words = label(*place)
        panel = (
            f"{world}: {suite}, {words}, tested {condition}; held-out generators together, {span(part['n_fake'])}"
            f" fakes against {span(part['n_real'])} reals"
        )
        parts.append(part.with_columns(panel=pl.lit(panel)))
    shown = pl.concat(parts) if parts else rows.with_columns(panel=pl.lit(""))
    figures = ["threshold", "false_alarms", "caught", "precision"]
    return shown.select(
        *(pl.col(name).map_elements(_harmless, return_dtype=pl.String) for name in ("panel", "detector")),
        *figures,
        pl.when("at_half").then(pl.lit("0.5")).otherwise(pl.lit("")).alias("decision"),
        "n_real",
        "n_fake",
    )


def _harmless(name: str) -> str:
    """A name that cannot end the script element into which DVC writes it as it is."""
    return printable(name).replace("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")
