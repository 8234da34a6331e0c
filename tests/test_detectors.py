"""Detectors: the linear head against scikit-learn, the switches, and what is kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from nsnet.detectors import load_detector, make_detector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.protocol import Split, save_weights
from nsnet.detectors.settings import DetectorConfig, Fitting
from nsnet.params import Params

WIDTH = 12
BASIS = np.eye(WIDTH)[:3]  # the first three dimensions are semantic


def features(rng: np.random.Generator, count: int, semantic: float) -> Split:
    """Labels show weakly in dimension 5 and, as strongly as `semantic` says, in dimension 0."""
    labels = rng.integers(0, 2, count)
    rows = rng.standard_normal((count, WIDTH)) * 0.3
    rows[:, 5] += 0.5 * (2 * labels - 1)
    rows[:, 0] += semantic * (2 * labels - 1)
    return Split(rows.astype(np.float32), labels.astype(np.int64))


@pytest.fixture
def fitting(params: Params) -> Fitting:
    return params.train.fitting.model_copy(
        update={"epochs": 60, "cnn_epochs": 12, "cnn_batch": 32, "batch": 64, "lr": 0.01}
    )


def test_plain_head_equals_logistic_regression(rng: np.random.Generator, fitting: Fitting) -> None:
    fitting = fitting.model_copy(update={"weight_decay": [0.0], "epochs": 2000, "batch": 600, "lr": 0.03})
    train, check = features(rng, 600, 0.2), features(rng, 300, 0.2)
    noisy = np.where(rng.random(600) < 0.2, 1 - train.labels, train.labels)  # not separable: a finite optimum
    detector = LinearDetector(fitting, np.eye(WIDTH), contrastive=False)
    detector.fit(Split(train.inputs, noisy), check, 0)
    unit = [split.inputs / np.linalg.norm(split.inputs, axis=1, keepdims=True) for split in (train, check)]
    exact = LogisticRegression(C=1e8, max_iter=10000, tol=1e-8).fit(unit[0], noisy)
    # float32 gradients stall Adam at about 1e-4 from the optimum that LBFGS finds.
    np.testing.assert_allclose(detector.score(check.inputs), exact.predict_proba(unit[1])[:, 1], atol=1e-3)


@pytest.mark.parametrize("contrastive", [True, False])
def test_null_space_cannot_see_the_semantic_directions(
    rng: np.random.Generator, fitting: Fitting, contrastive: bool
) -> None:
    """Under full semantic bias the projected head keeps the trace; the plain one drowns in content."""
    train, biased, unbiased = features(rng, 400, 2.0), features(rng, 200, 2.0), features(rng, 2000, 0.0)
    swapped = Split(unbiased.inputs.copy(), unbiased.labels)
    swapped.inputs[:, 0] += 2 * rng.choice((-1, 1), len(swapped.labels))  # content that says nothing
    accuracy = {}
    for null_space in ("none", "text"):
        choice = DetectorConfig(view="mosaic", null_space=null_space, contrastive=contrastive)
        detector = make_detector(choice, fitting, BASIS)
        detector.fit(train, biased, 0)
        accuracy[null_space] = ((detector.score(swapped.inputs) >= 0.5) == swapped.labels).mean()
    assert accuracy["text"] > 0.8 > 0.6 > accuracy["none"]


def test_scores_ignore_the_semantic_part(rng: np.random.Generator, fitting: Fitting) -> None:
    detector = make_detector(DetectorConfig(view="mosaic", null_space="text"), fitting, BASIS)
    split = features(rng, 200, 1.0)
    detector.fit(split, split, 0)
    unit = split.inputs / np.linalg.norm(split.inputs, axis=1, keepdims=True)
    # Features are normalised before the projection: exchange content of equal length.
    moved = unit.copy()
    moved[:, :3] = unit[:, [1, 2, 0]]
    np.testing.assert_allclose(detector.score(unit), detector.score(moved), atol=1e-5)


@pytest.mark.parametrize(
    "choice",
    [
        DetectorConfig(view="mosaic", null_space="text", contrastive=True),
        DetectorConfig(view="crop", null_space="random"),
        DetectorConfig(kind="cnn", view="mosaic"),
    ],
)
def test_training_repeats_and_weights_come_back(
    rng: np.random.Generator, fitting: Fitting, choice: DetectorConfig, tmp_path: Path
) -> None:
    fitting = fitting.model_copy(update={"epochs": 3, "cnn_epochs": 2})
    if choice.kind == "cnn":
        split = Split(rng.integers(0, 255, (40, 32, 32, 3), dtype=np.uint8), rng.integers(0, 2, 40))
    else:
        split = features(rng, 80, 0.5)
    scores = []
    for _ in range(2):
        detector = make_detector(choice, fitting, BASIS)
        chosen = detector.fit(split, split, 5)
        scores.append(detector.score(split.inputs))
    assert (scores[0] == scores[1]).all()
    assert 0 <= chosen["validation_acc"] <= 1
    path = tmp_path / "detector.safetensors"
    save_weights(detector, path, {"detector": choice.model_dump(), "train": fitting.model_dump()})
    assert (load_detector(path).score(split.inputs) == scores[0]).all()


def test_cnn_control_learns_a_trace_and_not_the_brightness(rng: np.random.Generator, fitting: Fitting) -> None:
    def pictures(count: int) -> Split:
        labels = rng.integers(0, 2, count)
        pixels = rng.integers(0, 255, (count, 32, 32, 3)).astype(np.float64)
        pixels[labels == 1, 1::2] = pixels[labels == 1, ::2]  # fakes: doubled rows
        return Split(pixels.astype(np.uint8), labels.astype(np.int64))

    train, check = pictures(300), pictures(200)
    detector = make_detector(DetectorConfig(kind="cnn", view="mosaic"), fitting, BASIS)
    detector.fit(train, check, 0)
    assert ((detector.score(check.inputs) >= 0.5) == check.labels).mean() > 0.95


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    save_file({"x": np.zeros(2, np.float32)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match="no detector settings"):
        load_detector(tmp_path / "x.safetensors")
