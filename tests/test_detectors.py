"""Detectors: the linear head against scikit-learn, the switches, published heads, thresholds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.published import PublishedDetector
from nsnet.detectors.registry import detector_class, kinds
from nsnet.detectors.settings import PublishedSettings
from nsnet.detectors.thresholds import balanced_accuracy
from nsnet.training.runner import Runner
from tests.training import BASIS, CPU, WIDTH, cnn, context, examples, features, linear, pictures, scored

pytestmark = pytest.mark.usefixtures("single_thread")


def unit(rows: Any) -> Any:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_shipped_kinds_are_registered() -> None:
    assert {"linear", "cnn", "published"} <= set(kinds())
    assert detector_class("linear").__name__ == LinearDetector.__name__
    with pytest.raises(ValueError, match="did you mean linear"):
        detector_class("linaer")


@pytest.mark.parametrize("share", [0.5, 0.15])
def test_plain_head_equals_logistic_regression(rng: np.random.Generator, share: float) -> None:
    """With classes of unequal size too: balanced BCE is scikit-learn's class_weight."""
    rows, labels = features(rng, 900, 0.2)
    kept = np.flatnonzero((labels == 0) | (rng.random(900) < share))
    rows, labels = rows[kept], labels[kept]
    noisy = np.where(rng.random(len(labels)) < 0.2, 1 - labels, labels)  # not separable: a finite optimum
    check = features(rng, 300, 0.2)
    settings = linear(weight_decay=[0.0], epochs=2000, batch=len(rows), lr=0.01)
    detector = LinearDetector(settings, context())
    detector.fit(examples(rows, noisy), examples(*check), Runner(CPU, 0))
    exact = LogisticRegression(C=1e8, max_iter=10000, tol=1e-8, class_weight="balanced").fit(unit(rows), noisy)
    # float32 gradients stall Adam at some 4e-4 from the optimum that LBFGS finds; steps of 0.03 left it 1.2e-3 away.
    expected = exact.predict_proba(unit(check[0]))[:, 1]
    np.testing.assert_allclose(scored(detector, examples(*check)), expected, atol=1e-3)


@pytest.mark.parametrize("contrastive", [True, False])
def test_null_space_cannot_see_the_semantic_directions(rng: np.random.Generator, contrastive: bool) -> None:
    """Under full semantic bias the projected head keeps the trace; the plain one drowns in content."""
    train, biased, (rows, labels) = features(rng, 400, 2.0), features(rng, 200, 2.0), features(rng, 2000, 0.0)
    swapped = rows.copy()
    swapped[:, 0] += 2 * rng.choice((-1, 1), len(labels))  # content that says nothing
    accuracy = {}
    for null_space in ("none", "text"):
        settings = linear(null_space=null_space, adapter=contrastive, contrastive=contrastive)
        detector = LinearDetector(settings, context())
        detector.fit(examples(*train), examples(*biased), Runner(CPU, 0))
        accuracy[null_space] = ((scored(detector, examples(swapped, labels)) >= 0.5) == labels).mean()
    assert accuracy["text"] > 0.8 > 0.6 > accuracy["none"]


def test_scores_ignore_the_semantic_part(rng: np.random.Generator) -> None:
    rows, labels = features(rng, 200, 1.0)
    detector = LinearDetector(linear(null_space="text", epochs=10), context())
    detector.fit(examples(rows, labels), examples(rows, labels), Runner(CPU, 0))
    # Features are normalised before the projection: exchange content of equal length.
    moved = unit(rows).copy()
    moved[:, :3] = unit(rows)[:, [1, 2, 0]]
    # float32 rounding of unit features, carried through one linear layer.
    np.testing.assert_allclose(
        scored(detector, examples(unit(rows), labels)), scored(detector, examples(moved, labels)), atol=1e-5
    )


def test_random_directions_differ_by_seed_and_are_as_many_as_the_text_ones() -> None:
    first, again, other = (LinearDetector(linear(null_space="random"), context(seed)).projection for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.allclose(first, other)
    assert torch.linalg.matrix_rank(first, atol=1e-4) == WIDTH - len(BASIS)  # float32 rounding is 1e-7


def test_needs_say_which_part_of_the_basis_counts() -> None:
    asked = {null_space: LinearDetector.needs(linear(null_space=null_space)).basis for null_space in ("none", "text")}
    assert asked == {"none": "nothing", "text": "directions"}
    assert LinearDetector.needs(linear(null_space="random")).basis == "rank"
    assert LinearDetector.needs(linear(null_space="image-pca")).null_space == "image-pca"
    assert CnnDetector.needs(cnn(draws=3)).draws == 3 and CnnDetector.needs(cnn()).reads == "pixels"


def test_contrastive_loss_without_an_adapter_is_refused() -> None:
    with pytest.raises(ValidationError, match="nothing would move"):
        linear(contrastive=True)
    with pytest.raises(ValidationError, match="crop is always the same"):
        linear(view="crop", draws=2)


def test_weight_decay_draws_the_adapter_to_the_identity(rng: np.random.Generator) -> None:
    """Under a decay that outweighs any gradient the layer is I + A with A near zero, not a layer near zero."""
    train = examples(*features(rng, 400, 0.0))
    sizes = {}
    for decay in (0.0, 30.0):
        settings = linear(adapter=True, contrastive=True, weight_decay=[decay], epochs=20)
        detector = LinearDetector(settings, context())
        detector.fit(train, train, Runner(CPU, 0))
        assert detector.head.adapter is not None
        sizes[decay] = float(detector.head.adapter.weight.detach().norm())
        standardised = detector.head.standardise(train.fetch(np.arange(50), 0))
        share = detector.head.decide(standardised)[1].norm() / standardised.norm()
        assert share > 0.5  # a layer drawn to zero would leave a twentieth
    assert sizes[30.0] < 0.1 * sizes[0.0]


def test_candidates_side_by_side_are_what_each_is_alone(rng: np.random.Generator) -> None:
    train = examples(*features(rng, 200, 0.5))
    kept = {}
    for decays in ([0.01], [3.0], [0.01, 3.0]):
        settings = linear(adapter=True, contrastive=True, weight_decay=decays, epochs=3)
        detector = LinearDetector(settings, context())
        chosen = detector.fit(train, train, Runner(CPU, 0))
        kept[tuple(decays)] = chosen["weight_decay"], scored(detector, train), chosen["validation_bce"]
    both = kept[0.01, 3.0]
    alone = kept[both[0],]
    assert both[2] == min(one[2] for one in kept.values())
    # The same operations on the same numbers; only the order in which gradients are summed may differ.
    np.testing.assert_allclose(both[1], alone[1], atol=1e-6)


def test_standardisation_is_by_the_training_mean_and_one_scale_over_all_draws(rng: np.random.Generator) -> None:
    from nsnet.training.examples import FeatureExamples

    draws = [features(rng, 5000, 0.5)[0] for _ in range(2)]
    train = FeatureExamples(draws, features(rng, 5000, 0.5)[1])
    detector = LinearDetector(linear(null_space="text", draws=2, epochs=1), context())
    detector.fit(train, train, Runner(CPU, 0))
    projected = unit(np.concatenate(draws).astype(np.float64)) @ (np.eye(WIDTH) - BASIS.T @ BASIS)
    # float32 features: 1e-7 relative, over numbers of size 0.1.
    np.testing.assert_allclose(detector.head.mean.numpy(), projected.mean(axis=0), atol=1e-6)
    assert float(detector.head.scale[0]) == pytest.approx((projected - projected.mean(axis=0)).std(), rel=1e-5)
    plain = LinearDetector(linear(standardise=False, epochs=1), context())
    plain.fit(train, train, Runner(CPU, 0))
    assert not plain.head.mean.any() and (plain.head.scale == 1).all()


def test_cnn_control_learns_a_trace_and_not_the_brightness(rng: np.random.Generator) -> None:
    train, check = pictures(rng, 300), pictures(rng, 200)
    detector = CnnDetector(cnn(), context())
    detector.fit(train, check, Runner(CPU, 0))
    assert ((scored(detector, check) >= 0.5) == check.labels).mean() > 0.95


def fit_any(detector: PublishedDetector) -> None:
    shown = examples(np.zeros((2, WIDTH), np.float32), np.array([0, 1]))
    detector.fit(shown, shown, Runner(CPU, 0))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_published_head_scores_unnormalised_features(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    weight, bias = rng.standard_normal((1, WIDTH)).astype(np.float32), np.array([0.3], np.float32)
    file, tensors = tmp_path / f"head{suffix}", {"weight": torch.from_numpy(weight), "bias": torch.from_numpy(bias)}
    save_file(tensors, file) if suffix == ".safetensors" else torch.save(tensors, file)
    settings = PublishedSettings(view="crop", weights=str(file))
    assert PublishedDetector.needs(settings).files == (file,)
    detector = PublishedDetector(settings, context())
    rows, labels = features(rng, 50, 1.0)
    assert detector.fit(examples(rows, labels), examples(rows, labels), Runner(CPU, 0)) == {}
    logits = rows.astype(np.float64) @ weight[0].astype(np.float64) + bias[0]
    # A float32 dot product of twelve numbers of size 1.
    np.testing.assert_allclose(scored(detector, examples(rows, labels)), 1 / (1 + np.exp(-logits)), atol=1e-6)


@pytest.mark.parametrize(
    ("tensors", "found"),
    [
        ({"weight": torch.zeros(1, 9), "bias": torch.zeros(1)}, r"weight \(1, 9\)"),
        ({"fc.weight": torch.zeros(1, WIDTH), "fc.bias": torch.zeros(1)}, "fc.weight"),
        ({"weight": torch.zeros(1, WIDTH)}, r"holds weight \(1, 12\);"),
        ({"weight": torch.zeros(2, WIDTH), "bias": torch.zeros(2)}, r"weight \(2, 12\)"),
        ([1, 2], "holds list"),
    ],
)
def test_another_published_head_is_refused_in_one_line(tmp_path: Path, tensors: Any, found: str) -> None:
    file = tmp_path / "head.pth"
    torch.save(tensors, file)
    detector = PublishedDetector(PublishedSettings(view="crop", weights=str(file)), context())
    with pytest.raises(ValueError, match=found) as error:
        fit_any(detector)
    assert str(file) in str(error.value) and "expected weight (1, 12) and bias (1,)" in str(error.value)


@pytest.mark.parametrize("name", ["head.pth", "head.safetensors"])
def test_unreadable_published_heads_are_named(tmp_path: Path, name: str) -> None:
    detector = PublishedDetector(PublishedSettings(view="crop", weights=str(tmp_path / name)), context())
    with pytest.raises(FileNotFoundError, match="head"):
        fit_any(detector)
    for content in (b"", b"no weights at all", b"half a checkpoint"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read"):
            fit_any(detector)


def test_accuracy_is_balanced(rng: np.random.Generator) -> None:
    labels = np.concatenate([[0, 1], rng.random(60) < 0.2]).astype(np.int64)
    scores = np.round(np.clip(0.3 * labels + rng.random(62) * 0.7, 0, 1), 1)
    assert balanced_accuracy(scores, labels) == pytest.approx(balanced_accuracy_score(labels, scores >= 0.5), rel=1e-12)
    assert balanced_accuracy(scores, labels, 0.3) == pytest.approx(balanced_accuracy_score(labels, scores >= 0.3))
    with pytest.raises(ValueError, match="labels"):
        balanced_accuracy(np.array([0.1, 0.9]), np.array([1, 1]))
