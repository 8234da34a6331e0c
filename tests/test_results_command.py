"""`nsnet results`: what docs/your_scores.md says, for a project, a folder ingested, and whoever has files alone."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from tests.conftest import ROOT, run
from tests.trees import draw

COMMANDS = [
    shlex.split(line.removeprefix("$ "), comments=True)
    for line in (ROOT / "docs/your_scores.md").read_text().split("```")[1].splitlines()
    if line.startswith("$ ")
]
DETECTORS = {"dire": 0.8, "npr": 2.0}


def listed(names: list[str], fakes: int, seed: int) -> pl.DataFrame:
    """Drawn scores with the roles of their pictures: the last `fakes` are of two generators."""
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [len(names) - fakes, fakes])
    generators = [("sdxl", "flux")[number % 2] if label else "" for number, label in enumerate(labels)]
    frame = pl.DataFrame({"path": names, "label": labels, "generator": generators})
    return frame.with_columns(score=pl.Series(1 / (1 + np.exp(-rng.normal(labels - 0.5, 1)))))


def test_the_pages_commands_work_in_a_project(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    tested = pl.read_parquet(copy / "artifacts/corpus/samples.parquet").filter(split="test")
    files = pl.read_parquet(copy / "artifacts/corpus/images.parquet").join(tested, on="image_id").sort("path")
    scores = files.select(path="data/" + pl.col("path"), score=pl.col("label") * 0.4 + 0.3)
    scores.write_csv(copy / "scores.csv")
    for name in DETECTORS:
        listed([f"{number}.png" for number in range(40)], 20, len(name)).write_csv(copy / f"{name}.csv")
    said = [run(copy, *words).stdout for words in COMMANDS]
    assert next(words[:3] for words in COMMANDS) == ["nsnet", "results", "import"] and len(said) == 4
    assert "dire under clean: kept in scores/" in said[0] and "Running stage 'evaluate'" in said[1]
    assert "Running stage 'train'" not in said[1] and "and 1 external detectors under clean" in said[1]
    assert "dire" in said[2] and "1.2" in said[2] and "Tables: ranking/tables/" in said[3]
    board = pl.read_csv(copy / "tables/leaderboard_biased.csv")
    assert board["detector"][0] == "dire" and board["acc"][0] == 1 and board.height == 7
    sql = "SELECT count(DISTINCT training_set) AS n FROM leaderboard WHERE detector = 'dire'"
    assert "2" in run(copy, "nsnet", "query", sql, "--format", "csv").stdout
    assert "dire under clean: removed" in run(copy, "nsnet", "results", "remove", "dire").stdout
    # As it was before: found in DVC's cache.
    run(copy, "dvc", "repro", "evaluate")
    for name in ("predictions", "results", "means", "paired_differences"):
        file = f"artifacts/evaluate/{name}.parquet"
        assert (copy / file).read_bytes() == (project / file).read_bytes()


def test_a_ranking_of_files_alone_is_scikit_learns(tmp_path: Path) -> None:
    frames = {name: listed([f"{number}.png" for number in range(90)], 50, len(name)) for name in DETECTORS}
    frames["dire"].write_csv(tmp_path / "dire.csv", separator=",")
    # Roles need be told once; a logit of the other.
    logit = pl.col("score").log() - (1 - pl.col("score")).log()
    frames["npr"].select("path", logit.alias("score"), detector=pl.lit("npr")).write_parquet(tmp_path / "npr.parquet")
    frames["dire"].with_columns(logit.alias("score"), detector=pl.lit("dire")).write_ndjson(tmp_path / "dire.jsonl")
    words = ["nsnet", "results", "rank", "dire.jsonl", "npr.parquet", "--scale", "logit", "--out", "ranking"]
    said = run(tmp_path, *words, "--baseline", "npr", project=ROOT).stdout
    assert said.startswith("REAL: pictures of yours seen by external detectors\n")
    board = pl.read_csv(tmp_path / "ranking/tables/leaderboard_external.csv")
    truth = frames["dire"]["label"].to_numpy()
    for row in board.iter_rows(named=True):
        score = frames[row["detector"]]["score"].to_numpy()
        accs, aucs, aps = [], [], []
        for generator in ("sdxl", "flux"):
            chosen = ((truth == 0) | (frames["dire"]["generator"] == generator).to_numpy()).nonzero()[0]
            weights = np.where(truth[chosen] == 1, 1 / 25, 1 / 40)
            accs.append(balanced_accuracy_score(truth[chosen], score[chosen] >= 0.5))
            aucs.append(roc_auc_score(truth[chosen], score[chosen]))
            aps.append(average_precision_score(truth[chosen], score[chosen], sample_weight=weights))
        # Six digits are printed.
        for metric, values in (("acc", accs), ("auroc", aucs), ("ap", aps)):
            assert row[metric] == pytest.approx(np.mean(values), abs=1e-6)
            assert row[f"{metric}_low"] < row[metric] < row[f"{metric}_high"]
    assert board.height == 2 and board.filter(detector="npr")["acc_difference"].null_count() == 1
    assert run(tmp_path, *words, "--baseline", "npr", project=ROOT).stdout == said  # again, into the same folder
    assert not list(tmp_path.glob("ranking/tables/*contrastive*"))


def test_files_that_contradict_each_other_are_refused_at_once(tmp_path: Path) -> None:
    frame = listed(["a.png", "b.png", "c.png", "d.png"], 2, 1).with_columns(detector=pl.lit("dire"))
    frame.write_csv(tmp_path / "one.csv")
    other = frame.with_columns(detector=pl.lit("npr"), label=pl.Series([1, 0, 1, 7]), split=pl.lit("tset")).head(3)
    other.write_csv(tmp_path / "two.csv")
    frame.head(1).with_columns(version=pl.lit("2")).write_csv(tmp_path / "three.csv")
    finished = run(tmp_path, "nsnet", "results", "rank", "one.csv", "two.csv", "three.csv", check=False, project=ROOT)
    assert finished.returncode == 1 and finished.stderr.startswith("error: one.csv, two.csv, three.csv has faults: ")
    for expected in (
        "two.csv line 2: split 'tset'; expected one of train",
        "no score of d.png by npr under clean",
        "one.csv line 2, three.csv line 2: a.png by dire under clean; expected one score",
        "detector 'dire' has version '', '2': one table holds one version",
    ):
        assert expected in finished.stderr, finished.stderr


def test_an_ingested_folder_has_both(tmp_path: Path) -> None:
    for seed in range(8):
        draw(tmp_path / f"photos/{('0_real', '1_fake')[seed % 2]}/{seed}.png", seed)
    run(tmp_path, "nsnet", "ingest", "photos", "--out", "work", project=ROOT)
    rows = [(f"{tmp_path}/photos/{('0_real', '1_fake')[seed % 2]}/{seed}.png", 10 * seed) for seed in range(8)]
    pl.DataFrame(rows, schema=["file", "score"], orient="row").write_parquet(tmp_path / "scores.parquet")
    words = ["results", "import", "scores.parquet", "--detector", "dire", "--scale", "percent", "--out", "work"]
    said = run(tmp_path, "nsnet", *words, project=ROOT).stdout
    assert "Next: `nsnet score FOLDER --out work`" in said
    refused = run(tmp_path, "nsnet", "results", "rank", "scores.parquet", "--out", "work", check=False, project=ROOT)
    assert refused.returncode == 1 and "work has pictures that were ingested" in refused.stderr
    run(tmp_path, "nsnet", "score", "photos", "--out", "work", project=ROOT)
    tables = list((tmp_path / "work/tables").glob("leaderboard_*.csv"))
    detectors = [pl.read_csv(file)["detector"].to_list() for file in tables]
    assert detectors and all("dire" in names and len(names) > 1 for names in detectors)


@pytest.mark.parametrize("command", ["import scores.csv", "list", "remove dire"])
def test_commands_say_that_there_is_no_project(tmp_path: Path, command: str) -> None:
    finished = run(tmp_path, "nsnet", "results", *command.split(), check=False, project=ROOT)
    assert finished.returncode == 1 and "nsnet init DIR" in finished.stderr
