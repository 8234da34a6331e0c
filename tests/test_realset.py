"""Real pictures through ingest, features, scoring and tables."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import polars as pl
import pytest

from tests.conftest import REALSET, run

pytestmark = pytest.mark.skipif(not REALSET.exists(), reason="the real pictures are not part of the project")


def test_real_pictures_reach_a_table(project: Path, tmp_path: Path) -> None:
    ingested = run(project, "nsnet", "ingest", str(REALSET), "--out", str(tmp_path))
    with (REALSET / "manifest.csv").open() as stream:
        manifest = list(csv.DictReader(stream))
    images, samples = (pl.read_parquet(tmp_path / f"artifacts/corpus/{name}.parquet") for name in ("images", "samples"))
    used = images.filter(status="used")
    assert images.height == len(manifest) == 147
    assert f"147 images in = {used.height} used + {147 - used.height} rejected" in ingested.stdout
    assert images.filter(pl.col("status") == "rejected")["reason"].is_not_null().all()
    known = {row["path" if "path" in row else "file"]: row for row in manifest}
    for path, image_id, width, height, kind in used.select("path", "image_id", "width", "height", "format").iter_rows():
        row = known[path]
        assert (image_id, width, height, kind) == (row["sha256"], int(row["width"]), int(row["height"]), row["format"])
    used_paths = set(used["path"])
    expected = Counter(row["generator"] for row in manifest if row["label"] == "fake" and row["file"] in used_paths)
    assert dict(samples.filter(label=1)["generator"].value_counts().iter_rows()) == expected

    scored = run(project, "nsnet", "score", str(REALSET), "--out", str(tmp_path))
    assert "NOT MEANINGFUL" in scored.stderr
    predictions, results = (
        pl.read_parquet(tmp_path / f"artifacts/evaluate/{name}.parquet") for name in ("predictions", "results")
    )
    runs = pl.read_parquet(project / "artifacts/train/runs.parquet")
    assert predictions.height == runs.height * used.height
    assert set(results["generator"]) == set(expected)
    assert results["n_real"].unique().to_list() == [samples.filter(label=0).height]
    rules = pl.read_parquet(tmp_path / "artifacts/features/features.parquet")
    assert rules.group_by("view").len()["len"].unique().to_list() == [used.height]
    table = (tmp_path / "tables/leaderboard_biased.md").read_text()
    assert "NOT MEANINGFUL" in table and "realset" in table
    assert set(runs["training_set"]) == {"biased", "unbiased"}
    again = run(project, "nsnet", "score", str(REALSET), "--out", str(tmp_path))
    assert f"0 images encoded, {used.height} already known" in again.stdout
