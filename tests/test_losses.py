"""The losses against float64 loops."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from nsnet.detectors.losses import balanced_bce, class_weights, nsnet_loss, real_contrastive


def contrastive_loop(vectors: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    losses = []
    for i in np.flatnonzero(labels == 0):
        others = [j for j in range(len(labels)) if j != i]
        total = sum(np.exp(unit[i] @ unit[j] / temperature) for j in others)
        positives = [j for j in others if labels[j] == 0]
        losses.append(-np.mean([np.log(np.exp(unit[i] @ unit[j] / temperature) / total) for j in positives]))
    return float(np.mean(losses))


@pytest.mark.parametrize("temperature", [0.07, 0.5])
def test_contrastive_equals_the_loop(rng: np.random.Generator, temperature: float) -> None:
    vectors, labels = rng.standard_normal((20, 6)), np.array([0, 1] * 6 + [0] * 5 + [1] * 3)
    found = real_contrastive(torch.from_numpy(vectors), torch.from_numpy(labels), temperature)
    assert float(found) == pytest.approx(contrastive_loop(vectors, labels, temperature), rel=1e-12)


def test_contrastive_gradient_equals_differences_of_the_loop(rng: np.random.Generator) -> None:
    vectors, labels, step = rng.standard_normal((8, 3)), np.array([0, 1, 0, 0, 1, 1, 0, 1]), 1e-6
    tensor = torch.from_numpy(vectors).requires_grad_()
    real_contrastive(tensor, torch.from_numpy(labels), 0.3).backward()
    slopes = np.zeros_like(vectors)
    for place in np.ndindex(*vectors.shape):
        moved = np.zeros_like(vectors)
        moved[place] = step
        change = contrastive_loop(vectors + moved, labels, 0.3) - contrastive_loop(vectors - moved, labels, 0.3)
        slopes[place] = change / (2 * step)
    assert tensor.grad is not None
    # Central differences in float64: 1e-16 / 1e-6 of rounding, 1e-12 of curvature.
    np.testing.assert_allclose(tensor.grad.numpy(), slopes, atol=1e-8)


def test_contrastive_pulls_reals_together_and_pushes_fakes_away() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    good = torch.tensor([[1.0, 0.0], [1.0, 0.01], [-1.0, 0.0], [0.0, -1.0]])
    bad = torch.tensor([[1.0, 0.0], [-1.0, 0.01], [1.0, 0.0], [-1.0, 0.0]])
    assert real_contrastive(good, labels, 0.07) < 1e-4 < real_contrastive(bad, labels, 0.07)


def test_batch_without_two_reals_costs_nothing() -> None:
    vectors = torch.randn(3, 4, requires_grad=True)
    loss = real_contrastive(vectors, torch.tensor([0, 1, 1]), 0.07)
    loss.backward()
    assert loss.item() == 0 and vectors.grad is not None and not vectors.grad.any()


def test_total_loss_weighs_both_parts(rng: np.random.Generator) -> None:
    vectors, labels = rng.standard_normal((8, 4)), np.array([0, 1] * 4)
    logits = rng.standard_normal(8)
    bce = log_loss(labels, 1 / (1 + np.exp(-logits)))
    tensors = torch.from_numpy(logits), torch.from_numpy(vectors), torch.from_numpy(labels), class_weights(labels)
    expected = 0.8 * contrastive_loop(vectors, labels, 0.07) + 0.2 * bce
    assert float(nsnet_loss(*tensors, 0.2, 0.07)) == pytest.approx(expected, rel=1e-9)
    assert float(nsnet_loss(*tensors, 1.0, 0.07)) == pytest.approx(bce, rel=1e-9)


@pytest.mark.parametrize("fakes", [10, 3])
def test_balanced_bce_gives_each_class_half_the_say(rng: np.random.Generator, fakes: int) -> None:
    labels = np.repeat([0, 1], [20 - fakes, fakes])
    logits = rng.standard_normal(20)
    probabilities = 1 / (1 + np.exp(-logits))
    halves = [log_loss(labels[labels == k], probabilities[labels == k], labels=[0, 1]) for k in (0, 1)]
    found = balanced_bce(torch.from_numpy(logits), torch.from_numpy(labels), class_weights(labels))
    # The weights are float32: 6e-8 relative.
    assert float(found) == pytest.approx(np.mean(halves), rel=1e-6)
    plain = log_loss(labels, probabilities)
    assert (float(found) == pytest.approx(plain, rel=1e-6)) == (fakes == 10)


def test_balanced_bce_adds_up_over_the_parts_of_a_batch(rng: np.random.Generator) -> None:
    labels, logits = np.repeat([0, 1], [15, 5]), torch.from_numpy(rng.standard_normal(20))
    weights, targets = class_weights(labels), torch.from_numpy(labels)
    order = torch.from_numpy(rng.permutation(20))
    parts = [balanced_bce(logits[part], targets[part], weights) * len(part) / 20 for part in order.split(7)]
    assert float(sum(parts)) == pytest.approx(float(balanced_bce(logits, targets, weights)), rel=1e-12)


def test_a_missing_class_has_no_weight() -> None:
    with pytest.raises(ValueError, match="expected reals"):
        class_weights(np.ones(3, np.int64))
