"""Scores of single pictures: the same as the pipeline's, in order, whatever lies beside them."""

from __future__ import annotations

import warnings
from dataclasses import FrozenInstanceError
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image

import nsnet
from nsnet.core.provenance import file_sha256
from nsnet.corpus.images import decode_rgb
from nsnet.detectors.settings import LoraSettings
from nsnet.features.backbone import load_backbone
from nsnet.features.views import make_view
from nsnet.params import Params
from nsnet.training.exports import SHIPPED
from tests.lora import lora
from tests.predictors import export, shipped
from tests.trees import draw

# Wherever the tests run: the folder may be a project with detectors of its own.
load = partial(nsnet.load, detectors=SHIPPED.root)


@pytest.mark.parametrize("name", ["nsnet", "univfd", "cnn-control"])
def test_predictions_are_the_pipelines(project: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a head on mosaics, one on crops, and a network on pixels: draw 0 is what detectors are tested on."""
    monkeypatch.chdir("/")
    detector = nsnet.load(name, training_set="biased", seed=1, project=project, draws=1)
    predictions = pl.read_parquet(project / "artifacts/evaluate/predictions.parquet")
    mine = predictions.filter(run_id=detector.run["run_id"], condition="clean", split="test")
    images = pl.read_parquet(project / "artifacts/corpus/images.parquet").filter(status="used")
    rows = mine.join(images.select("image_id", "path"), on="image_id").sort("image_id")[::9]
    assert rows.height > 15
    said = detector.predict(project / "data" / path for path in rows["path"])
    # Heads and networks are given other numbers of rows at a time, which changes the order of their sums: some 1e-7
    # of a logit, a quarter of that of a score; tenfold for processors that sum otherwise.
    np.testing.assert_allclose([one.score for one in said], rows["score"].to_numpy(), rtol=0, atol=1e-6)
    assert rows["score"].n_unique() > 10
    assert {one.threshold for one in said} == {detector.run["threshold"]}
    assert all(one.low == one.score == one.high and one.decision != "unsure" for one in said)


def test_adapters_and_their_backbone_score_single_pictures(params: Params, tmp_path: Path) -> None:
    tower = load_backbone(params.backbone)
    settings = LoraSettings.model_validate(lora(dropout=0.0, epochs=1).model_dump())
    trained = export(tmp_path / "exported", "mine", settings, tower)
    detector = nsnet.load("mine", detectors=tmp_path / "exported", draws=3)
    paths = [draw(tmp_path / f"{seed}.png", seed) for seed in range(4)]
    said = detector.predict(paths)
    for path, one in zip(paths, said, strict=True):
        pixels, name = decode_rgb(path.read_bytes()), file_sha256(path)
        views = [make_view("mosaic", pixels, name, number, tower.views).pixels for number in range(3)]
        expected = trained.score([torch.from_numpy(np.stack(views))])
        assert one.score == pytest.approx(expected.mean(), abs=1e-5)  # passes of 12 pictures instead of 3
        assert one.low < expected.min() and expected.max() < one.high and one.draws == 3
    assert len({one.score for one in said}) == 4


def test_bad_files_are_named_and_the_rest_go_on(tmp_path: Path) -> None:
    good = [draw(tmp_path / f"{seed}.png", seed) for seed in range(5)]
    empty, tiny = tmp_path / "empty.png", draw(tmp_path / "tiny.png", 7, size=(5, 9))
    empty.touch()
    detector = load("univfd", workers=2)
    said = list(detector.stream([good[0], empty, *good[1:], tiny, "gone.jpg"]))
    reasons = [one.reason if isinstance(one, nsnet.Rejection) else None for one in said]
    assert [number for number, reason in enumerate(reasons) if reason] == [1, 6, 7]
    assert reasons[1] == "empty file" and str(reasons[6]).startswith("too small: 5 x 9")
    assert [one.path for one in said] == [str(path) for path in (good[0], empty, *good[1:], tiny)] + ["gone.jpg"]
    with pytest.raises(ValueError, match=r"2 of 3 pictures cannot be scored:\n.*empty file\n.*gone.jpg: unreadable"):
        detector.predict([good[0], empty, Path("gone.jpg")])
    assert detector.predict([]) == [] and list(detector.stream([empty]))


def test_one_several_open_and_probabilities(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{seed}.png", seed) for seed in range(3)]
    detector = load()
    one = detector.predict(str(paths[1]))
    assert isinstance(one, nsnet.Prediction) and one.low < one.score < one.high
    facts = (one.detector, one.training_set, one.train_condition, one.seed, one.run_id, one.world, one.draws)
    assert facts == ("nsnet", "unbiased", "clean", 0, shipped()["run_id"], "LAB", 8)
    with pytest.raises(FrozenInstanceError):
        one.score = 0.5  # type: ignore[misc]
    together = detector.predict(paths)
    assert together[1].score == pytest.approx(one.score, rel=1e-4)  # logits near -20 in float32, of another batch
    odds = detector.predict_proba(paths)
    assert odds.shape == (3, 2) and odds.dtype == np.float64 and detector.classes_ == ("real", "fake")
    np.testing.assert_allclose(odds[:, 1], [said.score for said in together], rtol=1e-4)
    np.testing.assert_allclose(odds.sum(axis=1), 1, rtol=0, atol=1e-15)  # a rounding of 1 - p


def test_open_pictures_are_scored_by_their_pixels(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", 1)
    crops = load("univfd")
    with Image.open(path) as opened:
        said = crops.predict(opened)
    assert said.path is None and said.score == crops.predict(path).score and crops.draws == 1
    with pytest.raises(ValueError, match="an open picture: too small: 4 x 4"):
        crops.predict(Image.new("RGB", (4, 4)))
    cut = tmp_path / "cut.png"
    cut.write_bytes(path.read_bytes()[:2000])
    with Image.open(cut) as opened, pytest.raises(ValueError, match="an open picture: cannot be decoded"):
        crops.predict([opened])


def test_thresholds_decide(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", 1)
    said = load("cnn-control").predict(path)
    for threshold, decision in ((said.low / 2, "fake"), (said.score, "unsure"), (said.high * 1.01, "real")):
        assert load("cnn-control", threshold=threshold).predict(path).decision == decision


@pytest.mark.parametrize(("name", "value"), [("threshold", 1.5), ("draws", 0), ("workers", 0)])
def test_settings_that_mean_nothing_are_refused(name: str, value: float) -> None:
    values: dict[str, Any] = {name: value}
    with pytest.raises(ValueError, match=f"{name}: expected"):
        load("cnn-control", **values)


def test_threads_change_neither_order_nor_scores_nor_the_filters_of_warnings(tmp_path: Path) -> None:
    paths = [draw(tmp_path / f"{seed}.jpg", seed) for seed in range(40)]
    detector, before = load("nsnet", workers=8), list(warnings.filters)
    said = detector.predict(paths)
    assert warnings.filters == before
    alone = load("nsnet", workers=1).predict(paths)
    assert [one.path for one in said] == [one.path for one in alone] == [str(path) for path in paths]
    # Products of matrices by more threads are sums in another order: some 1e-6 of logits up to 30.
    np.testing.assert_allclose([one.score for one in said], [one.score for one in alone], rtol=1e-4)
    stream = detector.stream(paths)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert warnings.filters == before
