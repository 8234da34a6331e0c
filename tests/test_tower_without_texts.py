"""A tower without texts from its features to its tables, on the tiny lab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import duckdb
import yaml

from tests.conftest import change, run, stages_run
from tests.transformer_folders import make_sentence_encoder


def test_a_tower_without_texts_goes_through_all_stages(
    project: Path, copy_of: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Its captions are read by a sentence encoder; null spaces are of pictures, and nothing says otherwise."""
    copy, texts = copy_of(project), make_sentence_encoder(tmp_path / "texts")
    change(copy, "backbone", model="timm:test_vit", weights="random")
    change(copy, "semantics", text=str(texts))
    refused = run(copy, "dvc", "repro", check=False)
    assert "train.detectors.nsnet: null_space text has no meaning in the space of timm:test_vit" in refused.stderr
    detectors = yaml.safe_load((copy / "params.yaml").read_text())["train"]["detectors"]
    for settings in detectors.values():
        if settings.get("null_space") == "text":
            settings["null_space"] = "cross-modal"
    change(copy, "train", detectors=detectors)
    ran = stages_run(run(copy, "dvc", "repro").stdout)
    assert ran == ["features", "semantics", "train", "evaluate", "tables", "catalog"]
    assert "**RANDOM: pictures of lab seen by timm:test_vit" in (copy / "tables/leaderboard_biased.md").read_text()
    with duckdb.connect(copy / "nsnet.duckdb", read_only=True) as connection:
        text, image, width, ranks = connection.execute(
            "SELECT (SELECT count(*) FROM semantic_basis), (SELECT count(DISTINCT null_space) FROM image_basis),"
            " (SELECT any_value(len(feature)) FROM features), (SELECT count(*) FROM patches WHERE feature IS NOT NULL)"
        ).fetchall()[0]
    assert (text, image, width) == (0, 3, 64) and ranks > 0
