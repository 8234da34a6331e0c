"""The whole chain on the published suites in miniature: from their trees to tables with their own names."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import yaml

from nsnet.suites import protocols, suite
from tests.blip import make_blip
from tests.conftest import SEEDS, commit, make_project, run
from tests.trees import PER_FOLDER, TREES

CHAIN = ("nsnet", "univfd", "cnn-control")


def table(folder: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(folder / f"tables/{name}.csv")


def test_every_suite_is_scored_under_its_own_names(project: Path, tmp_path: Path) -> None:
    """Six suites side by side, scored by the detectors of a tiny lab."""
    for name, tree in TREES.items():
        tree(tmp_path / "data" / name)
    out = tmp_path / "out"
    run(project, "nsnet", "ingest", str(tmp_path / "data"), "--out", str(out))
    scored = run(project, "nsnet", "score", str(tmp_path / "data"), "--out", str(out))
    assert "NOT MEANINGFUL" in scored.stderr
    rows = table(out, "cross_domain_biased")
    for name in TREES:
        assert set(rows.filter(suite=name)["generator"]) == set(suite(name).generators)
        assert (tmp_path / f"out/tables/plots/generators_{name}_biased.svg").exists()
    assert set(rows.filter(suite="chameleon")["n_real"]) == {PER_FOLDER}
    # GenImage's fakes are PNG and its reals JPEG: flagged wherever they are reported, and nothing else is.
    flagged = rows.filter(pl.col("files_give_label_away")).unique(["suite", "generator"])
    assert set(flagged["suite"]) == {"genimage"} and flagged.height == len(suite("genimage").generators)
    audit = (out / "tables/bias_audit.md").read_text()
    assert "genimage/adm: files alone reach AUC 1.00 and give the label away" in audit
    leaders = table(out, "leaderboard_biased").filter(detector="nsnet")
    held_out = dict(leaders.select("suite", "n_generators").iter_rows())
    assert held_out == {**{name: len(suite(name).generators) for name in TREES}, "paper40": 40}
    # The protocol's mean is the plain mean of its members.
    members = {tuple(member.split("/")) for member in protocols()["paper40"].members}
    mine = rows.filter(detector="nsnet").select("suite", "generator", "acc").iter_rows()
    accs = [acc for *key, acc in mine if tuple(key) in members]
    assert len(accs) == 40
    assert abs(sum(accs) / 40 - leaders.filter(suite="paper40")["acc"][0]) < 1e-5  # CSV has six digits


def test_aigibench_is_trained_and_tested_raw_and_harmonised(tmp_path: Path) -> None:
    """`dvc repro` on AIGIBench in miniature: both training settings, BLIP's captions, two conditions."""
    folder = make_project(tmp_path / "project")
    TREES["aigibench"](tmp_path / "downloads/aigibench")
    make_blip(folder / "blip", seed=0)
    pointer = {"deps": [{"path": str(tmp_path / "downloads")}], "outs": [{"path": "data"}]}
    (folder / "data.dvc").write_text(yaml.safe_dump(pointer))
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["conditions"]["harmonised"] = {"operations": [{"op": "crop", "size": 112}, {"op": "jpeg", "quality": 90}]}
    for section in ("train", "evaluate"):
        values[section]["conditions"] = ["clean", "harmonised"]
    values["captions"]["model"] = "blip"
    values["train"]["detectors"] = {name: values["train"]["detectors"][name] for name in CHAIN}
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    commit(folder)
    told = run(folder, "dvc", "repro", "tables").stdout
    assert "suites: aigibench" in told and "training images, " in told and "from blip:" in told
    for training_set in ("setting-i", "setting-ii"):
        for suffix in ("", "_harmonised"):
            rows = table(folder, f"cross_domain_{training_set}{suffix}")
            assert set(rows["generator"]) == set(suite("aigibench").generators)
            assert set(rows.filter(pl.col("in_domain"))["generator"]) == {"progan"}
            assert set(rows["detector"]) == set(CHAIN) and set(rows["condition"]) == {"clean", "harmonised"}
    # Every detector, as trained on either, is tested on both.
    both = table(folder, "conditions")
    assert both.filter(suite="aigibench").height == 2 * len(CHAIN) * 2 * 2
    assert both["acc"].null_count() == 0
    runs = pl.read_parquet(folder / "artifacts/train/runs.parquet")
    assert runs.height == 2 * 2 * len(CHAIN) * SEEDS and runs["backbone_id"].n_unique() == 1
    # Without the second condition its features go from the table, and stay in the store.
    for section in ("train", "evaluate"):
        values[section]["conditions"] = ["clean"]
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    assert "0 images encoded" in run(folder, "dvc", "repro", "features").stdout
    features = pl.read_parquet(folder / "artifacts/features/features.parquet", columns=["condition"])
    assert set(features["condition"]) == {"clean"}
