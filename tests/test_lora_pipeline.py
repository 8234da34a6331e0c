"""LoRA through the stages of a tiny project: trained, kept, scored, in the tables beside the others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from tests.conftest import change, run
from tests.trees import draw

LORA = {
    "nsnet-lora": {"kind": "lora", "view": "mosaic", "null_space": "text", "contrastive": True},
    "penalty": {"kind": "lora", "view": "crop", "null_space": "cross-modal", "upkeep": "penalty", "pool_batch": 8},
}


def test_lora_goes_through_the_stages(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    copy = copy_of(project)
    values = yaml.safe_load((copy / "params.yaml").read_text())["train"]
    detectors = {"univfd": values["detectors"]["univfd"], **LORA}
    change(copy, "train", detectors=detectors, seeds=[0], **{"defaults.lora.epochs": 1})
    change(copy, "evaluate", shown=["nsnet-lora", "univfd"], baseline="univfd")
    finished = run(copy, "dvc", "repro")
    assert "train: 4 runs trained, 2 already known" in finished.stdout and "waiting for data" in finished.stdout
    runs = pl.read_parquet(copy / "artifacts/train/runs.parquet").filter(kind="lora")
    assert runs["null_space"].to_list() == ["text", "cross-modal"] * 2
    predictions = pl.read_parquet(copy / "artifacts/evaluate/predictions.parquet")
    assert predictions.filter(pl.col("run_id").is_in(runs["run_id"].to_list()))["score"].is_between(0, 1).all()
    assert "nsnet-lora" in (copy / "tables/leaderboard_biased.md").read_text()
    # The backbone is not in a detector's file: adapters of four layers and a head are.
    sizes = [(copy / f"artifacts/train/detectors/{run_id}.safetensors").stat().st_size for run_id in runs["run_id"]]
    assert max(sizes) < 250_000
    kept = {run_id: json.loads((copy / f"store/runs/{run_id}/run.json").read_text()) for run_id in runs["run_id"]}
    assert all(0 <= facts["waiting"] < 1 and facts["seconds"] > 0 for facts in kept.values())

    again = run(copy, "dvc", "repro", "--force", "--single-item", "train")
    assert "train: 0 runs trained, 6 already known" in again.stdout
    # Another pool is another penalty, and another null space; the text's stays.
    change(copy, "semantics", **{"pool.content": ["ring"]})
    assert "train: 0 runs trained, 6 already known" in run(copy, "dvc", "repro", "train").stdout

    for seed in range(4):
        draw(tmp_path / f"photos/{('0_real', '1_fake')[seed % 2]}/{seed}.png", seed)
    run(copy, "nsnet", "ingest", str(tmp_path / "photos"), "--out", str(tmp_path / "work"))
    run(copy, "nsnet", "score", str(tmp_path / "photos"), "--out", str(tmp_path / "work"))
    found = pl.read_parquet(tmp_path / "work/artifacts/evaluate/predictions.parquet")
    assert found["run_id"].n_unique() == 6 and found.height == 6 * 4


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"upkeep": "refit"}, "upkeep: refit needs a null space of pictures, got null_space none"),
        ({"view": "crop", "draws": 2}, "only the mosaic is drawn at random"),
        ({"dropout": 1.0}, "dropout: "),
        ({"adapter": True}, "adapter: unknown name"),
    ],
)
def test_faults_are_named_before_any_work(
    project: Path, copy_of: Callable[[Path], Path], values: dict[str, object], fault: str
) -> None:
    copy = copy_of(project)
    change(copy, "train", **{"detectors.bad": {"kind": "lora", "view": "mosaic", **values}})
    finished = run(copy, "python", "-m", "nsnet.stages", "train", check=False)
    assert finished.returncode == 1 and "train.detectors.bad" in finished.stderr and fault in finished.stderr
    assert "Traceback" not in finished.stderr
