"""Plots of the tables: same numbers, same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nsnet.core.files import atomic_path

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "nsnet"
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
FAMILY_GAP = 0.8


def generators_plot(results: pl.DataFrame, runs: pl.DataFrame, shown: list[str], title: str, path: Path) -> None:
    """Accuracy of some detectors on every generator, family by family, with 95 % intervals."""
    rows = results.filter(metric="acc").join(runs.select("run_id", "detector"), on="run_id")
    labels = rows.select("in_domain", "family", "generator").unique().sort("in_domain", "family", "generator")
    places, at, before = {}, 0.0, None
    for in_domain, family, generator in labels.iter_rows():
        at += 1 + (FAMILY_GAP if before not in (None, (in_domain, family)) else 0)
        places[generator], before = at, (in_domain, family)
    figure, axes = plt.subplots(figsize=(7.5, 0.22 * at + 1.6), layout="constrained")
    for detector, colour, shift in zip(shown, (BLUE, ORANGE, GREY), (-0.2, 0.0, 0.2), strict=False):
        mine = rows.filter(detector=detector)
        ys = [places[generator] + shift for generator in mine["generator"]]
        errors = [(mine["value"] - mine["ci_low"]).clip(0), (mine["ci_high"] - mine["value"]).clip(0)]
        axes.errorbar(mine["value"], ys, xerr=errors, fmt="o", ms=3.5, lw=1, color=colour, label=detector)
    names = [f"{row[2]} (in-domain)" if row[0] else row[2] for row in labels.iter_rows()]
    axes.set_yticks(list(places.values()), names, fontsize=7)
    axes.axvline(0.5, color="black", lw=0.6, ls=":")
    axes.set(xlabel="accuracy (mean of R.Acc and F.Acc), 95 % interval", title=title, xlim=(0.3, 1.02))
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=3, frameon=False)
    _save(figure, path)


def audit_plot(bias: pl.DataFrame, flag_auc: float, path: Path) -> None:
    """AUC of file metadata alone, by generator, with 95 % intervals and the flag's threshold."""
    rows = bias.filter(pl.col("auc").is_not_null()).sort("auc", "suite", "generator")
    figure, axes = plt.subplots(figsize=(6, 0.2 * rows.height + 1.4), layout="constrained")
    places = list(range(rows.height))
    errors = [rows["auc"] - rows["auc_low"], rows["auc_high"] - rows["auc"]]
    axes.errorbar(rows["auc"], places, xerr=errors, fmt="none", lw=1, color=GREY)
    colours = [ORANGE if flagged else BLUE for flagged in rows["flagged"]]
    axes.scatter(rows["auc"], places, s=14, zorder=3, c=colours)
    axes.set_yticks(places, rows.select(pl.format("{}/{}", "suite", "generator")).to_series().to_list(), fontsize=7)
    axes.axvline(0.5, color="black", lw=0.6, ls=":")
    axes.axvline(flag_auc, color=ORANGE, lw=0.8, ls="--")
    axes.set(xlabel="AUC of file metadata alone, 95 % interval", xlim=(0, 1.02))
    axes.set_title("Do the files give the label away?")
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def spectrum_plot(spectrum: pl.DataFrame, path: Path) -> None:
    """Singular values of the captions on a log axis; the retained ones are the semantic space."""
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for retained, colour, label in ((True, ORANGE, "semantic (removed)"), (False, GREY, "null space (kept)")):
        rows = spectrum.filter(retained=retained)
        axes.semilogy(rows["k"] + 1, rows["singular_value"].clip(1e-12), "o", ms=3, color=colour, label=label)
    axes.set(xlabel="direction", ylabel="singular value", title="Text semantics: spectrum of the training captions")
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})
    plt.close(figure)
