"""A trial: other settings in a folder of its own, the same data and store, and a project that stays as it was."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from nsnet.core.paths import Paths
from nsnet.evaluation.contracts import Predictions
from nsnet.nightly.leaderboard import changed_rows
from nsnet.nightly.reproduction import reproduce
from nsnet.profiles.trials import Trial, prepare_trial
from nsnet.training.contracts import Runs
from tests.conftest import run


def digests(folder: Path) -> dict[str, str]:
    """Of all that a project has, but for its store, DVC's cache and what it was asked."""
    aside = {"store", ".dvc", ".git", "__pycache__"}
    files = [path for path in folder.rglob("*") if path.is_file() and not aside & {*path.parts}]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_it_trains_what_is_asked_on_the_same_data_and_changes_nothing(
    project: Path, copy_of: Callable[[Path], Path]
) -> None:
    paths = Paths(copy_of(project))
    before = digests(paths.root)
    trial = Trial(seed=1, detectors=("univfd",))
    folder = prepare_trial(paths, trial)
    assert trial.words == "seed 1, detectors ('univfd',)" and folder.is_relative_to(paths.store)
    reproduce(folder, lambda line: None)
    rows = pl.read_parquet(Paths(folder).table(Runs))
    assert set(rows.select("detector", "seed").rows()) == {("univfd", 1)}
    # Seed and detector are trained already: the same run, from the store, with the same scores.
    whole = pl.read_parquet(paths.table(Predictions)).filter(pl.col("run_id").is_in(rows["run_id"].implode()))
    assert pl.read_parquet(Paths(folder).table(Predictions)).equals(whole)
    origin, board = changed_rows(folder, [], "lab")
    assert "LAB" in origin and {row["detector"] for row in board} == {"univfd"}
    with pytest.raises(ValueError, match="did you mean lab"):
        changed_rows(folder, [], "labb")
    assert digests(paths.root) == before
    assert run(paths.root, "git", "status", "--porcelain").stdout == ""
    assert prepare_trial(paths, trial) == folder


def test_it_is_checked_as_the_settings_are(project: Path) -> None:
    with pytest.raises(ValueError, match="did you mean univfd"):
        prepare_trial(Paths(project), Trial(detectors=("univfdd",)))
    with pytest.raises(ValueError, match=r"params.yaml with seed -1 has 1 fault\(s\):\n.*train.seeds"):
        prepare_trial(Paths(project), Trial(seed=-1))
    assert not Trial().asked and Trial(suite="lab").asked and Trial(seed=0).asked
    values = yaml.safe_load((project / "params.yaml").read_text())
    assert values["train"]["seeds"] == [0, 1]
