"""Temperature scaling against a grid and against logistic regression."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from nsnet.detectors.temperature import COLDEST, HOTTEST, balanced_nll, fit_temperature, scaled


@pytest.fixture
def split(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores that are twice as sure as they should be, of three reals to a fake."""
    labels = (np.arange(400) % 4 == 0).astype(np.int64)
    return expit(2 * rng.normal(2 * labels - 1, np.sqrt(2))), labels


def test_the_temperature_is_that_of_logistic_regression(split: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = split
    logits = np.log(scores / (1 - scores))
    fitted = LogisticRegression(fit_intercept=False, C=np.inf, class_weight="balanced", tol=1e-10)
    slope = fitted.fit(logits[:, None], labels).coef_[0, 0]
    # The loss is flat near its minimum: a step of 1e-7 on the scale of logarithms, and scikit-learn's tolerance.
    assert 1 / fit_temperature(scores, labels) == pytest.approx(slope, rel=1e-5)
    assert fit_temperature(scores, labels) > 1.5


def test_no_other_temperature_has_a_lower_loss(split: tuple[np.ndarray, np.ndarray]) -> None:
    scores, labels = split
    best = balanced_nll(scores, labels, fit_temperature(scores, labels))
    weights = np.where(labels == 1, 1 / labels.sum(), 1 / (1 - labels).sum())
    for temperature in np.geomspace(COLDEST, HOTTEST, 200):
        loss = balanced_nll(scores, labels, float(temperature))
        assert loss >= best
        if (
            temperature > 0.5
        ):  # below, probabilities next to 1 have no digits left, which the loss of logits does not need
            other = log_loss(labels, scaled(scores, float(temperature)), sample_weight=weights)
            assert loss == pytest.approx(other, rel=1e-6)


def test_scaling_keeps_the_order_and_one_half() -> None:
    scores = np.array([0.0, 1e-9, 0.2, 0.5, 0.7, 1.0])
    for temperature in (COLDEST, 0.5, 1.0, 3.0, HOTTEST):
        found = scaled(scores, temperature)
        assert (np.diff(found) >= 0).all() and found[3] == 0.5 and found[0] > 0 and found[-1] <= 1
    # But for the clipped ends.
    assert scaled(scores, 1.0)[2:5] == pytest.approx(scores[2:5], abs=1e-15)


def test_scores_without_an_error_and_without_a_signal_end_at_the_bounds() -> None:
    labels = np.repeat([0, 1], 5)
    right = np.where(labels == 1, 0.9, 0.1)
    # The search ends a step of its tolerance before the bound.
    assert fit_temperature(right, labels) == pytest.approx(COLDEST, rel=1e-5)
    assert fit_temperature(1 - right, labels) == pytest.approx(HOTTEST, rel=1e-5)


@pytest.mark.parametrize("scores", [[0.1, np.nan, 0.5], [0.1, 0.2, np.inf]])
def test_faults_are_refused(scores: list[float]) -> None:
    with pytest.raises(ValueError, match="finite scores"):
        fit_temperature(np.array(scores), np.array([0, 1, 0]))
    with pytest.raises(ValueError, match=r"3 and 0 of them"):
        fit_temperature(np.array([0.1, 0.2, 0.3]), np.zeros(3, np.int64))
