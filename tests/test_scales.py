"""Scores on other scales: the order is kept exactly, and the centre is 0.5."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from nsnet.evaluation.metrics import metrics
from nsnet.evaluation.scales import SCALES, probabilities


@pytest.mark.parametrize("scale", ["logit", "llr"])
def test_a_logit_becomes_its_probability(scale: str, rng: np.random.Generator) -> None:
    scores = rng.normal(0, 6, 500).round(3)
    expected = [1 / (1 + math.exp(-score)) for score in scores]
    # Two roundings of a sigmoid differ in the last bits; ties within 500 scores move none by more than a few.
    np.testing.assert_allclose(probabilities(scores, scale), expected, rtol=1e-14)


def test_probabilities_stay_as_they_are(rng: np.random.Generator) -> None:
    scores = np.concatenate([rng.random(300), [0, -0.0, 1, 0.5, np.nextafter(0.5, 0), np.nextafter(1, 0), 5e-324]])
    assert np.array_equal(probabilities(scores, "probability"), scores)
    assert np.array_equal(probabilities(np.array([0.0, 50.0, 100.0]), "percent"), [0, 0.5, 1])


@pytest.mark.parametrize("scale", list(SCALES))
def test_order_and_ties_are_kept_exactly(scale: str, rng: np.random.Generator) -> None:
    """Where a sigmoid saturates, and where neighbouring floats round to one."""
    known = SCALES[scale]
    wide = rng.normal(0, 400, 300) if math.isinf(known.high) else rng.uniform(known.low, known.high, 300)
    ends = [known.centre, np.nextafter(known.centre, -math.inf), np.nextafter(known.centre, math.inf)]
    near = 33 + np.arange(40) * np.spacing(33.0) if known.high > 1 else np.array([])
    far = np.array([known.low, known.high]) if known.high <= 100 else np.array([-1e308, -800, -799, 800, 801, 1e308])
    scores = np.concatenate([wide, wide[:40], ends, near, far])
    found = probabilities(scores, scale)
    assert np.array_equal(scores[:, None] > scores, found[:, None] > found)
    assert ((found >= 0) & (found <= 1)).all() and np.array_equal(found >= 0.5, scores >= known.centre)
    assert found[len(wide) + 40] == 0.5


def test_metrics_of_saturated_logits_are_those_of_the_logits(rng: np.random.Generator) -> None:
    """A sigmoid alone makes ties of them: the numbers would be others."""
    labels = np.repeat([0, 1], 200)
    logits = rng.normal(40, 3, 400) + labels
    found = probabilities(logits, "logit")
    numbers = metrics(found[:200], found[200:], 0.5)
    # Sums of 400 terms in another order.
    assert numbers["auroc"] == pytest.approx(roc_auc_score(labels, logits), abs=1e-12)
    assert numbers["ap"] == pytest.approx(average_precision_score(labels, logits), abs=1e-12)
    tied = 1 / (1 + np.exp(-logits))
    assert abs(roc_auc_score(labels, tied) - numbers["auroc"]) > 0.01


def test_unknown_scales_get_near_names() -> None:
    with pytest.raises(ValueError, match="unknown scale 'logits'; did you mean logit"):
        probabilities(np.zeros(1), "logits")
