"""Keeping the null space null: the penalty, the estimate anew, and the choice of the epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from nsnet.detectors.protocol import ContentShift
from nsnet.detectors.tuning.lora import LoraDetector
from nsnet.detectors.tuning.shift import EpochChoice, shift_accuracy
from nsnet.detectors.tuning.upkeep import cross_covariance_penalty, estimated_projection
from nsnet.training.runner import Runner
from tests.lora import CONTENT, fitted, lora, lora_context
from tests.training import CPU, examples, pictures

pytestmark = pytest.mark.usefixtures("single_thread")


def test_the_penalty_is_the_sum_over_pairs_of_dimensions(rng: np.random.Generator) -> None:
    q, t = rng.standard_normal((9, 4)), rng.standard_normal((9, 3))
    t[:, 0] += q[:, 1]
    total = 0.0
    for i in range(4):
        for j in range(3):
            total += np.mean((q[:, i] - q[:, i].mean()) * (t[:, j] - t[:, j].mean())) ** 2
    expected = total / (np.mean(q.var(axis=0)) * np.mean(t.var(axis=0)))
    found = cross_covariance_penalty(torch.from_numpy(q), torch.from_numpy(t))
    np.testing.assert_allclose(float(found), expected, rtol=1e-12)
    scaled = cross_covariance_penalty(torch.from_numpy(7 * q + 1), torch.from_numpy(0.1 * t - 5))
    np.testing.assert_allclose(float(scaled), expected, rtol=1e-9)
    orthogonal = np.linalg.qr(np.column_stack([np.ones(9), q, t]))[0]
    none = cross_covariance_penalty(torch.from_numpy(orthogonal[:, 1:5]), torch.from_numpy(orthogonal[:, 5:8]))
    assert float(none) < 1e-25


def test_the_projection_is_estimated_on_features_as_they_are(rng: np.random.Generator) -> None:
    """Against an SVD of the whole cross-covariance at once."""
    x, t = rng.standard_normal((50, 6)).astype(np.float32), rng.standard_normal((50, 3)).astype(np.float32)
    x[:, 2] += 3 * t[:, 0]
    unit, texts = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (x.astype(float), t.astype(float)))
    left = np.linalg.svd((unit - unit.mean(axis=0)).T @ (texts - texts.mean(axis=0)) / 50)[0][:, :2]
    batches = [torch.from_numpy(part) for part in (x[:20], x[20:45], x[45:])]
    found = estimated_projection("cross-modal", 2, batches, t)
    np.testing.assert_allclose(found.numpy(), np.eye(6) - left @ left.T, atol=1e-6)
    with pytest.raises(ValueError, match="all alike"):
        estimated_projection("cross-modal", 2, [torch.ones(50, 6)], t)


def test_refit_follows_the_features(rng: np.random.Generator) -> None:
    """What the head projects with at the end was estimated before the last epoch, on the pool."""
    shown, context = pictures(rng, 40), lora_context(pool=True)
    assert context.pool is not None
    seen: list[torch.Tensor] = []

    class Kept(LoraDetector):
        def fit(self, *arguments: Any) -> Any:
            self.network.head.register_forward_hook(
                lambda head, _inputs, _output: seen.append(head.projection.clone()) if head.training else None
            )
            return super().fit(*arguments)

    settings = lora(null_space="cross-modal", upkeep="refit", epochs=2)
    detector = fitted(Kept(settings, context), shown, Runner(CPU, 0))
    assert len({projection.numpy().tobytes() for projection in seen}) == 2  # one an epoch
    start = np.eye(12) - np.diag([1, 1] + [0] * 10)
    np.testing.assert_array_equal(seen[0].numpy(), start.astype(np.float32))  # the one it was given
    assert torch.equal(seen[-1], detector.network.head.projection)
    rank = torch.linalg.matrix_rank(torch.eye(12) - seen[-1])
    assert rank == 2
    pictured = fitted(LoraDetector(lora(null_space="cross-modal", epochs=1), context), shown, Runner(CPU, 0))
    texts = context.pool.texts
    features = [pictured.network.frozen_features(context.pool.pictures.fetch(np.arange(40), 0))]
    again = estimated_projection("cross-modal", 2, features, texts)
    # After one epoch of either the tower is the same: the second is refitted on it.
    torch.testing.assert_close(seen[-1], again, rtol=0, atol=1e-5)


def test_the_penalty_holds_pool_and_captions_apart(rng: np.random.Generator) -> None:
    """Against the same training without it; LoRA and seeds alike."""
    shown, context = pictures(rng, 60), lora_context(pool=True)
    assert context.pool is not None
    left = []
    for values in ({}, {"upkeep": "penalty", "penalty": 1.0, "pool_batch": 30}):
        settings = lora(null_space="cross-modal", epochs=6, dropout=0.0, rank=4, **values)
        network = fitted(LoraDetector(settings, context), shown, Runner(CPU, 0)).network
        features = network.frozen_features(context.pool.pictures.fetch(np.arange(40), 0))
        projected = network.head.project(features)
        left.append(float(cross_covariance_penalty(projected, torch.from_numpy(context.pool.texts))))
    assert left[1] < 0.7 * left[0]


def test_shift_accuracy_is_that_of_the_worse_pairing() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    content = np.array([1, 1, 0, 0, 1, 1, 0, 0], bool)
    assert shift_accuracy(labels == 1, labels, content) == 1
    assert shift_accuracy(~content, labels, content) == 0  # fake if it lacks the content: right on one pairing
    assert shift_accuracy(content, labels, content) == 0
    half = np.array([0, 1, 0, 0, 1, 1, 1, 1], bool)  # one real with the content is called fake
    assert shift_accuracy(half, labels, content) == 0.75
    assert shift_accuracy(np.ones(8, bool), labels, content) == 0.5


def test_the_first_of_the_best_epochs_is_kept() -> None:
    labels = np.arange(48) % 2
    choice = EpochChoice(ContentShift(examples(np.zeros((48, 2), np.float32), labels), CONTENT))
    right, wrong = labels == 1, np.ones(48, bool)
    weight = torch.zeros(1)
    for epoch, called in enumerate((wrong, right, wrong, right)):
        weight += 1
        choice.judge(epoch, called, {"weight": weight})
    assert choice.facts == {"epoch": 2, "shift_accuracy": [0.5, 1.0, 0.5, 1.0]}
    assert choice.state["weight"] == 2  # a copy: what moved on is not kept
    again = EpochChoice(choice.shift)
    again.load_state_dict(choice.state_dict())
    assert again.facts == choice.facts


def test_the_chosen_epoch_is_what_is_left(rng: np.random.Generator) -> None:
    shown, context = pictures(rng, 60), lora_context(shift=True)
    detector = LoraDetector(lora(select="content-shift", epochs=4), context)
    facts = detector.fit(shown, shown, Runner(CPU, 0))
    assert context.shift is not None and len(facts["shift_accuracy"]) == 4
    scores = detector.score(Runner(CPU, 0).batches(context.shift.pictures, 64))
    left = shift_accuracy(scores >= 0.5, context.shift.pictures.labels, CONTENT)
    assert round(left, 6) == max(facts["shift_accuracy"]) == facts["shift_accuracy"][facts["epoch"] - 1]
    shorter = fitted(LoraDetector(lora(epochs=facts["epoch"]), context), shown, Runner(CPU, 0))
    for name, tensor in shorter.network.state_dict().items():
        assert torch.equal(tensor, detector.network.state_dict()[name]), name
