"""What the report shows: each section a title, words, charts, and the table behind them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import polars as pl

from nsnet.features.conditions import CLEAN
from nsnet.reporting.report import charts
from nsnet.reporting.report.gallery import Mistake


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


def each_training_set(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Rows of every training set and training condition, with what it is called, in the order of the rows."""
    keys = ["training_set", "train_condition"] if "train_condition" in rows.columns else ["training_set"]
    for place, part in rows.partition_by(keys, as_dict=True, maintain_order=True).items():
        named = [str(name) for name in place if name != CLEAN.name]
        yield ", ".join(named), part


def leaderboard(connection: duckdb.DuckDBPyConnection) -> Section:
    """Detectors by held-out accuracy."""
    rows = connection.sql("FROM leaderboard").pl()
    columns = ["suite", "training_set", "train_condition", "condition", "detector", "kind", "view", "null_space"]
    figures = ["acc", "ap", "auroc"]
    ends = [f"{name}{end}" for name in figures[:1] for end in ("_low", "_high", "_population_low", "_population_high")]
    more = ["acc_validation", "r_acc", "f_acc", "plain_acc", "plain_ap", "n_generators", "n_seeds"]
    shown = rows.filter(condition=CLEAN.name) if CLEAN.name in rows["condition"] else rows
    plots = [
        Figure(
            f"leaderboard-{suite}-{name}",
            charts.dots(part, "acc", "detector", elsewhere=True, title="accuracy, held-out generators"),
            f"{suite}, trained on {name}: mean accuracy over held-out generators; thick: this benchmark again, thin:"
            " another generator.",
        )
        for (suite,), of_suite in shown.partition_by("suite", as_dict=True, maintain_order=True).items()
        for name, part in each_training_set(of_suite)
    ]
    words = (
        "acc is the mean of R.Acc and F.Acc at 0.5 over held-out generators and training seeds. Two intervals, because"
        " there are two questions: this benchmark again (other pictures and training seeds), and another generator."
        " acc validation is at a threshold chosen on validation pictures; none was chosen on test pictures."
    )
    return Section("leaderboard", "Leaderboard", words, plots, rows.select(*columns, *figures, *ends, *more))


def generators(connection: duckdb.DuckDBPyConnection) -> Section:
    """Every generator against every detector."""
    rows = connection.sql("FROM cross_domain").pl()
    shown = rows.filter(condition=CLEAN.name) if CLEAN.name in rows["condition"] else rows
    order = shown.group_by("detector").agg(pl.col("acc").mean()).sort("acc", "detector", descending=[True, False])
    rank = pl.col("detector").replace_strict({name: place for place, name in enumerate(order["detector"])})
    shown = shown.with_columns(generator_of=pl.format("{} / {}", "family", "generator"), rank=rank).sort(
        "suite", "training_set", "in_domain", "family", "generator", "rank"
    )
    plots = [
        Figure(
            f"generators-{suite}-{name}",
            charts.heat_map(
                part, "detector", "generator_of", "acc", 0.5 + 0.2, ["acc_low", "acc_high", "n_fake", "in_domain"]
            ),
            f"{suite}, trained on {name}: accuracy by generator, in-domain ones last; the interval shows on hover.",
        )
        for (suite,), of_suite in shown.partition_by("suite", as_dict=True, maintain_order=True).items()
        for name, part in each_training_set(of_suite)
    ]
    columns = ["suite", "training_set", "train_condition", "condition", "family", "generator", "in_domain", "detector"]
    table = rows.select(*columns, "acc", "acc_low", "acc_high", "n_real", "n_fake", "file_auc", "files_give_label_away")
    words = "White is an accuracy of 0.7, red below and blue above. A family is a kind of generator."
    return Section("generators", "Every generator", words, plots, table)


def families(connection: duckdb.DuckDBPyConnection, shown: list[str]) -> Section:
    """Means of families."""
    rows = connection.sql("FROM families").pl()
    mine = rows.filter(pl.col("detector").is_in(shown), condition=CLEAN.name)
    plots = [
        Figure(
            f"families-{suite}-{name}",
            charts.dots(part.sort("family"), "acc", "family", colour="detector", title="accuracy by family"),
            f"{suite}, trained on {name}: mean accuracy over the held-out generators of a family.",
        )
        for (suite,), of_suite in mine.partition_by("suite", as_dict=True, maintain_order=True).items()
        for name, part in each_training_set(of_suite)
    ]
    return Section("families", "Families", "Held-out generators only.", plots, rows)


def robustness(connection: duckdb.DuckDBPyConnection, shown: list[str], settings: pl.DataFrame) -> Section | None:
    """What pictures go through, if they are tested under more than one condition."""
    rows = connection.sql("FROM robustness").pl()
    if rows["condition"].n_unique() < 2:
        return None
    mine = rows.filter(pl.col("detector").is_in(shown)).with_columns(
        trained=pl.when(train_condition=CLEAN.name)
        .then(pl.col("detector"))
        .otherwise(pl.format("{}, trained on what is shown", "detector"))
    )
    plots = [
        Figure(
            f"robustness-{suite}-{name}",
            charts.dots(part, "acc", "condition", colour="trained", title="accuracy, held-out generators"),
            f"{suite}, trained on {name}: what pictures were put through before anything looked at them.",
        )
        for (suite, name), part in mine.partition_by("suite", "training_set", as_dict=True, maintain_order=True).items()
    ]
    said = settings.select("condition", "operations", "published")
    table = rows.join(said, on="condition", how="left", maintain_order="left")
    words = (
        "delivered is the change from the same runs on the pictures as they are; matched that from runs trained on"
        " those, under the same condition; both paired. Pictures are put through a condition before patch selection."
    )
    return Section("robustness", "Conditions", words, plots, table)


def bias(connection: duckdb.DuckDBPyConnection) -> Section | None:
    """Null spaces with and without planted bias, where a project has controls."""
    rows = connection.sql("FROM controls WHERE condition = 'clean' AND train_condition = 'clean'").pl()
    if rows["training_set"].n_unique() < 2:
        return None
    rows = rows.with_columns(head=pl.format("{}, {}", "view", "null_space"))
    plots = [
        Figure(
            f"bias-{suite}",
            charts.dots(part, "acc", "head", colour="training_set", title="accuracy, held-out generators"),
            f"{suite}: linear heads by view and null space, on each training set.",
        )
        for (suite,), part in rows.partition_by("suite", as_dict=True, maintain_order=True).items()
    ]
    words = (
        "The same linear heads, trained with and without bias of content, with what is projected out of their features."
        " Curves by dose of bias are a study of their own: docs/null_spaces.md."
    )
    return Section("bias", "Null spaces and bias", words, plots, rows)


def scores(connection: duckdb.DuckDBPyConnection, shown: list[str]) -> Section:
    """Histograms of scores and reliability diagrams."""
    where = """
        FROM predictions p JOIN runs r USING (run_id)
        JOIN (SELECT DISTINCT image_id, label FROM samples WHERE split = 'test') USING (image_id)
        WHERE p."current" AND r."current" AND p.split = 'test' AND p.condition = 'clean'
          AND r.train_condition = 'clean' AND list_contains($shown, r.detector)"""
    histogram = connection.sql(
        f"""
        SELECT training_set, detector, CASE label WHEN 1 THEN 'fake' ELSE 'real' END AS label,
               (bin + 0.5) / 25 AS score, n / sum(n) OVER (PARTITION BY training_set, detector, label) AS share
        FROM (SELECT training_set, detector, label, least(24, floor(score * 25)) AS bin, count(*) AS n {where}
              GROUP BY ALL)
        ORDER BY ALL""",
        params={"shown": shown},
    ).pl()
    reliability = connection.sql(
        f"""
        WITH one AS (SELECT training_set, detector, label, score {where}),
        weighed AS (SELECT *, 1 / count(*) OVER (PARTITION BY training_set, detector, label) AS weight FROM one)
        SELECT training_set, detector, sum(score * weight) / sum(weight) AS score,
               sum(label * weight) / sum(weight) AS fakes, count(*) AS n
        FROM weighed GROUP BY training_set, detector, least(14, floor(score * 15))
        ORDER BY training_set, detector, 3""",
        params={"shown": shown},
    ).pl()
    plots = []
    for name, part in each_training_set(histogram):
        caption = f"Trained on {name}: scores of test pictures, all seeds; dashed: reals."
        plots.append(Figure(f"scores-{name}", charts.histogram(part, "score, probability of fake"), caption))
    for name, part in each_training_set(reliability):
        caption = f"Trained on {name}: reliability in 15 bins; on the diagonal a detector means what it says."
        plots.append(Figure(f"reliability-{name}", charts.reliability(part), caption))
    words = "Of the detectors in evaluate.shown. In-domain generators are among the fakes; classes weigh the same."
    return Section("scores", "Scores", words, plots, reliability)


def spectrum(rows: pl.DataFrame) -> Section | None:
    """Singular values of the captions, where the backbone has a text tower."""
    if rows.is_empty():
        return None
    figure = Figure("spectrum", charts.spectrum(rows), "Singular values of the training captions, log axis.")
    words = "The directions removed are the semantic space of the text null space; the rest is kept."
    return Section("spectrum", "Spectrum of the captions", words, [figure], rows)


def maps(rows: pl.DataFrame) -> Section | None:
    """Features before and after each null space."""
    if rows.is_empty():
        return None
    plots = []
    for (null_space,), part in rows.partition_by("null_space", as_dict=True, maintain_order=True).items():
        for colour in ("label", "content"):
            caption = f"{null_space}: pictures by {colour}, features of the {part['view'][0]}."
            plots.append(Figure(f"map-{null_space}-{colour}", charts.map_of(part, colour), caption))
    counts = rows.group_by("null_space", "view", "label", "content", maintain_order=True).len("pictures")
    words = (
        "Each pair of maps shows the same test pictures, once by label and once by content, after a null space was"
        " projected out. Axes are the two main directions of what is left: maps of different null spaces share none."
    )
    return Section("maps", "Features before and after", words, plots, counts)


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
        figures = [Figure("audit", chart, "How well format, size, JPEG quality and the like tell real from fake.")]
    words = f"{rows['flagged'].sum()} of {rows.height} generators are given away by their files alone."
    return Section("audit", "Bias audit", words, figures, rows)


def real_sources(connection: duckdb.DuckDBPyConnection, shown: list[str]) -> Section:
    """R.Acc by source of the reals."""
    rows = connection.sql("FROM real_sources").pl()
    mine = rows.filter(pl.col("detector").is_in(shown), condition=CLEAN.name)
    plots = [
        Figure(
            f"real-sources-{name}",
            charts.dots(
                part, "r_acc", "source", colour="detector", domain=(0.0, 1.0), title="share called real at 0.5"
            ),
            f"Trained on {name}: R.Acc by source of the photographs.",
        )
        for name, part in each_training_set(mine)
    ]
    words = "One figure over all reals hides a source that a detector calls fake altogether."
    return Section("real-sources", "Real sources", words, plots, rows)


def provenance(connection: duckdb.DuckDBPyConnection) -> Section:
    """Where every figure comes from."""
    rows = connection.sql(
        """
        SELECT run_id, detector, training_set, train_condition, seed, code_checksum, data_checksum, backbone_id,
               detector_sha256, device, "precision"
        FROM runs WHERE "current" ORDER BY training_set, train_condition, detector, seed"""
    ).pl()
    tested = connection.sql("SELECT DISTINCT code_checksum, data_checksum FROM results ORDER BY ALL").fetchall()
    words = "Evaluated by code " + "; ".join(f"{code} on data {data}" for code, data in tested) + "."
    return Section("provenance", "Provenance", words, table=rows)
