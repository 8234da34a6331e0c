"""What the report shows: each section a title, words, charts, and the table behind them."""

from __future__ import annotations

import duckdb
import polars as pl

from nsnet.core.printing import span
from nsnet.features.conditions import CLEAN
from nsnet.reporting.report import charts
from nsnet.reporting.report.parts import Chosen, Figure, Section, counted, over, panels
from nsnet.reporting.report.scores import histogram, reliability

# White in a heat map of accuracies: blue detectors are of some use.
MIDDLE = 0.7


def leaderboard(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section:
    """Detectors by held-out accuracy."""
    rows = connection.sql("FROM leaderboard").pl()
    columns = ["suite", "training_set", "train_condition", "condition", "detector", "kind", "view", "null_space"]
    figures = ["acc", "ap", "auroc", "acc_low", "acc_high", "acc_population_low", "acc_population_high"]
    more = ["acc_validation", "r_acc", "f_acc", "plain_acc", "plain_ap", "n_generators", "n_seeds"]
    plots = [
        Figure(
            f"leaderboard-{name}",
            charts.dots(part, "acc", "detector", elsewhere=True, title="accuracy, held-out generators"),
            f"{words}: mean accuracy at 0.5 over {over(part)}; thick: this benchmark again, thin: another generator.",
        )
        for name, words, part in panels(rows.filter(condition=chosen.condition))
    ]
    words = (
        "acc is the mean of R.Acc and F.Acc at 0.5 over held-out generators and training seeds. Two intervals, because"
        " there are two questions: this benchmark again (other pictures and training seeds), and another generator."
        " acc validation is at a threshold chosen on validation pictures; none was chosen on test pictures."
    )
    return Section("leaderboard", "Leaderboard", words, plots, rows.select(*columns, *figures, *more))


def generators(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section:
    """Every generator against every detector."""
    rows = connection.sql("FROM cross_domain").pl()
    shown = rows.filter(condition=chosen.condition)
    order = shown.group_by("detector").agg(pl.col("acc").mean()).sort("acc", "detector", descending=[True, False])
    rank = pl.col("detector").replace_strict({name: place for place, name in enumerate(order["detector"])})
    shown = shown.with_columns(generator_of=pl.format("{} / {}", "family", "generator"), rank=rank).sort(
        "suite", "training_set", "in_domain", "family", "generator", "rank"
    )
    details = ["acc_low", "acc_high", "n_fake", "in_domain"]
    plots = [
        Figure(
            f"generators-{name}",
            charts.heat_map(part, "detector", "generator_of", "acc", MIDDLE, details),
            f"{words}: accuracy at 0.5 by generator, in-domain last, {counted(part)}; the interval shows on hover.",
        )
        for name, words, part in panels(shown)
    ]
    columns = ["suite", "training_set", "train_condition", "condition", "family", "generator", "in_domain", "detector"]
    table = rows.select(*columns, "acc", "acc_low", "acc_high", "n_real", "n_fake", "file_auc", "files_give_label_away")
    words = f"White is an accuracy of {MIDDLE}, red below and blue above. A family is a kind of generator."
    return Section("generators", "Every generator", words, plots, table)


def families(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section:
    """Means of families."""
    rows = connection.sql("FROM families").pl()
    plots = [
        Figure(
            f"families-{name}",
            charts.dots(part.sort("family"), "acc", "family", colour="detector", title="accuracy by family"),
            f"{words}: by family, mean accuracy at 0.5 over {over(part)}.",
        )
        for name, words, part in panels(chosen.of(rows))
    ]
    return Section("families", "Families", "Held-out generators only.", plots, rows)


def robustness(connection: duckdb.DuckDBPyConnection, chosen: Chosen, settings: pl.DataFrame) -> Section | None:
    """What pictures go through, if they are tested under more than one condition."""
    rows = connection.sql("FROM robustness").pl()
    if rows["condition"].n_unique() < 2:
        return None
    mine = rows.filter(pl.col("detector").is_in(chosen.detectors)).with_columns(
        trained=pl.when(train_condition=CLEAN.name)
        .then(pl.col("detector"))
        .otherwise(pl.format("{}, trained on what is shown", "detector"))
    )
    plots = [
        Figure(
            f"robustness-{name}",
            charts.dots(part, "acc", "condition", colour="trained", title="accuracy, held-out generators"),
            f"{words}: accuracy at 0.5 over {over(part)}, by what pictures were put through before anything looked.",
        )
        for name, words, part in panels(mine.drop("train_condition"))
    ]
    said = settings.select("condition", "operations", "published")
    table = rows.join(said, on="condition", how="left", maintain_order="left")
    words = (
        "delivered is the change from the same runs on the pictures as they are; matched that from runs trained on"
        " those, under the same condition; both paired. Pictures are put through a condition before patch selection."
    )
    return Section("robustness", "Conditions", words, plots, table)


def bias(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section | None:
    """Null spaces with and without planted bias, where a project has controls."""
    rows = connection.sql("FROM controls").pl().filter(condition=chosen.condition, train_condition=chosen.condition)
    if rows["training_set"].n_unique() < 2:
        return None
    rows = rows.with_columns(head=pl.format("{}, {}", "view", "null_space"))
    plots = [
        Figure(
            f"bias-{suite}",
            charts.dots(part, "acc", "head", colour="training_set", title="accuracy, held-out generators"),
            f"{suite}: linear heads by view and null space, on each training set; accuracy at 0.5 over {over(part)}.",
        )
        for (suite,), part in rows.partition_by("suite", as_dict=True, maintain_order=True).items()
    ]
    words = (
        "The same linear heads, trained with and without bias of content, with what is projected out of their features."
    )
    return Section("bias", "Null spaces and bias", words, plots, rows)


def scores(connection: duckdb.DuckDBPyConnection, chosen: Chosen) -> Section:
    """Histograms of scores and reliability diagrams."""
    bins = histogram(connection, chosen.detectors, chosen.condition)
    calibration = reliability(connection, chosen.detectors, chosen.condition)
    plots = []
    for name, words, part in panels(bins):
        caption = f"{words}: {_scored(part)}; dashed: reals; 0.5 is the threshold of acc."
        plots.append(Figure(f"scores-{name}", charts.histogram(part, "score, probability of fake"), caption))
    for name, words, part in panels(calibration):
        total = span(part.group_by("detector").agg(pl.col("n").sum())["n"])
        caption = f"{words}: reliability in 15 bins, {total} scores a detector; on the diagonal it means what it says."
        plots.append(Figure(f"reliability-{name}", charts.reliability(part), caption))
    words = "Of the detectors in evaluate.shown. In-domain generators are among the fakes; classes weigh the same."
    return Section("scores", "Scores", words, plots, calibration)


def _scored(bins: pl.DataFrame) -> str:
    """How many scores a histogram holds."""
    counts = bins.group_by("detector", "label").agg(pl.col("n").sum())
    fakes, reals = (span(counts.filter(label=name)["n"]) for name in ("fake", "real"))
    return f"{fakes} scores of fakes and {reals} of reals a detector, all seeds"


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
