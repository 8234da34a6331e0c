"""Outside of a checkout: a project of one's own, detectors that travel, and what is missing said in a line."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from nsnet.core.template import CODE, FILES, create_project
from nsnet.detectors.files import load_detector
from nsnet.training.contracts import Runs
from nsnet.training.exports import SHIPPED
from tests.conftest import ROOT, commit, run, tiny
from tests.trees import draw


def test_a_new_project_runs(tmp_path: Path) -> None:
    """`nsnet init DIR` gives a project whose stages run; it has none of the code."""
    folder = tmp_path / "mine"
    shown = run(ROOT, "nsnet", "init", str(folder)).stdout
    assert all(name in shown for name in FILES) and not (folder / "nsnet").exists()
    values = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny(values), sort_keys=False))
    commit(folder)
    finished = run(folder, "dvc", "repro", "corpus", project=ROOT)
    assert "292 images in = 292 used" in finished.stdout
    again = run(folder, "dvc", "repro", "corpus", project=ROOT)
    assert "Running stage" not in again.stdout
    # Another version of the code is another line of code.yaml, and its stages alone run again.
    code = yaml.safe_load((folder / CODE).read_text())
    (folder / CODE).write_text(yaml.safe_dump(code | {"stages-corpus": "changed"}))
    finished = run(folder, "dvc", "repro", "corpus", project=ROOT)
    assert "Running stage 'corpus'" in finished.stdout and "Running stage 'lab'" not in finished.stdout


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("mine: true\n")
    with pytest.raises(FileExistsError, match=r"params\.yaml already: name a new folder"):
        create_project(tmp_path)
    assert (tmp_path / "params.yaml").read_text() == "mine: true\n" and not (tmp_path / "dvc.yaml").exists()


def test_a_project_takes_pictures_from_elsewhere(tmp_path: Path) -> None:
    """`--data FOLDER` is what data.dvc imports; another run of it leaves what DVC wrote there alone."""
    pictures = tmp_path / "downloads"
    with pytest.raises(FileNotFoundError, match="downloads is not a folder"):
        create_project(tmp_path / "mine", data=pictures)
    pictures.mkdir()
    create_project(tmp_path / "mine", data=pictures)
    pointer = tmp_path / "mine/data.dvc"
    assert yaml.safe_load(pointer.read_text()) == {"deps": [{"path": str(pictures)}], "outs": [{"path": "data"}]}
    pointer.write_text(pointer.read_text() + "desc: as DVC left it\n")
    assert "data.dvc" not in create_project(tmp_path / "mine", update=True, data=pictures)
    (tmp_path / "others").mkdir()
    assert "data.dvc" in create_project(tmp_path / "mine", update=True, data=tmp_path / "others")
    assert yaml.safe_load(pointer.read_text())["deps"] == [{"path": str(tmp_path / "others")}]


@pytest.mark.parametrize(
    "command",
    ["leaderboard", "runs list", "runs prune", "features show", "verify --against tables", "data pin", "lab leakage"],
)
def test_commands_say_that_there_is_no_project(tmp_path: Path, command: str) -> None:
    finished = run(tmp_path, "nsnet", *command.split(), check=False, project=ROOT)
    assert finished.returncode == 1 and "nsnet init DIR" in finished.stderr and "Errno" not in finished.stderr


def test_a_project_elsewhere_is_named(project: Path, tmp_path: Path) -> None:
    here = run(project, "nsnet", "leaderboard").stdout
    assert (
        run(tmp_path, "nsnet", "--project", str(project), "leaderboard", project=project).stdout.splitlines()[:-1]
        == (here.splitlines()[:-1])
    )


def test_shipped_detectors_are_whole_and_score_without_a_project(tmp_path: Path) -> None:
    runs = pl.read_parquet(SHIPPED.table(Runs))
    assert runs["detector"].sort().to_list() == ["cnn-control", "nsnet", "univfd"]
    for run_id, sha256 in runs.select("run_id", "detector_sha256").iter_rows():
        load_detector(SHIPPED.detectors / f"{run_id}.safetensors", sha256, None)
    for seed in range(4):
        draw(tmp_path / f"photos/{('0_real', '1_fake')[seed % 2]}/{seed}.png", seed)
    run(tmp_path, "nsnet", "ingest", "photos", "--out", "work", project=ROOT)
    scored = run(tmp_path, "nsnet", "score", "photos", "--out", "work", project=ROOT)
    assert "NOT MEANINGFUL" in scored.stderr
    assert pl.read_parquet(tmp_path / "work/artifacts/evaluate/predictions.parquet").height == 3 * 4


def test_exported_detectors_score_as_they_did(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    copy = copy_of(project)
    run(copy, "nsnet", "runs", "export", str(tmp_path / "exported"), "--detector", "univfd", "--seed", "0")
    shutil.rmtree(copy / "artifacts/train")
    for seed in range(4):
        draw(tmp_path / f"photos/{('0_real', '1_fake')[seed % 2]}/{seed}.png", seed)
    run(copy, "nsnet", "ingest", str(tmp_path / "photos"), "--out", str(tmp_path / "work"))
    words = [
        "score",
        str(tmp_path / "photos"),
        "--out",
        str(tmp_path / "work"),
        "--detectors",
        str(tmp_path / "exported"),
    ]
    run(copy, "nsnet", *words)
    found = pl.read_parquet(tmp_path / "work/artifacts/evaluate/predictions.parquet")
    assert found["run_id"].n_unique() == 2 and found.height == 2 * 4
    missing = run(copy, "nsnet", "runs", "export", str(tmp_path / "none"), "--detector", "univf", check=False)
    assert missing.returncode == 1 and "error: " in missing.stderr
