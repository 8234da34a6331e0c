"""Metrics, thresholds and resamples against scikit-learn and loops."""

from __future__ import annotations

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    precision_score,
    roc_auc_score,
    roc_curve,
)

from nsnet.detectors.temperature import CLIP
from nsnet.detectors.thresholds import choose_threshold
from nsnet.evaluation.metrics import METRICS, RealPool, metrics, resampled_metrics
from nsnet.evaluation.resampling import generator_draws, resamples, seed_draws

# Sums of at most 85 terms below 1, in another order than scikit-learn's: some 85 x 2^-53 = 1e-14.
EXACT = 1e-12
N_REAL, N_FAKE = 60, 25
TEMPERATURE = 1.7


@pytest.fixture(params=["distinct", "ties", "saturated", "apart", "reversed", "halves"])
def scores(request: pytest.FixtureRequest, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    real, fake = rng.beta(2, 3, N_REAL), rng.beta(3, 2, N_FAKE)
    if request.param == "ties":
        return np.round(real, 1), np.round(fake, 1)
    if request.param == "saturated":
        return (real > 0.6).astype(float), (fake > 0.4).astype(float)
    if request.param == "apart":
        return real / 2, 0.5 + fake / 2
    if request.param == "reversed":
        return 0.5 + real / 2, fake / 2
    if request.param == "halves":
        return np.full(N_REAL, 0.5), np.full(N_FAKE, 0.5)
    return real, fake


def calibration_error(scores: np.ndarray, labels: np.ndarray, balance: np.ndarray) -> float:
    """Picture by picture, bin by bin; classes weigh the same."""
    gaps = [0.0] * 15
    for score, label, weight in zip(scores, labels, balance, strict=True):
        gaps[min(int(score * 15), 14)] += weight * (label - score) / 2
    return float(sum(abs(gap) for gap in gaps))


def reference(real: np.ndarray, fake: np.ndarray, threshold: float) -> dict[str, float]:
    """scikit-learn's numbers on images repeated as often as they were drawn, and a loop's."""
    labels = np.r_[np.zeros(len(real)), np.ones(len(fake))]
    both = np.r_[real, fake]
    balance = np.r_[np.full(len(real), 1 / len(real)), np.full(len(fake), 1 / len(fake))]
    wrong, caught, _ = roc_curve(labels, both, drop_intermediate=False)
    rare = balance * np.where(labels == 1, 0.01, 0.99)
    clipped = np.clip(both, CLIP, 1 - CLIP)
    odds = (clipped / (1 - clipped)) ** (1 / TEMPERATURE)
    return {
        "tpr_at_1_percent": float(caught[wrong <= 0.01].max()),
        "tpr_at_5_percent": float(caught[wrong <= 0.05].max()),
        "precision_at_1_percent": precision_score(labels, both >= 0.5, sample_weight=rare, zero_division=0),
        "ece": calibration_error(both, labels, balance),
        "ece_scaled": calibration_error(odds / (1 + odds), labels, balance),
        "acc": balanced_accuracy_score(labels, both >= 0.5),
        "r_acc": accuracy_score(labels[labels == 0], real >= 0.5),
        "f_acc": accuracy_score(labels[labels == 1], fake >= 0.5),
        "ap": average_precision_score(labels, both, sample_weight=balance),
        "auroc": roc_auc_score(labels, both, sample_weight=balance),
        "acc_validation": balanced_accuracy_score(labels, both >= threshold),
        "plain_acc": accuracy_score(labels, both >= 0.5),
        "plain_ap": average_precision_score(labels, both),
        # Every score of a picture as a threshold, and one above them all.
        "acc_oracle": max(balanced_accuracy_score(labels, both >= one) for one in [*np.unique(both), 2.0]),
    }


@pytest.mark.parametrize("threshold", [-1.0, 0.3, 0.5, 0.61, 2.0])
def test_values_equal_scikit_learn(scores: tuple[np.ndarray, np.ndarray], threshold: float) -> None:
    assert metrics(*scores, threshold, TEMPERATURE) == pytest.approx(reference(*scores, threshold), abs=EXACT)


def test_every_draw_equals_scikit_learn_on_the_repeated_images(scores: tuple[np.ndarray, np.ndarray]) -> None:
    weights = resamples(N_REAL, 20, 0, "real"), resamples(N_FAKE, 20, 0, "fake")
    drawn = resampled_metrics(*scores, *weights, 0.4, TEMPERATURE)
    assert tuple(drawn) == METRICS
    for draw in range(21):
        real, fake = (np.repeat(side, w[draw].astype(int)) for side, w in zip(scores, weights, strict=True))
        for metric, value in reference(real, fake, 0.4).items():
            assert drawn[metric][draw] == pytest.approx(value, abs=EXACT), (metric, draw)


def test_one_pool_serves_many_generators(rng: np.random.Generator) -> None:
    real, weights = rng.random(N_REAL), resamples(N_REAL, 5, 0, "real")
    pool = RealPool(real, weights, 0.4)
    for count in (1, 7, 90):
        fake, fake_weights = rng.random(count), resamples(count, 5, 0, f"fake/{count}")
        once = resampled_metrics(real, fake, weights, fake_weights, 0.4)
        for metric, draws in pool.against(fake, fake_weights).items():
            assert (draws == once[metric]).all(), metric


def test_average_precision_keeps_the_digits_float32_weights_lost(rng: np.random.Generator) -> None:
    real, fake = rng.random(500), rng.random(100)
    ours = resampled_metrics(real, fake, np.ones((1, 500), np.float32), np.ones((1, 100), np.float32), 0.5)["ap"][0]
    labels, both = np.repeat([0, 1], [500, 100]), np.r_[real, fake]
    lossy = np.where(labels == 1, np.float32(1) / np.float32(100), np.float32(1) / np.float32(500))
    exact = np.where(labels == 1, 1 / 100, 1 / 500)
    truth = average_precision_score(labels, both, sample_weight=exact)
    assert ours == pytest.approx(truth, abs=EXACT)
    # float32 carries 6e-8 of relative error: 1e-10 of it must show, or this test shows nothing.
    assert abs(average_precision_score(labels, both, sample_weight=lossy.astype(np.float64)) - truth) > 1e-10


def test_a_score_at_the_threshold_is_called_fake() -> None:
    found = metrics(np.array([0.5, 0.4]), np.array([0.5, 0.2]), 0.2)
    assert (found["r_acc"], found["f_acc"], found["acc_validation"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("real", "fake", "words"),
    [
        ([], [0.5], "reals"),
        ([0.5], [], "fakes"),
        ([np.nan], [0.5], "1 of 1 scores"),
        ([0.5], [np.inf], "not finite"),
        ([-2, 0.5], [0.5], "reals: expected probabilities, got scores from -2 to 0.5"),
    ],
)
def test_bad_scores_are_named(real: list[float], fake: list[float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metrics(np.array(real), np.array(fake), 0.5)


def test_weights_that_do_not_fit_are_refused() -> None:
    pool = RealPool(np.array([0.1, 0.2]), np.ones((3, 2)), 0.5)
    with pytest.raises(ValueError, match="2 rows of weights, their pool of reals 3"):
        pool.against(np.array([0.5]), np.ones((2, 1)))
    with pytest.raises(ValueError, match="row of weights is empty"):
        pool.against(np.array([0.5]), np.array([[1.0], [0.0], [1.0]]))
    # The run-time check of array types, on in these tests, is the first to see it.
    with pytest.raises((ValueError, TypeCheckError), match=r"reals: scores of shape|weights"):
        RealPool(np.array([0.1, 0.2]), np.ones((3, 3)), 0.5)


@pytest.mark.parametrize("digits", [1, 2, 15])
def test_the_threshold_is_the_best_of_all(rng: np.random.Generator, digits: int) -> None:
    for _ in range(40):
        labels = np.r_[0, 1, rng.integers(0, 2, rng.integers(0, 25))]
        scores = np.round(rng.beta(2 + labels, 3 - labels), digits)
        distinct = np.unique(scores)
        tried = [distinct[0], *((distinct[1:] + distinct[:-1]) / 2), np.nextafter(distinct[-1], 2)]
        accuracy = [balanced_accuracy_score(labels, scores >= t) for t in tried]
        # Shares of at most 27 images differ by 1e-3 or are equal.
        best = [t for t, value in zip(tried, accuracy, strict=True) if value > max(accuracy) - 1e-9]
        nearest = min(best, key=lambda t: (abs(t - 0.5), t))
        # The midpoint by another formula: one rounding.
        assert choose_threshold(scores, labels) == pytest.approx(nearest, abs=1e-15)


def test_a_threshold_parts_neighbouring_floats() -> None:
    low = 0.7
    high = np.nextafter(low, 1)
    assert choose_threshold(np.array([low, high]), np.array([0, 1])) == high


def test_a_threshold_needs_both_classes_and_finite_scores() -> None:
    with pytest.raises(ValueError, match="reals"):
        choose_threshold(np.array([0.1, 0.2]), np.array([1, 1]))
    with pytest.raises(ValueError, match="finite"):
        choose_threshold(np.array([0.1, np.nan]), np.array([0, 1]))


def test_resamples_keep_the_size_and_depend_on_seed_and_name_only() -> None:
    draws = resamples(40, 200, 3, "pool")
    assert (draws[0] == 1).all() and (draws.sum(axis=1) == 40).all()
    assert (draws == resamples(40, 200, 3, "pool")).all()
    assert not (draws == resamples(40, 200, 3, "other")).all()
    assert not (draws == resamples(40, 200, 4, "pool")).all()


def test_the_variance_of_a_mean_of_few_is_unbiased(rng: np.random.Generator) -> None:
    weights = seed_draws(3, 2000, 0, "runs")
    # Sums of three weights, rounded.
    assert weights.sum(axis=1) == pytest.approx(1, abs=1e-15) and (weights[0] == 1 / 3).all()
    values = rng.normal(size=(2000, 3))
    bootstrap = np.var(values @ weights[1:].T, axis=1)
    # Of each sample s^2 / n, within the error of a variance of 2,000 draws, sqrt(2 / 2000) = 3 %.
    assert np.median(bootstrap / (np.var(values, axis=1, ddof=1) / 3)) == pytest.approx(1, abs=0.1)
    # And on average the variance of a mean of three, within 2 % more. The plain bootstrap is 33 % off.
    assert bootstrap.mean() == pytest.approx(1 / 3, rel=0.12)


def test_a_single_unit_is_not_resampled_and_none_is_refused() -> None:
    assert (seed_draws(1, 10, 0, "runs") == 1).all() and seed_draws(1, 10, 0, "runs").shape == (11, 1)
    with pytest.raises(ValueError, match="0 units"):
        seed_draws(0, 10, 0, "runs")


def test_generators_and_seeds_are_drawn_apart() -> None:
    assert not (generator_draws(5, 50, 0, "x") == seed_draws(5, 50, 0, "x")).all()
    assert (generator_draws(5, 50, 0, "x") == generator_draws(5, 50, 0, "x")).all()
