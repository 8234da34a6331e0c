"""Figures of this evaluation beside those that were printed for another run or another night."""

from __future__ import annotations

import io
from pathlib import Path

import duckdb
import polars as pl

from nsnet.reporting.tables import label, training_sets
from nsnet.reporting.verification import committed_tables

KEY = ("suite", "condition", "detector", "generator")


def compared(connection: duckdb.DuckDBPyConnection, folder: Path, revision: str) -> tuple[pl.DataFrame, str]:
    """Accuracy of every detector on every generator, now and in printed tables.

    Args:
        connection: with the views (`views.open_tables`).
        folder: of printed tables, such as tables/.
        revision: where git tracks the folder, the commit whose files count.

    Returns:
        Columns training_set, suite, condition, detector, generator, before, before_low, before_high, now, change and
        outside, the largest change first; and where the other figures were read.

    Raises:
        FileNotFoundError: the folder holds no tables.
        ValueError: git knows no such revision, or no row is on both sides.
    """
    files, source = committed_tables(folder, revision)
    parts = []
    for place in training_sets(connection):
        name, _ = label(*place)
        if (text := files.get(f"per_generator_{name}")) is None:
            continue
        before = pl.read_csv(io.StringIO(text), infer_schema_length=None).filter(metric="acc")
        columns = {"value": "before", "value_low": "before_low", "value_high": "before_high"}
        parts.append(
            before.select(*KEY, *columns)
            .rename(columns)
            .with_columns(training_set=pl.lit(name))
            .cast(dict.fromkeys(columns.values(), pl.Float64))
        )
    now = connection.sql(
        "SELECT training_set, train_condition, suite, condition, detector, generator, value AS now FROM per_generator"
        " WHERE metric = 'acc'"
    ).pl()
    names = [label(*place)[0] for place in now.select("training_set", "train_condition").iter_rows()]
    now = now.with_columns(training_set=pl.Series(names, dtype=pl.String)).drop("train_condition")
    rows = pl.concat(parts).join(now, on=["training_set", *KEY], how="inner") if parts else pl.DataFrame()
    if rows.is_empty():
        raise ValueError(f"no figure of per_generator is both in {source} and in this evaluation")
    rows = rows.with_columns(
        change=pl.col("now") - pl.col("before"),
        # Printed figures have six digits.
        outside=~pl.col("now").is_between(pl.col("before_low") - 1e-6, pl.col("before_high") + 1e-6),
    )
    return rows.sort(pl.col("change").abs().round(9), "training_set", *KEY, descending=[True] + [False] * 5), source
