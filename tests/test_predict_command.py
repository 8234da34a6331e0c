"""`nsnet predict` and `nsnet detectors`: rows, exit codes, and who speaks of which world."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import Result

from nsnet.prediction.predictions import COLUMNS
from tests.conftest import run
from tests.predictors import nsnet, shipped
from tests.trees import draw

WORLD = "LAB: simulated generators and a small CLIP of our own; not a published benchmark"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures and a file that is none."""
    folder = tmp_path_factory.mktemp("here") / "photos"
    for seed in range(3):
        draw(folder / f"{seed}.png", seed)
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


def predict(photos: Path, *words: str, given: str | None = None) -> Result:
    return nsnet(photos.parent, "predict", *words, given=given)


def test_rejected_files_are_rows_with_a_reason(photos: Path) -> None:
    shown = {name: predict(photos, "photos", "*.tiff", "--format", name) for name in ("json", "jsonl", "csv")}
    rows = json.loads(shown["json"].stdout)
    assert [json.loads(line) for line in shown["jsonl"].stdout.splitlines()] == rows
    assert [row["path"] for row in rows] == ["*.tiff", "photos/0.png", "photos/1.png", "photos/2.png", "photos/bad.jpg"]
    assert all(list(row) == list(COLUMNS) for row in rows)
    scored, rejected = rows[1:4], [rows[0], rows[4]]
    assert all(row["low"] <= row["score"] <= row["high"] and row["reason"] is None for row in scored)
    assert all(row["world"] == "LAB" and row["detector"] == "nsnet" and row["seed"] == 0 for row in scored)
    reasons = ["no file matches this pattern", "cannot be decoded: no picture of a known format"]
    assert [row["reason"] for row in rejected] == reasons and all(row["score"] is None for row in rejected)
    lines = list(csv.DictReader(io.StringIO(shown["csv"].stdout)))
    assert [float(line["score"]) for line in lines[1:4]] == [row["score"] for row in scored]
    for finished in shown.values():
        told = finished.stderr.splitlines()
        assert finished.exit_code == 3
        facts = "nsnet, trained on unbiased, clean, seed 0 (run {run_id}); threshold {threshold:.4g}, 8 draws"
        assert told[0] == facts.format(**shipped())
        assert told[1] == WORLD and "NOT MEANINGFUL: real pictures (yours)" in told[2]
        assert told[3:5] == [f"rejected: {row['path']}: {row['reason']}" for row in rejected]
        assert told[5].startswith("5 pictures in = 3 scored + 2 rejected, ") and told[5].endswith(" pictures/s")


def test_the_table_is_for_people(photos: Path) -> None:
    finished = predict(photos, "photos/0.png", "photos/1.png", "--detector", "univfd")
    header, *rows = (line.split() for line in finished.stdout.splitlines())
    assert finished.exit_code == 0 and header == ["path", "score", "low", "high", "decision"]
    assert [row[0] for row in rows] == ["photos/0.png", "photos/1.png"]
    assert all(row[1] == row[2] == row[3] and row[4] in ("fake", "real") for row in rows)
    assert "threshold 0.4327, 1 draws" in finished.stderr


def test_names_come_from_stdin(photos: Path) -> None:
    listed = "photos/2.png\n\nphotos/gone.png\n"
    finished = predict(photos, "-", "--detector", "univfd", "--format", "jsonl", given=listed)
    rows = [json.loads(line) for line in finished.stdout.splitlines()]
    assert finished.exit_code == 3
    assert [row["path"] for row in rows] == ["photos/2.png", "photos/gone.png"]
    assert rows[1]["reason"] == "unreadable: No such file or directory"


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["photos/bad.jpg"], 1, "1 pictures in = 0 scored + 1 rejected"),
        (["photos/0.png", "--detector", "univdf"], 1, "error: unknown detector 'univdf'; did you mean univfd?"),
        (
            ["photos/0.png", "--training-set", "biased"],
            1,
            "error: unknown training set 'biased'; did you mean unbiased",
        ),
        (["photos/0.png", "--detectors", "nowhere"], 1, "error: nowhere/artifacts/train/runs.parquet does not exist"),
        ([], 2, "Missing argument"),
        (["photos/0.png", "--draws", "0"], 2, "--draws"),
        (["photos/0.png", "--format", "xml"], 2, "--format"),
    ],
)
def test_exit_codes(photos: Path, words: list[str], code: int, told: str) -> None:
    finished = predict(photos, *words)
    assert finished.exit_code == code and told in finished.stderr and "Traceback" not in finished.stderr
    assert code == 1 or "pictures in" not in finished.stderr


def test_a_threshold_of_ones_own(photos: Path) -> None:
    decisions = []
    for threshold in ("0", "1"):
        shown = predict(photos, "photos/0.png", "--threshold", threshold, "--format", "json", "--workers", "1")
        decisions += [(row["decision"], row["threshold"]) for row in json.loads(shown.stdout)]
    assert decisions == [("fake", 0.0), ("real", 1.0)]


def test_detectors_are_listed(photos: Path) -> None:
    finished = nsnet(photos.parent, "detectors")
    header, *rows = (line.split() for line in finished.stdout.splitlines())
    names = ["detector", "kind", "view", "null_space", "training_set", "train_condition", "seed", "threshold"]
    assert header == [*names, "validation_acc", "world"]
    assert [row[0] for row in rows] == ["cnn-control", "nsnet", "univfd"] and {row[-1] for row in rows} == {"LAB"}
    assert "3 detectors in " in finished.stderr


def test_a_projects_own_detectors_are_asked(project: Path, photos: Path) -> None:
    runs = pl.read_parquet(project / "artifacts/train/runs.parquet")
    named = ["--project", str(project)]
    listed = nsnet(photos.parent, *named, "detectors")
    assert len(listed.stdout.splitlines()) == 1 + runs.height
    several = nsnet(photos.parent, *named, "predict", "photos")
    assert several.exit_code == 1 and "more than one training set: biased, unbiased" in several.stderr
    chosen = ["--training-set", "biased", "--seed", "1", "--format", "jsonl"]
    row = json.loads(nsnet(photos.parent, *named, "predict", "photos/0.png", *chosen).stdout)
    mine = runs.filter(detector="nsnet", training_set="biased", seed=1)
    assert row["run_id"] == mine["run_id"].item() and row["threshold"] == mine["threshold"].item()
    # From inside of it, in a process of its own; and for a folder of exports.
    inside = run(project, "nsnet", "predict", str(photos / "0.png"), *chosen)
    assert json.loads(inside.stdout) == row | {"path": str(photos / "0.png")}
    exported = photos.parent / "exported"
    nsnet(project, "runs", "export", str(exported), "--detector", "nsnet", "--training-set", "biased")
    assert json.loads(predict(photos, "photos/0.png", "--detectors", "exported", *chosen).stdout) == row
