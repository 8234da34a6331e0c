"""Accuracy by dose of bias: training sets that differ in nothing but how far content predicts the label."""

from __future__ import annotations

import duckdb
import polars as pl

from nsnet.corpus.content import has_content
from nsnet.features.conditions import CLEAN
from nsnet.reporting.report import charts
from nsnet.reporting.report.parts import Chosen, Figure, Section, over

# Doses that differ by less than what ten pictures of a thousand make are one.
ALIKE = 0.01
AXIS = "share of training pictures whose content goes with the label"
HOW = (
    "A curve needs training sets of the same generators and numbers of pictures whose content predicts the label to"
    " different degrees. The lab makes two, one without bias and one of lab.bias; `nsnet lab null-spaces` prints probes"
    " at six doses."
)


def bias_doses(samples: pl.DataFrame, words: list[str]) -> pl.DataFrame:
    """How far content predicts the label in each training set, counted.

    Args:
        samples: training pictures, with training_set, label, suite, generator and caption.
        words: of semantics.pool.content: a picture whose caption has one shows that content.

    Returns:
        By training set: dose, the share of pictures whose label is the one that goes with their content (classes weigh
        the same; 0.5 without bias, 1 where content tells the label; null without captions of all of them or without
        words), n_real, n_fake, and generators of the fakes in words.
    """
    content = pl.Series(has_content(samples["caption"].fill_null("").to_list(), words), dtype=pl.Boolean)
    rows = samples.with_columns(content=content, fake=pl.col("label") == 1)
    share = {fake: pl.col("content").filter(pl.col("fake") == fake).mean() for fake in (False, True)}
    told = (share[False] + 1 - share[True]) / 2
    known = pl.col("caption").is_not_null().all() if words else pl.lit(False)
    return (
        rows.group_by("training_set")
        .agg(
            pl.when(known).then(pl.max_horizontal(told, 1 - told)).alias("dose"),
            (~pl.col("fake")).sum().alias("n_real"),
            pl.col("fake").sum().alias("n_fake"),
            pl.format("{}/{}", "suite", "generator").filter("fake").unique().sort().str.join(", ").alias("generators"),
        )
        .sort("training_set")
    )


def dose_rows(connection: duckdb.DuckDBPyConnection, doses: pl.DataFrame) -> pl.DataFrame:
    """Held-out accuracies on training sets that differ in nothing but the dose, with the dose.

    Args:
        connection: with the views.
        doses: from `bias_doses`.

    Returns:
        Columns suite, condition, detector, generators (trained on), n_real, n_fake, dose, training_set, n_generators,
        n_seeds, and acc with its interval; no row where a dose has nothing to be compared with.
    """
    alike = ["generators", "n_real", "n_fake"]
    spread = pl.col("dose").max() - pl.col("dose").min() > ALIKE
    kept = doses.filter(pl.col("dose").is_not_null()).filter(spread.over(alike))
    board = connection.sql(
        f"""
        SELECT suite, condition, training_set, detector, n_generators, n_seeds, acc, acc_low, acc_high
        FROM leaderboard WHERE train_condition = '{CLEAN.name}' AND kind <> 'external'"""
    ).pl()
    rows = board.join(kept, on="training_set")
    names = ["suite", "condition", "detector", *alike, "dose", "training_set"]
    return rows.select(*names, "n_generators", "n_seeds", "acc", "acc_low", "acc_high").sort(names)


def dose(connection: duckdb.DuckDBPyConnection, chosen: Chosen, words: list[str]) -> Section | None:
    """Curves by dose, where there are two at least; else what there is, and how to get one.

    Args:
        connection: with the views.
        chosen: what charts show.
        words: of semantics.pool.content.

    Returns:
        The section; none where nothing was trained on pictures of this project.
    """
    samples = connection.sql(
        "SELECT training_set, label, suite, generator, caption FROM samples WHERE split = 'train'"
    ).pl()
    if samples.is_empty():
        return None
    doses = bias_doses(samples, words)
    rows = dose_rows(connection, doses)
    if rows.is_empty():
        return Section("dose", "Dose of bias", HOW, table=doses)
    plots = [
        Figure(
            f"dose-{suite}-{number}",
            charts.curve(part, "dose", "acc", "detector", AXIS),
            f"{suite}: trained on {generators}, {n_real} reals and {n_fake} fakes; accuracy at 0.5 over {over(part)}.",
        )
        for number, ((suite, generators, n_real, n_fake), part) in enumerate(
            chosen.of(rows)
            .partition_by("suite", "generators", "n_real", "n_fake", as_dict=True, maintain_order=True)
            .items()
        )
    ]
    said = (
        f"Content is what captions say ({', '.join(words)}, or none of these); dose is counted in the training"
        f" pictures: 0.5 without bias, 1 where content tells the label. Between two doses a line says nothing. {HOW}"
    )
    return Section("dose", "Dose of bias", said, plots, rows)
