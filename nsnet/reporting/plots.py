"""Plots of the tables: same numbers, same bytes."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import polars as pl
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.printing import printable, span
from nsnet.features.conditions import CLEAN

mpl.use("Agg")
mpl.rcParams["svg.hashsalt"] = "nsnet"
BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#718096"
FAMILY_GAP = 0.8
ACCURACY = "accuracy at threshold 0.5 (mean of R.Acc and F.Acc), 95 % interval"


def generators_plot(rows: pl.DataFrame, shown: list[str], title: str, path: Path) -> None:
    """Accuracy of some detectors on every generator, grouped by family, with 95 % intervals over images and seeds.

    Args:
        rows: view per_generator, metric acc, of one training set, suite and condition.
        shown: names of detectors, at most three.
        title: heading.
        path: .svg to write.

    Raises:
        ValueError: a detector that has no rows, with the nearest ones.
    """
    known = rows["detector"].unique().to_list()
    for detector in shown:
        if detector not in known:
            raise unknown("detector in evaluate.shown", detector, known)
    labels = rows.select("in_domain", "family", "generator").unique().sort("in_domain", "family", "generator")
    places: dict[str, float] = {}
    families: list[tuple[str, float]] = []
    at = 0.0
    for (in_domain, family), members in labels.partition_by("in_domain", "family", as_dict=True).items():
        places |= {name: at + number for number, name in enumerate(members["generator"])}
        families.append((f"{family} (in-domain)" if in_domain else str(family), at + (members.height - 1) / 2))
        at += members.height + FAMILY_GAP
    figure, axes = plt.subplots(figsize=(8.5, 0.22 * at + 1.6), layout="constrained")
    for detector, colour, shift in zip(shown, (BLUE, ORANGE, GREY), (-0.2, 0.0, 0.2), strict=False):
        mine = rows.filter(detector=detector)
        ys = [places[generator] + shift for generator in mine["generator"]]
        errors = [(mine["value"] - mine["value_low"]).clip(0), (mine["value_high"] - mine["value"]).clip(0)]
        axes.errorbar(mine["value"], ys, xerr=errors, fmt="o", ms=3.5, lw=1, color=colour, label=_plain(detector))
    axes.set_yticks(list(places.values()), [_plain(name) for name in places], fontsize=7)
    beside = axes.secondary_yaxis("right")
    beside.set_yticks([place for _, place in families], [_plain(name) for name, _ in families], fontsize=7)
    beside.tick_params(length=0)
    axes.axvline(0.5, color="black", lw=0.6, ls=":")
    counted = rows.filter(pl.col("detector").is_in(shown))
    fakes, reals, seeds = (span(counted[name]) for name in ("n_fake", "n_real", "n_seeds"))
    words = f"{fakes} fakes of each against {reals} reals, {seeds} training seeds"
    axes.set(xlabel=ACCURACY, title=f"{_plain(title)}\n{words}", xlim=(0, 1.02))
    axes.set_ylim(at - FAMILY_GAP, -1)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _save(figure, path)


def conditions_plot(rows: pl.DataFrame, shown: list[str], title: str, path: Path) -> None:
    """Held-out accuracy of some detectors under every condition, with 95 % intervals for this benchmark again.

    Those trained on what is shown stand hollow beside those trained on pictures as they are.

    Args:
        rows: view robustness of one suite and training set.
        shown: names of detectors, at most three; those without rows are left out.
        title: heading.
        path: .svg to write.
    """
    conditions = list(dict.fromkeys(rows["condition"]))
    figure, axes = plt.subplots(figsize=(8.5, 0.36 * len(conditions) + 1.6), layout="constrained")
    for detector, colour, shift in zip(shown, (BLUE, ORANGE, GREY), (-0.24, 0.0, 0.24), strict=False):
        mine = rows.filter(detector=detector)
        for same, fill, beside in ((False, colour, 0.0), (True, "white", 0.1)):
            part = mine.filter((pl.col("train_condition") != CLEAN.name) == same)
            if part.is_empty():
                continue
            ys = [conditions.index(name) + shift + beside for name in part["condition"]]
            errors = [(part["acc"] - part["acc_low"]).clip(0), (part["acc_high"] - part["acc"]).clip(0)]
            label = _plain(detector) + (", trained on what is shown" if same else "")
            axes.errorbar(part["acc"], ys, xerr=errors, fmt="o", ms=4, lw=1, color=colour, mfc=fill, label=label)
    axes.set_yticks(range(len(conditions)), [_plain(name) for name in conditions], fontsize=8)
    axes.axvline(0.5, color="black", lw=0.6, ls=":")
    counted = rows.filter(pl.col("detector").is_in(shown))
    generators, seeds = (span(counted[name]) for name in ("n_generators", "n_seeds"))
    words = f"mean over {generators} held-out generators and {seeds} training seeds"
    axes.set(xlabel=ACCURACY, title=f"{_plain(title)}\n{words}", xlim=(0.4, 1.02))
    axes.set_ylim(len(conditions) - 0.5, -0.5)
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    _save(figure, path)


def audit_plot(bias: pl.DataFrame, flag_auc: float, path: Path) -> None:
    """AUC of file metadata alone, by generator, with 95 % intervals and the flag's threshold.

    Args:
        bias: view bias_audit.
        flag_auc: audit.flag_auc.
        path: .svg to write.
    """
    rows = bias.filter(pl.col("auc").is_not_null()).sort("auc", "suite", "generator")
    figure, axes = plt.subplots(figsize=(6, 0.2 * rows.height + 1.4), layout="constrained")
    places = list(range(rows.height))
    errors = [rows["auc"] - rows["auc_low"], rows["auc_high"] - rows["auc"]]
    axes.errorbar(rows["auc"], places, xerr=errors, fmt="none", lw=1, color=GREY)
    colours = [ORANGE if flagged else BLUE for flagged in rows["flagged"]]
    axes.scatter(rows["auc"], places, s=14, zorder=3, c=colours)
    names = [_plain(f"{suite}/{generator}") for suite, generator in rows.select("suite", "generator").iter_rows()]
    axes.set_yticks(places, names, fontsize=7)
    axes.axvline(0.5, color="black", lw=0.6, ls=":")
    axes.axvline(flag_auc, color=ORANGE, lw=0.8, ls="--")
    axes.set(xlabel="AUC of file metadata alone, 95 % interval", xlim=(0, 1.02))
    fakes, reals = (span(rows[name]) for name in ("n_fake", "n_real"))
    words = f"{fakes} fakes of each against {reals} reals; dashed: flagged from {flag_auc:g} on"
    axes.set_title(f"Do the files give the label away?\n{words}", fontsize=10)
    axes.grid(axis="x", alpha=0.3)
    _save(figure, path)


def spectrum_plot(spectrum: pl.DataFrame, path: Path) -> None:
    """Singular values of each training set's captions on a log axis; the retained ones are the semantic space.

    A backbone without a text tower has none: the figure says so.

    Args:
        spectrum: table semantic_spectrum.
        path: .svg to write.
    """
    sets = spectrum["training_set"].unique().sort().to_list()
    height = max(1, len(sets))
    figure, grid = plt.subplots(height, figsize=(6, 3.2 * height), layout="constrained", squeeze=False)
    if not sets:
        grid[0, 0].set_axis_off()
        grid[0, 0].text(0.5, 0.5, "no spectrum of captions: the backbone has no text tower", ha="center")
    for name, axes in zip(sets, grid[:, 0], strict=False):
        mine = spectrum.filter(training_set=name)
        for retained, colour, label in ((True, ORANGE, "semantic (removed)"), (False, GREY, "null space (kept)")):
            rows = mine.filter(retained=retained)
            axes.semilogy(rows["k"] + 1, rows["singular_value"].clip(1e-12), "o", ms=3, color=colour, label=label)
        title = _plain(f"Spectrum of the training captions: {name}")
        axes.set(xlabel="direction", ylabel="singular value", title=title)
        axes.legend(frameon=False)
        axes.grid(alpha=0.3)
    _save(figure, path)


def _plain(text: str) -> str:
    """Names as they are: no control characters, and no dollars that begin a formula."""
    return printable(text).replace("$", r"\$")


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, metadata={"Date": None})
    plt.close(figure)
