"""Tables for people: Markdown and CSV from the evaluation's Parquet tables."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from nsnet.files import atomic_path
from nsnet.paths import Paths

DIGITS = 3


def leaderboard(runs: pl.DataFrame, means: pl.DataFrame, training_set: str) -> pl.DataFrame:
    """Held-out means of the detectors of one training set, best accuracy first; intervals as low..high."""
    rows = means.join(runs, on="run_id").filter(training_set=training_set, group="held-out")
    wide = rows.pivot("metric", index=["suite", "detector"], values="value")
    acc = rows.filter(metric="acc").select(
        "suite",
        "detector",
        interval=_range("ci_low", "ci_high"),
        difference="difference",
        difference_interval=_range("difference_low", "difference_high"),
        n_generators="n_generators",
    )
    seen = means.join(runs, on="run_id").filter(training_set=training_set, group="in-domain", metric="acc")
    in_domain = seen.select("suite", "detector", in_domain_acc="value")
    joined = wide.join(acc, on=["suite", "detector"]).join(in_domain, on=["suite", "detector"], how="left")
    baseline = rows["baseline"][0]
    return joined.sort("suite", "acc", "detector", descending=[False, True, False]).select(
        "suite",
        "detector",
        pl.col("acc"),
        pl.col("interval").alias("acc 95 %"),
        "r_acc",
        "f_acc",
        "ap",
        pl.col("difference").alias(f"acc - {baseline}"),
        pl.col("difference_interval").alias("difference 95 %"),
        pl.col("in_domain_acc").alias("in-domain acc"),
        pl.col("n_generators").alias("held-out n"),
    )


def per_generator(runs: pl.DataFrame, results: pl.DataFrame, training_set: str) -> pl.DataFrame:
    """Every metric of every detector on every generator, with n and interval; one row each."""
    rows = results.drop("data_checksum", "backbone_id", "git_revision").join(runs, on="run_id")
    order = ["suite", "family", "generator", "detector", "metric"]
    return (
        rows.filter(training_set=training_set)
        .select(*order, "in_domain", "value", "ci_low", "ci_high", "n_real", "n_fake", "run_id")
        .sort(order)
    )


def cross_domain(runs: pl.DataFrame, results: pl.DataFrame, training_set: str) -> pl.DataFrame:
    """Accuracy, generator by detector; in-domain generators are flagged and sorted apart."""
    rows = results.filter(metric="acc").join(runs.select("run_id", "detector", "training_set"), on="run_id")
    wide = (
        rows.filter(training_set=training_set)
        .sort("detector")
        .pivot("detector", index=["suite", "in_domain", "family", "generator", "n_real", "n_fake"], values="value")
    )
    return wide.sort("suite", "in_domain", "family", "generator")


def families(runs: pl.DataFrame, means: pl.DataFrame, training_set: str) -> pl.DataFrame:
    """Held-out accuracy by family and detector."""
    rows = means.filter(pl.col("group").str.starts_with("family:"), metric="acc").join(runs, on="run_id")
    wide = (
        rows.filter(training_set=training_set).sort("group").pivot("group", index=["suite", "detector"], values="value")
    )
    return wide.rename({name: name.removeprefix("family:") for name in wide.columns}).sort("suite", "detector")


def controls(runs: pl.DataFrame, means: pl.DataFrame) -> pl.DataFrame:
    """Does the projection help because it removes semantics? Accuracy by bias, view and directions removed.

    Linear heads without the contrastive loss, held-out generators; each cell is the mean
    and its 95 % interval.
    """
    rows = means.filter(group="held-out", metric="acc").join(runs, on="run_id")
    plain = rows.filter(~pl.col("contrastive"), pl.col("detector") != "cnn-control")
    cells = plain.with_columns(cell=pl.format("{} ({})", _rounded("value"), _range("ci_low", "ci_high")))
    wide = cells.sort("null_space").pivot("null_space", index=["suite", "training_set", "view"], values="cell")
    names = {"none": "no projection", "text": "text null space", "random": "random directions"}
    kept = [name for name in names if name in wide.columns]
    return (
        wide.select("suite", "training_set", "view", *kept)
        .rename({k: names[k] for k in kept})
        .sort("suite", "training_set", "view")
    )


def markdown_table(frame: pl.DataFrame) -> str:
    """A Markdown table: numbers right-aligned, floats to three digits."""
    align = ["---:" if dtype.is_numeric() else "---" for dtype in frame.dtypes]
    lines = ["| " + " | ".join(frame.columns) + " |", "| " + " | ".join(align) + " |"]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in frame.iter_rows()]
    return "\n".join(lines) + "\n"


def write_report(paths: Paths, name: str, frame: pl.DataFrame, title: str, notes: list[str]) -> None:
    """Write tables/NAME.md and tables/NAME.csv."""
    rounded = frame.with_columns(pl.col(column).round(6) for column in frame.columns if frame[column].dtype.is_float())
    texts: dict[str, Callable[[], str]] = {
        "md": lambda: f"# {title}\n\n" + "\n\n".join(notes) + "\n\n" + markdown_table(frame),
        "csv": rounded.write_csv,
    }
    for suffix, text in texts.items():
        with atomic_path(paths.tables / f"{name}.{suffix}") as temporary:
            temporary.write_text(text(), encoding="utf-8")


def _rounded(column: str) -> pl.Expr:
    return pl.col(column).map_elements(lambda value: f"{value:.{DIGITS}f}", return_dtype=pl.String)


def _range(low: str, high: str) -> pl.Expr:
    return pl.format("{}..{}", _rounded(low), _rounded(high))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.{DIGITS}f}" if isinstance(value, float) else str(value)
