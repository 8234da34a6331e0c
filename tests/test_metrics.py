"""Metrics and bootstrap against scikit-learn and a loop."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from nsnet.evaluation.metrics import interval, resampled_metrics, resamples


@pytest.fixture(params=["distinct", "ties", "saturated"])
def scores(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    real, fake = rng.beta(2, 3, 60), rng.beta(3, 2, 25)
    if request.param == "ties":
        real, fake = np.round(real, 1), np.round(fake, 1)
    if request.param == "saturated":
        real, fake = (real > 0.6).astype(float), (fake > 0.4).astype(float)
    return real, fake


def reference(real: np.ndarray, fake: np.ndarray, n_real: int, n_fake: int) -> dict[str, float]:
    """scikit-learn's numbers, both classes with half of the weight."""
    labels = np.r_[np.zeros(len(real)), np.ones(len(fake))]
    both = np.r_[real, fake]
    weights = np.r_[np.full(len(real), 1 / n_real), np.full(len(fake), 1 / n_fake)]
    return {
        "acc": balanced_accuracy_score(labels, both >= 0.5),
        "r_acc": float((real < 0.5).mean()),
        "f_acc": float((fake >= 0.5).mean()),
        "ap": average_precision_score(labels, both, sample_weight=weights),
    }


def test_values_equal_scikit_learn(scores: tuple[np.ndarray, np.ndarray]) -> None:
    real, fake = scores
    drawn = resampled_metrics(real, fake, np.ones((1, 60), np.float32), np.ones((1, 25), np.float32))
    for metric, value in reference(real, fake, 60, 25).items():
        # Weights are float32: seven digits.
        assert drawn[metric][0] == pytest.approx(value, abs=1e-6), metric


def test_every_draw_equals_scikit_learn_on_the_resampled_images(scores: tuple[np.ndarray, np.ndarray]) -> None:
    real, fake = scores
    real_weights, fake_weights = resamples(60, 20, 0, "real"), resamples(25, 20, 0, "fake")
    drawn = resampled_metrics(real, fake, real_weights, fake_weights)
    for draw in range(21):
        again = [np.repeat(s, w[draw].astype(int)) for s, w in ((real, real_weights), (fake, fake_weights))]
        for metric, value in reference(again[0], again[1], 60, 25).items():
            assert drawn[metric][draw] == pytest.approx(value, abs=1e-6), (metric, draw)


def test_resamples_keep_the_size_and_depend_on_seed_and_name_only() -> None:
    draws = resamples(40, 200, 3, "pool")
    assert (draws[0] == 1).all() and (draws.sum(axis=1) == 40).all()
    assert (draws == resamples(40, 200, 3, "pool")).all()
    assert not (draws == resamples(40, 200, 3, "other")).all()
    assert not (draws == resamples(40, 200, 4, "pool")).all()


def test_interval_of_accuracy_agrees_with_the_binomial(rng: np.random.Generator) -> None:
    real, fake = rng.random(400), np.full(10, 0.9)
    drawn = resampled_metrics(real, fake, resamples(400, 4000, 0, "a"), resamples(10, 4000, 0, "b"))
    low, high = interval(drawn["r_acc"])
    p = (real < 0.5).mean()
    half = 1.96 * np.sqrt(p * (1 - p) / 400)
    # 4000 draws place a 2.5 % quantile to about 3 % of the half width; binomial steps are 1/400.
    assert (high - low) / 2 == pytest.approx(half, rel=0.08)
    assert interval(drawn["f_acc"]) == (1, 1)
