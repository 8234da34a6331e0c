"""The small real bench in miniature, through every stage: drawn training sets, clusters, conditions, the audit."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import yaml

from tests.conftest import commit, make_project, run
from tests.trees import coco, draw, entry, sd_samples

MODELS = ("sdxl-base-v10-vaefix", "Qwen/Qwen-Image", "MeissonFlow/Meissonic", "black-forest-labs/FLUX.1-dev")
PROTOCOLS = {
    "fakes": ["sd-samples"],
    "reals": ["imagenet-samples", "coco-mini"],
    "seed": 0,
    "pool": 0.3,
    "train": 0.4,
    "validation": 0.3,
    "content": ["man"],
    "training_sets": {
        "one": {"kind": "generators", "generators": 1, "draws": 2},
        "two-biased": {"kind": "generators", "generators": 2, "draws": 2, "biased": True},
        "older": {"kind": "older", "before": "2024-06"},
    },
}
DETECTORS = {"univfd": {"view": "crop"}, "univfd+cross-modal": {"view": "crop", "null_space": "cross-modal"}}


def bench(folder: Path) -> None:
    scenes = [(f"scene {n}", f"a {'man' if n % 2 else 'boat'} at sea, {n}") for n in range(8)]
    sd_samples(folder / "sd-samples", [entry(repo, *scene) for repo in MODELS for scene in scenes], len(MODELS) * 8)
    coco(folder / "coco-mini", [f"A {'man' if n % 2 else 'bus'} in town {n}." for n in range(24)])
    for number in range(24):
        draw(folder / f"imagenet-sample-images/n{number:08d}_thing_{number}.JPEG", 5000 + number, size=(160, 180))


def test_drawn_training_sets_go_through_all_stages(tmp_path: Path) -> None:
    folder = make_project(tmp_path / "project")
    bench(tmp_path / "downloads")
    pointer = {"deps": [{"path": str(tmp_path / "downloads")}], "outs": [{"path": "data"}]}
    (folder / "data.dvc").write_text(yaml.safe_dump(pointer))
    values = yaml.safe_load((folder / "params.yaml").read_text())
    values["corpus"]["protocols"] = PROTOCOLS
    values["conditions"]["harmonised"] = {"operations": [{"op": "crop", "share": 1}, {"op": "resize", "side": 128}]}
    values["evaluate"] |= {"conditions": ["clean", "harmonised"], "shown": ["univfd"]}
    values["captions"]["source"] = "none"
    values["semantics"]["pool"] |= {"rank": 4, "content": ["man"]}
    values["train"] |= {"seeds": [0, 1]}
    values["train"]["detectors"] = DETECTORS
    (folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    commit(folder)
    run(folder, "dvc", "repro", "tables")
    samples, runs, results = (
        pl.read_parquet(folder / f"artifacts/{name}.parquet")
        for name in ("corpus/samples", "train/runs", "evaluate/results")
    )
    assert runs.height == 3 * 2 * len(DETECTORS)
    # Two draws of two sets differ; both seeds of the third train on the same pictures.
    checksums = runs.group_by("training_set").agg(pl.col("data_checksum").n_unique())
    assert dict(checksums.iter_rows()) == {"one": 2, "two-biased": 2, "older": 1}
    fakes = samples.filter(label=1, split="train").select("training_set", "draw", "generator").unique()
    drawn = dict(fakes.group_by("training_set").agg(pl.col("draw").n_unique()).iter_rows())
    assert drawn == {"one": 2, "two-biased": 2, "older": 1}
    for run_id, training_set, seed in runs.select("run_id", "training_set", "seed").iter_rows():
        mine = fakes.filter(training_set=training_set, draw=seed % drawn[training_set])
        judged = set(results.filter(run_id=run_id)["generator"])
        assert judged and judged.isdisjoint(mine["generator"])
    predictions = pl.read_parquet(folder / "artifacts/evaluate/predictions.parquet")
    seen = samples.filter(split="train").select("training_set", "draw", "image_id").unique()
    tested = predictions.filter(split="test").join(runs.select("run_id", "training_set", "seed"), on="run_id")
    both = tested.join(seen, on=["training_set", "image_id"])
    own = pl.col("draw") == pl.col("seed") % pl.col("training_set").replace_strict(drawn)
    assert both.filter(own).is_empty() and both.height > 0
    table = pl.read_csv(folder / "tables/protocols.csv")
    assert set(table["suite"]) == {"sd-samples", "sd-samples-paired", "sd-samples-swapped"}
    assert table.height == 3 * 3 * 2 * len(DETECTORS) and set(table["n_seeds"]) == {2}
    audit = pl.read_csv(folder / "tables/bias_audit.csv").filter(suite="sd-samples")
    assert audit.height == len(MODELS) and audit["flagged"].all()
