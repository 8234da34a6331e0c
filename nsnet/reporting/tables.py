"""Tables for people: Markdown and CSV from the evaluation's Parquet tables."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.paths import Paths
from nsnet.features.contracts import CLEAN

DIGITS = 3
FILE_BIAS = ("file AUC", "files give label away")


def leaderboard(runs: pl.DataFrame, means: pl.DataFrame) -> pl.DataFrame:
    """Held-out means of some runs' detectors, best accuracy first; intervals as low..high."""
    named = means.join(runs.select("run_id", "detector"), on="run_id")
    rows = named.filter(group="held-out")
    wide = rows.pivot("metric", index=["suite", "detector"], values="value")
    acc = rows.filter(metric="acc").select(
        "suite",
        "detector",
        interval=_range("ci_low", "ci_high"),
        difference="difference",
        difference_interval=_range("difference_low", "difference_high"),
        n_generators="n_generators",
    )
    in_domain = named.filter(group="in-domain", metric="acc").select("suite", "detector", in_domain_acc="value")
    joined = wide.join(acc, on=["suite", "detector"]).join(in_domain, on=["suite", "detector"], how="left")
    baseline = next(iter(means["baseline"]), "baseline")
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


def per_generator(runs: pl.DataFrame, results: pl.DataFrame, bias: pl.DataFrame) -> pl.DataFrame:
    """Every metric of every detector on every generator, with n and interval; one row each."""
    rows = results.join(runs.select("run_id", "detector"), on="run_id").join(_flags(bias), on=["suite", "generator"])
    order = ["suite", "family", "generator", "detector", "metric"]
    return rows.select(
        *order, "in_domain", "value", "ci_low", "ci_high", "n_real", "n_fake", *FILE_BIAS, "run_id"
    ).sort(order)


def cross_domain(runs: pl.DataFrame, results: pl.DataFrame, bias: pl.DataFrame) -> pl.DataFrame:
    """Accuracy, generator by detector; generators seen in training, or given away by their files, are flagged."""
    rows = results.filter(metric="acc").join(runs.select("run_id", "detector"), on="run_id")
    flagged = rows.join(_flags(bias), on=["suite", "generator"])
    index = ["suite", "in_domain", "family", "generator", "n_real", "n_fake", *FILE_BIAS]
    wide = flagged.sort("detector").pivot("detector", index=index, values="value")
    return wide.sort("suite", "in_domain", "family", "generator")


def bias_audit(bias: pl.DataFrame) -> pl.DataFrame:
    """What the files of each generator look like, and how well they give the label away; worst first."""
    names = ("formats", "sizes", "aspect", "jpeg_quality", "modes", "exif")
    sides = [f"{name}_{side}" for name in names for side in ("real", "fake")]
    ranked = bias.sort("auc", "suite", "generator", descending=[True, False, False], nulls_last=True)
    interval = _range("auc_low", "auc_high").alias("auc 95 %")
    return ranked.select("suite", "generator", "n_real", "n_fake", *sides, "auc", interval, "flagged")


def conditions(runs: pl.DataFrame, means: pl.DataFrame) -> pl.DataFrame:
    """Held-out accuracy of each detector on pictures as they are and harmonised, side by side."""
    rows = means.filter(group="held-out", metric="acc").join(runs.drop("condition"), on="run_id")
    cells = rows.with_columns(cell=pl.format("{} ({})", _rounded("value"), _range("ci_low", "ci_high")))
    index = ["suite", "training_set", "detector", "n_generators"]
    return cells.sort("condition").pivot("condition", index=index, values="cell").sort(index)


def _flags(bias: pl.DataFrame) -> pl.DataFrame:
    return bias.select("suite", "generator", "auc", "flagged").rename(
        dict(zip(("auc", "flagged"), FILE_BIAS, strict=True))
    )


def families(runs: pl.DataFrame, means: pl.DataFrame) -> pl.DataFrame:
    """Held-out accuracy by family and detector."""
    rows = means.filter(pl.col("group").str.starts_with("family:"), metric="acc")
    named = rows.join(runs.select("run_id", "detector"), on="run_id").sort("group")
    wide = named.pivot("group", index=["suite", "detector"], values="value")
    return wide.rename({name: name.removeprefix("family:") for name in wide.columns}).sort("suite", "detector")


def controls(runs: pl.DataFrame, means: pl.DataFrame) -> pl.DataFrame:
    """Does the projection help because it removes semantics? Accuracy by bias, view and directions removed.

    Linear heads without the contrastive loss, held-out generators; each cell is the mean
    and its 95 % interval.
    """
    rows = means.filter(group="held-out", metric="acc", condition=CLEAN).join(runs.drop("condition"), on="run_id")
    plain = rows.filter(~pl.col("contrastive"), kind="linear")
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
    if isinstance(value, float):
        return f"{value:.{DIGITS}f}"
    return " ".join(str(value).replace("|", "\\|").splitlines())
