"""Means over seeds and generators against loops over draws, and their coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nsnet.evaluation.intervals import share_interval
from nsnet.evaluation.means import (
    Mean,
    benchmark,
    benchmark_draws,
    difference_estimate,
    estimate,
    population,
    population_draws,
    unpaired,
)
from nsnet.evaluation.resampling import generator_draws, resamples, seed_draws

DRAWS = 300


def percentile(mean: Mean) -> tuple[float, float]:
    """Percentile interval of the draws, for comparison: empty where all agree, and too short near the edge."""
    low, high = np.quantile(mean.draws[1:], [0.025, 0.975])
    return float(low), float(high)


def shares(right: np.ndarray, weights: list[np.ndarray]) -> np.ndarray:
    """Resampled shares of (seeds, generators, images) answers."""
    drawn = [right[:, g].astype(np.float64) @ weights[g].T / right.shape[2] for g in range(right.shape[1])]
    return np.stack(drawn, axis=1)


def image_weights(generators: int, n: int, draws: int = DRAWS) -> list[np.ndarray]:
    return [resamples(n, draws, 0, f"fake/{g}") for g in range(generators)]


def test_draws_equal_a_loop_over_images_seeds_and_generators(rng: np.random.Generator) -> None:
    right = rng.random((3, 4, 10)) < 0.8
    weights = image_weights(4, 10, 12)
    seeds, generators = seed_draws(3, 12, 0, "x"), generator_draws(4, 12, 0, "x")
    values = shares(right, weights)
    for draw in range(13):
        # Counts of the n - 1 drawn units, then a plain mean of all they hold.
        runs = [0, 1, 2] if draw == 0 else np.repeat(np.arange(3), np.rint(seeds[draw] * 2).astype(int))
        kinds = [0, 1, 2, 3] if draw == 0 else np.repeat(np.arange(4), np.rint(generators[draw] * 3).astype(int))
        picked = [np.repeat(np.arange(10), w[draw].astype(int)) for w in weights]
        fixed = np.mean([right[s, g, i] for s in runs for g in range(4) for i in picked[g]])
        drawn = np.mean([right[s, g, i] for s in runs for g in kinds for i in picked[g]])
        # Sums of some hundred shares, rounded.
        assert benchmark_draws(values, seeds)[draw] == pytest.approx(fixed, abs=1e-13)
        assert population_draws(values, seeds, generators)[draw] == pytest.approx(drawn, abs=1e-13)


def test_the_variance_is_that_of_seeds_images_and_their_interplay(rng: np.random.Generator) -> None:
    n, runs, repeats = 40, 4, 400
    weights, seeds = image_weights(1, n), seed_draws(runs, DRAWS, 0, "x")
    mended, raw = [], []
    for _ in range(repeats):
        answers = rng.normal(0, 1, (runs, 1, 1)) + rng.normal(0, 1, (1, 1, n)) + rng.normal(0, 4, (runs, 1, n))
        mean = benchmark(shares(answers, weights), seeds)
        mended.append(mean.variance)
        raw.append(np.var(mean.draws[1:]))
    seed, image, interplay = 1 / runs, 1 / n, 4**2 / (runs * n)
    # Variances over seeds have 3 degrees of freedom: sqrt(2 / 3) / sqrt(400) of them, 4 %; the 300 draws that all share
    # add sqrt(2 / 300) = 8 % at most. Unmended, it is half as much again.
    assert np.mean(mended) == pytest.approx(seed + image + interplay, rel=0.12)
    assert np.mean(raw) == pytest.approx(seed + image + 3 * interplay, rel=0.12)


@pytest.mark.parametrize("agreement", [0.9, 1.0])
def test_coverage_of_a_mean_over_seeds_at_99_of_100(agreement: float, rng: np.random.Generator) -> None:
    weights, seeds = image_weights(1, 100), seed_draws(5, DRAWS, 0, "x")
    held, simple, repeats = 0, 0, 600
    for _ in range(repeats):
        hard = math.sqrt(agreement) * rng.normal(size=(1, 1, 100))
        wrong = hard + math.sqrt(1 - agreement) * rng.normal(size=(5, 1, 100)) > stats.norm.ppf(0.99)
        mean = benchmark(shares(~wrong, weights), seeds)
        found = estimate(mean, 100)
        held += found.low <= 0.99 <= found.high
        low, high = percentile(mean)
        simple += low <= 0.99 <= high
    # 600 samples: a standard error of 0.01 at most; at full agreement one share, 0.921, and few seeds change nothing.
    assert 0.90 < held / repeats < 0.99
    assert held > simple


def test_coverage_with_few_seeds_that_differ(rng: np.random.Generator) -> None:
    weights, seeds = image_weights(1, 100), seed_draws(3, DRAWS, 0, "x")
    truth = stats.norm.cdf(stats.norm.ppf(0.8) / math.sqrt(1 + 0.5**2))
    held, simple, repeats = 0, 0, 600
    for _ in range(repeats):
        easy = stats.norm.ppf(0.8) + 0.5 * rng.normal(size=(3, 1, 1))
        mean = benchmark(shares(rng.normal(size=(3, 1, 100)) < easy, weights), seeds)
        found = estimate(mean, 100)
        held += found.low <= truth <= found.high
        low, high = percentile(mean)
        simple += low <= truth <= high
    # 600 samples: a standard error of 0.01; seeds are not normal on this scale, so a little below 0.95.
    assert 0.90 < held / repeats < 0.98 and simple / repeats < 0.89


def test_coverage_for_another_generator(rng: np.random.Generator) -> None:
    weights, seeds, generators = image_weights(8, 40), seed_draws(3, DRAWS, 0, "x"), generator_draws(8, DRAWS, 0, "x")
    truth = stats.norm.cdf(stats.norm.ppf(0.85) / math.sqrt(1 + 0.6**2))
    held, fixed, repeats = 0, 0, 300
    for _ in range(repeats):
        easy = stats.norm.ppf(0.85) + 0.6 * rng.normal(size=(1, 8, 1))
        values = shares(rng.normal(size=(3, 8, 40)) < easy, weights)
        others = population(values, seeds, generators)
        assert others is not None
        ours, wide = estimate(benchmark(values, seeds), 320), estimate(others, 320)
        held += wide.low <= truth <= wide.high
        fixed += ours.low <= truth <= ours.high
    # 300 samples: a standard error of 0.013. The interval of this benchmark claims nothing of other generators.
    assert held / repeats > 0.90 and fixed / repeats < 0.7


def test_fewer_than_three_generators_say_nothing_of_others() -> None:
    values = np.full((2, 2, 5), 0.5)
    assert population(values, seed_draws(2, 4, 0, "x"), generator_draws(2, 4, 0, "x")) is None


def test_degrees_of_freedom_are_satterthwaites() -> None:
    # Seeds 0.1, 0.2, 0.3 without noise of images: all the variance is theirs, 0.01 / 3 with 2 degrees of freedom.
    assert Mean(np.zeros(3), 0.01 / 3, ((0.01 / 3, 2),)).freedom == pytest.approx(2)
    assert Mean(np.zeros(3), 0.02 / 3, ((0.01 / 3, 2),)).freedom == pytest.approx(8)
    assert Mean(np.zeros(3), 0.1, ()).freedom == math.inf
    values = np.repeat(np.array([0.1, 0.2, 0.3])[:, None, None], 4001, axis=2)
    mean = benchmark(values, seed_draws(3, 4000, 0, "x"))
    # 4,000 draws: a variance within 2 %, its square within 5 %.
    assert mean.freedom == pytest.approx(2, rel=0.1) and mean.variance == pytest.approx(0.01 / 3, rel=0.06)
    for across in (values.repeat(4, axis=1), values.repeat(4, axis=1).transpose(1, 0, 2)):
        runs, kinds = across.shape[:2]
        others = population(across, seed_draws(runs, 4000, 0, "x"), generator_draws(kinds, 4000, 0, "x"))
        assert others is not None and others.freedom == pytest.approx(2, rel=0.1)


def test_a_mean_without_an_error_is_bounded_by_its_images() -> None:
    values = np.ones((3, 4, 51))
    seeds, generators = seed_draws(3, 50, 0, "x"), generator_draws(4, 50, 0, "x")
    others = population(values, seeds, generators)
    assert others is not None
    for mean in (benchmark(values, seeds), others):
        found = estimate(mean, 400)
        # Seeds' weights of thirds sum to 1 but for rounding.
        assert found.value == pytest.approx(1, abs=1e-12)
        assert (found.low, found.high) == share_interval(400, 400)


def test_paired_differences_are_those_of_a_loop_and_narrower_than_unpaired(rng: np.random.Generator) -> None:
    hard = rng.normal(size=(1, 2, 100))
    weights, seeds = image_weights(2, 100), seed_draws(3, DRAWS, 0, "x")
    first, second = (shares(hard + 0.3 * rng.normal(size=(3, 2, 100)) < ease, weights) for ease in (1.0, 0.9))
    mean = benchmark(first - second, seeds)
    loop = [
        sum(seeds[b, s] * (first[s, g, b] - second[s, g, b]) / 2 for s in range(3) for g in range(2))
        for b in range(DRAWS + 1)
    ]
    assert mean.draws == pytest.approx(np.array(loop), abs=1e-14)
    sides = benchmark(first, seeds), benchmark(second, seeds)
    paired = difference_estimate(mean, *sides, 200)
    assert paired.low < paired.value < paired.high
    apart = sides[0].variance + sides[1].variance
    # Detectors that agree on most images: less than half of the variance of two strangers.
    assert mean.variance < apart / 2
    strangers = difference_estimate(Mean(mean.draws, apart, mean.parts), *sides, 200)
    assert paired.high - paired.low < 0.8 * (strangers.high - strangers.low)
    # With one seed fewer the images are paired still, the seeds are not.
    other = unpaired(sides[0], benchmark(second[:2], seed_draws(2, DRAWS, 0, "x")))
    assert other.draws[0] == pytest.approx(first[:, :, 0].mean() - second[:2, :, 0].mean(), abs=1e-14)
    assert other.freedom >= 1 and other.variance < apart


def test_a_difference_far_from_the_edge_is_value_and_normal_quantile() -> None:
    # Variances of 1e-6, and of 1e-6 for the difference: a correlation of a half.
    sides = Mean(np.full(3, 0.6), 1e-6, ()), Mean(np.full(3, 0.5), 1e-6, ())
    normal = difference_estimate(Mean(np.full(3, 0.1), 1e-6, ()), *sides, 10)
    # Wilson's ends bend by some 1e-6 per end, 1e-3 of the half width.
    assert (normal.low, normal.high) == pytest.approx((0.1 - 1.96e-3, 0.1 + 1.96e-3), abs=5e-6)
    few = difference_estimate(Mean(np.full(3, 0.1), 1e-6, ((1e-6, 2),)), *sides, 10)
    # With 2 degrees of freedom Student's 4.303 takes the place of 1.960.
    assert (few.low, few.high) == pytest.approx((0.1 - 4.303e-3, 0.1 + 4.303e-3), abs=2e-5)


def test_coverage_of_a_paired_difference_near_the_edge(rng: np.random.Generator) -> None:
    weights, seeds = image_weights(1, 100), seed_draws(5, DRAWS, 0, "x")
    held, repeats = 0, 500
    for _ in range(repeats):
        hard = math.sqrt(0.9) * rng.normal(size=(1, 1, 100))
        first, second = (
            shares(hard + math.sqrt(0.1) * rng.normal(size=(5, 1, 100)) < stats.norm.ppf(p), weights)
            for p in (0.99, 0.97)
        )
        sides = benchmark(first, seeds), benchmark(second, seeds)
        found = difference_estimate(benchmark(first - second, seeds), *sides, 100)
        held += found.low <= 0.02 <= found.high
    # 500 samples: a standard error of 0.01; t times the standard error holds 0.89.
    assert 0.92 < held / repeats < 0.99


def test_two_detectors_without_an_error_differ_by_an_interval_that_is_not_empty() -> None:
    values = np.ones((2, 1, 51))
    side = benchmark(values, seed_draws(2, 50, 0, "x"))
    found = difference_estimate(benchmark(values - values, seed_draws(2, 50, 0, "x")), side, side, 100)
    # Each may be as low as Wilson has it, while the other is at 1.
    lowest = share_interval(100, 100)[0]
    assert (found.value, found.low, found.high) == pytest.approx((0, lowest - 1, 1 - lowest), abs=1e-12)


def test_values_outside_of_0_to_1_and_too_few_draws_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        estimate(Mean(np.full(5, 1.5), 0.1, ()), 10)
    with pytest.raises(ValueError, match="at least two draws, got 1"):
        benchmark(np.ones((1, 1, 2)), np.ones((2, 1)))
