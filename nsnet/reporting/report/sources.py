"""Sections on what stands behind figures: files of the pictures, sources of the reals, checksums and environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import polars as pl

from nsnet.core.printing import span
from nsnet.core.provenance import digest
from nsnet.reporting.environments import in_words
from nsnet.reporting.report import charts
from nsnet.reporting.report.parts import Chosen, Figure, Section, counted, panels


def audit(connection: duckdb.DuckDBPyConnection) -> Section | None:
    """What the files give away."""
    rows = connection.sql("FROM bias").pl()
    if rows.is_empty():
        return None
    plain = rows.filter(pl.col("auc").is_not_null()).with_columns(name=pl.format("{}/{}", "suite", "generator"))
    figures = []
    if not plain.is_empty():
        title = "AUC of file metadata alone"
        chart = charts.dots(plain, "auc", "name", colour="flagged", title=title)
        words = f"How well format, size, JPEG quality and the like tell real from fake: {counted(plain)}."
        figures = [Figure("audit", chart, words)]
    words = f"{rows['flagged'].sum()} of {rows.height} generators are given away by their files alone."
    return Section("audit", "Bias audit", words, figures, rows)


def real_sources(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section:
    """R.Acc by source of the reals."""
    rows = connection.sql("FROM real_sources").pl()
    plots = [
        Figure(
            f"real-sources-{name}",
            charts.dots(
                part, "r_acc", "source", colour="detector", domain=(0.0, 1.0), title="share called real at 0.5"
            ),
            f"{words}: R.Acc at 0.5 by source of the photographs, {span(part['n_real'])} of each.",
        )
        for name, words, part in panels(chosen.of(rows))
    ]
    words = "One figure over all reals hides a source that a detector calls fake altogether."
    return Section("real-sources", "Real sources", words, plots, rows)


def provenance(connection: duckdb.DuckDBPyConnection, environments: Mapping[str, Mapping[str, Any]]) -> Section:
    """Where every figure comes from.

    Args:
        connection: with the views.
        environments: records of nsnet.core.environment by run_id, as far as they were kept.
    """
    rows = connection.sql(
        """
        SELECT run_id, detector, training_set, train_condition, seed, code_checksum, data_checksum, backbone_id,
               detector_sha256, device, "precision"
        FROM runs WHERE "current" ORDER BY training_set, train_condition, detector, seed"""
    ).pl()
    names = {run_id: digest(environments[run_id]) for run_id in rows["run_id"] if run_id in environments}
    rows = rows.with_columns(environment=pl.col("run_id").replace_strict(names, default=None, return_dtype=pl.String))
    tested = connection.sql("SELECT DISTINCT code_checksum, data_checksum FROM results ORDER BY ALL").fetchall()
    said = ["Evaluated by code " + "; ".join(f"{code} on data {data}" for code, data in tested)]
    known = {names[run_id]: environments[run_id] for run_id in names}
    said += [f"Environment {name}: {in_words(known[name])}" for name in sorted(known)]
    return Section("provenance", "Provenance", " ".join(f"{sentence}." for sentence in said), table=rows)
