"""Trained detectors for use elsewhere: a folder with their files, their table and the spectrum behind them."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import PACKAGE
from nsnet.semantics.contracts import SemanticSpectrum
from nsnet.training.contracts import Runs

# Three detectors of the lab, for whoever has no project: `nsnet runs export` wrote the folder.
SHIPPED = Paths(PACKAGE / "shipped")


def export_runs(
    paths: Paths, out: Path, detectors: Iterable[str], training_sets: Iterable[str], seeds: Iterable[int]
) -> pl.DataFrame:
    """Copy some of a project's trained detectors into a folder that can be scored with elsewhere.

    Args:
        paths: of the project.
        out: gets the table runs, the detectors and the spectrum of their semantic bases.
        detectors, training_sets, seeds: which; empty ones leave nothing out.

    Returns:
        The table runs of the folder.

    Raises:
        FileNotFoundError: nothing was trained yet.
        ValueError: a name that there is not, with near ones, or no run of them together.
    """
    runs = read_table(Runs, paths.table(Runs))
    chosen, there = runs, Paths(out)
    for column, wanted in (("detector", detectors), ("training_set", training_sets), ("seed", seeds)):
        if names := list(wanted):
            there_are = list(map(str, runs[column].unique().sort()))
            for name in map(str, names):
                if name not in there_are:
                    raise unknown(column.replace("_", " "), name, there_are)
            chosen = chosen.filter(pl.col(column).is_in(names))
    if chosen.is_empty():
        raise ValueError(f"{paths.table(Runs)} has all of these names, but no run of them together")
    there.detectors.mkdir(parents=True, exist_ok=True)
    for run_id in chosen["run_id"]:
        with atomic_path(there.detectors / f"{run_id}.safetensors") as temporary:
            shutil.copyfile(paths.detectors / f"{run_id}.safetensors", temporary)
    spectrum = read_table(SemanticSpectrum, paths.table(SemanticSpectrum))
    kept = spectrum.filter(pl.col("training_set").is_in(chosen["training_set"].unique().to_list()))
    write_table(SemanticSpectrum, kept, there.table(SemanticSpectrum))
    write_table(Runs, chosen, there.table(Runs))
    return chosen
