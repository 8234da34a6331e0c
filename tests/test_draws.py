"""Intervals over mosaic draws: against a slow reference, and whether they hold what they say."""

from __future__ import annotations

import hashlib
import math
import statistics

import numpy as np
import pytest
import scipy.stats
from scipy.special import expit

from nsnet import load
from nsnet.features.views import make_view
from nsnet.lab.corpus import make_picture, plan
from nsnet.params import Params
from nsnet.prediction.draws import decide, pooled
from nsnet.prediction.scorer import Scorer
from nsnet.training.exports import SHIPPED


def test_intervals_are_those_of_the_textbook(rng: np.random.Generator) -> None:
    scores = rng.uniform(0.01, 0.99, (20, 5))
    mean, low, high = pooled(scores)
    for row, *found in zip(scores.tolist(), mean, low, high, strict=True):
        logits = [math.log(score / (1 - score)) for score in row]
        half = scipy.stats.t(4).ppf(0.975) * statistics.stdev(logits) * math.sqrt(1 + 1 / 5)
        ends = [1 / (1 + math.exp(-(statistics.fmean(logits) + side * half))) for side in (-1, 1)]
        # Sums of five float64 in another order, and quantiles of two implementations: 1e-13 or so.
        assert found == pytest.approx([statistics.fmean(row), *ends], abs=1e-11)


@pytest.mark.parametrize("draws", [2, 8, 30])
def test_one_more_draw_lies_within_95_times_of_100(draws: int, rng: np.random.Generator) -> None:
    """Pictures with a mean and a deviation of their own, normal logits."""
    count = 40_000
    centre, deviation = rng.uniform(-3, 3, (count, 1)), rng.uniform(0.1, 2, (count, 1))
    scores = expit(centre + deviation * rng.standard_normal((count, draws + 1)))
    _, low, high = pooled(scores[:, :draws])
    held = ((low <= scores[:, draws]) & (scores[:, draws] <= high)).mean()
    assert held == pytest.approx(0.95, abs=0.0044)  # four standard deviations of a share of 40,000


@pytest.mark.parametrize("name", ["nsnet", "cnn-control"])
def test_one_more_mosaic_lies_within_as_often(name: str, params: Params) -> None:
    """The logits of real mosaics are near enough to normal: shipped detectors on pictures of the lab."""
    detector = load(name, detectors=SHIPPED.root)
    scorer: Scorer = detector._scorer
    tested = [picture for picture in plan(params.lab) if picture.split == "test"]
    held = []
    for picture in tested[:: len(tested) // 10]:
        pixels = np.asarray(make_picture(picture, params.lab.seed)[0].convert("RGB"))
        name = hashlib.sha256(pixels.tobytes()).hexdigest()
        blocks = scorer.score([make_view("mosaic", pixels, name, draw, scorer.views) for draw in range(64)])
        _, low, high = pooled(blocks.reshape(8, 8))
        following = np.roll(blocks.reshape(8, 8), -1, axis=0)[:, 0]
        held += ((low <= following) & (following <= high)).tolist()
    assert len(held) >= 10 * 8
    # Four standard deviations of a share of 80 below: it sees tails so heavy that a normal is no model of these logits.
    # Of 1,152 such intervals, on 48 pictures, 0.947 and 0.950 held.
    assert np.mean(held) >= 0.95 - 4 * math.sqrt(0.95 * 0.05 / 80)


def test_a_single_draw_has_no_interval() -> None:
    scores = np.array([[0.3], [1.0], [0.0]])
    assert all(np.array_equal(values, scores[:, 0]) for values in pooled(scores))


def test_certain_scores_give_no_infinities() -> None:
    scores = np.array([[1.0, 1.0, 1.0], [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [1.0, 1.0, 0.9]])
    mean, low, high = pooled(scores)
    assert np.isfinite([mean, low, high]).all() and (low <= mean).all() and (mean <= high).all()
    # Equal draws have no width but the clip's: half of what float64 tells apart from 1, and the logit's rounding,
    # 36.7 times 1e-16.
    np.testing.assert_allclose(low[:2], mean[:2], rtol=0, atol=1e-14)
    np.testing.assert_allclose(high[:2], mean[:2], rtol=0, atol=1e-14)
    assert low[2] < 0.01 and high[2] > 0.99


def test_the_mean_is_never_outside() -> None:
    """One of a hundred draws far away: the mean of scores lies beyond the interval of logits."""
    scores = expit(np.array([[-10.0] * 99 + [10.0], [10.0] * 99 + [-10.0]]))
    mean, low, high = pooled(scores)
    assert high[0] == mean[0] == pytest.approx(0.01, abs=1e-4)  # 99 times 5e-5 beside one
    assert low[1] == mean[1] == pytest.approx(0.99, abs=1e-4)


@pytest.mark.parametrize(
    ("low", "high", "decision"),
    [(0.5, 0.9, "fake"), (0.1, 0.49, "real"), (0.1, 0.5, "unsure"), (0.5, 0.5, "fake"), (0.49, 0.49, "real")],
)
def test_decisions(low: float, high: float, decision: str) -> None:
    """As everywhere, a score equal to the threshold is fake."""
    assert decide(low, high, 0.5) == decision
