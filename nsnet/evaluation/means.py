"""Means over training seeds and generators, for this benchmark and for another generator.

All start from one metric of one detector under the resamples of the images: float64
(seeds, generators, 1 + draws), entry 0 of the last axis the sample itself. Where a seed's run
is not judged on a generator, since it was trained on it, there is NaN, and the seed's mean is
that of its other generators; each seed has some. Row b of the seeds' weights, and of the
generators', meets draw b of the images, so that one draw resamples everything at once. A mean
over some generators, a family's say, is that of `values[:, some]`; a paired difference of two
detectors is the mean of the difference of their values, made with the same weights.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64

from nsnet.evaluation.intervals import ROUNDING, Estimate, critical, score_interval

# Two generators do not show how generators differ: a resample of two holds one of them.
FEWEST_GENERATORS = 3

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Mean:
    """A mean under resampling.

    `draws` is (1 + draws,), entry 0 the sample's; `variance` theirs, as mended by `benchmark`;
    `parts` the parts of it that come from few units, with the degrees of freedom of each.
    """

    draws: Array
    variance: float
    parts: tuple[tuple[float, int], ...]

    @property
    def freedom(self) -> float:
        """Satterthwaite's degrees of freedom of the variance (1946); infinite where only images count."""
        # A part larger than the whole comes of images that both share: the whole bounds it.
        weight = sum(min(part, self.variance) ** 2 / freedom for part, freedom in self.parts)
        return self.variance**2 / weight if weight > 0 else math.inf


def benchmark_draws(
    values: Float64[np.ndarray, "seeds generators rows"], seed_weights: Float64[np.ndarray, "rows seeds"]
) -> Float64[np.ndarray, " rows"]:
    """Mean over these generators and over seeds: images x seeds.

    Args:
        values: (seeds, generators, 1 + draws).
        seed_weights: (1 + draws, seeds), from `resampling.seed_draws`.

    Returns:
        float64 (1 + draws,), entry 0 the plain mean.

    Raises:
        ValueError: shapes that do not fit.
    """
    return np.asarray(np.einsum("sd,ds->d", _by_seed(values), seed_weights))


def population_draws(
    values: Float64[np.ndarray, "seeds generators rows"],
    seed_weights: Float64[np.ndarray, "rows seeds"],
    generator_weights: Float64[np.ndarray, "rows generators"],
) -> Float64[np.ndarray, " rows"]:
    """Mean over seeds and over generators as drawn from a population: generators x seeds x images.

    Args:
        values: (seeds, generators, 1 + draws).
        seed_weights: (1 + draws, seeds), from `resampling.seed_draws`.
        generator_weights: (1 + draws, generators), from `resampling.generator_draws`.

    Returns:
        float64 (1 + draws,), entry 0 the plain mean.

    Raises:
        ValueError: shapes that do not fit.
    """
    if np.isnan(values).any():
        return _population_of_some(values, seed_weights, generator_weights)
    by_generator = np.einsum("sgd,ds->gd", values, seed_weights)
    return np.asarray(np.einsum("gd,dg->d", by_generator, generator_weights))


def _by_seed(values: Array) -> Array:
    """Mean over the generators that each seed is judged on: (seeds, rows)."""
    return values.mean(axis=1) if not np.isnan(values).any() else np.nanmean(values, axis=1)


def _population_of_some(values: Array, seed_weights: Array, generator_weights: Array) -> Array:
    """`population_draws` where seeds are judged on some generators each.

    A seed counts as it was drawn, with the generators that were drawn of its own; a draw in which
    no seed has any tells nothing, and counts as the sample.
    """
    known = ~np.isnan(values[:, :, 0])
    weight = np.einsum("sg,dg->sd", known.astype(np.float64), generator_weights)
    total = np.einsum("sgd,dg->sd", np.nan_to_num(values), generator_weights)
    drawn = weight > 0
    means = np.divide(total, weight, out=np.zeros_like(total), where=drawn)
    seeds = seed_weights.T * drawn
    shares = seeds.sum(axis=0)
    found = np.divide((means * seeds).sum(axis=0), shares, out=np.full(len(shares), math.nan), where=shares > 0)
    return np.where(np.isnan(found), found[0], found)


def benchmark(
    values: Float64[np.ndarray, "seeds generators rows"], seed_weights: Float64[np.ndarray, "rows seeds"]
) -> Mean:
    """The mean over these generators, on pictures and training seeds as drawn.

    Resampling images and seeds at once counts the interplay of the two three times in place
    of once (McCullagh 2000; Owen 2007 on the pigeonhole bootstrap). Its size is known from the
    variance over images of single seeds, v, and of their mean, m: (v - m) / (seeds - 1).
    Twice of it is taken off; what is left is at least m.

    Args:
        values, seed_weights: as `benchmark_draws`.

    Returns:
        The mean, its draws and its variance.

    Raises:
        ValueError: as `benchmark_draws`; or fewer than two draws.
    """
    draws = benchmark_draws(values, seed_weights)
    by_seed = _by_seed(values)
    seeds = len(by_seed)
    variance = _variance(draws)
    if seeds == 1:
        return Mean(draws, variance, ())
    images = _variance(by_seed.mean(axis=0))
    interplay = (np.var(by_seed[:, 1:], axis=1).mean() - images) / (seeds - 1)
    variance = max(images, variance - 2 * float(interplay))
    return Mean(draws, variance, _part(by_seed[:, 0]))


def population(
    values: Float64[np.ndarray, "seeds generators rows"],
    seed_weights: Float64[np.ndarray, "rows seeds"],
    generator_weights: Float64[np.ndarray, "rows generators"],
) -> Mean | None:
    """The mean over generators of this kind, of which these are a sample; None of fewer than three.

    The variance is that of the draws, which counts images within generators twice and so errs
    on the wide side (Davison & Hinkley 1997, section 3.8).

    Args:
        values, seed_weights, generator_weights: as `population_draws`.

    Returns:
        The mean, its draws and its variance, or None.

    Raises:
        ValueError: as `population_draws`; or fewer than two draws.
    """
    if values.shape[1] < FEWEST_GENERATORS:
        return None
    draws = population_draws(values, seed_weights, generator_weights)
    variance = _variance(draws)
    sample = values[:, :, 0]
    generators = sample[:, ~np.isnan(sample).all(axis=0)]
    return Mean(draws, variance, _part(np.nanmean(sample, axis=1)) + _part(np.nanmean(generators, axis=0)))


def unpaired(first: Mean, second: Mean) -> Mean:
    """First minus second for detectors with different numbers of seeds, on the same images.

    With as many seeds, or one seed on a side, take the `benchmark` or `population` of the
    difference of values instead, which pairs the seeds.

    Args:
        first, second: of `benchmark` or `population`, each.

    Returns:
        The difference.

    Raises:
        ValueError: different numbers of draws.
    """
    draws = first.draws - second.draws
    return Mean(draws, _variance(draws), first.parts + second.parts)


def estimate(mean: Mean, n: float) -> Estimate:
    """Value and interval of a mean of metrics between 0 and 1; never empty (`intervals.score_interval`).

    Args:
        mean: of `benchmark` or `population`.
        n: images behind the mean, each counted once however many seeds scored it:
            `intervals.sample_size` of the reals of all pools and the fakes of all generators.

    Returns:
        Value and interval.

    Raises:
        ValueError: a value outside of 0 to 1, or n not above 0.
    """
    value = float(mean.draws[0])
    return Estimate(value, *score_interval(value, mean.variance, n, mean.freedom))


def difference_estimate(difference: Mean, first: Mean, second: Mean, n: float) -> Estimate:
    """Value and interval of first minus second, paired.

    The distances from both values to the ends of their intervals are combined with the
    correlation of the two, which their variances and that of the difference give: Newcombe's
    method 10 for paired shares (1998b), in general MOVER (Zou 2007). Near the edge it covers
    what t times the standard error misses (tests). It is stretched where the difference has
    fewer degrees of freedom than both. Where no draw of the difference differs from another,
    as between two detectors without an error, the correlation counts as 0: never empty.

    Args:
        difference: of the two, from `benchmark`, `population` or `unpaired`.
        first, second: the means of both detectors, made with the same weights.
        n: images behind each of them, as for `estimate`.

    Returns:
        Value and interval, in [-1, 1].

    Raises:
        ValueError: as `estimate`.
    """
    one, other = estimate(first, n), estimate(second, n)
    value = float(difference.draws[0])
    product = math.sqrt(first.variance * second.variance)
    shared = 0.0
    if min(difference.variance, product) > ROUNDING**2:
        shared = (first.variance + second.variance - difference.variance) / (2 * product)
        shared = min(1.0, max(-1.0, shared))
    stretch = max(1.0, critical(difference.freedom) / critical(min(first.freedom, second.freedom)))
    below = _side(one.value - one.low, other.high - other.value, shared) * stretch
    above = _side(one.high - one.value, other.value - other.low, shared) * stretch
    return Estimate(value, max(-1.0, value - below), min(1.0, value + above))


def _side(first: float, second: float, shared: float) -> float:
    """Length of the difference of two distances with a correlation."""
    # Rounding may leave a square below 0 where both are equal and fully correlated.
    return math.sqrt(max(0.0, first**2 + second**2 - 2 * shared * first * second))


def _variance(draws: Array) -> float:
    if len(draws) < 3:
        raise ValueError(f"a variance needs at least two draws, got {len(draws) - 1}")
    return float(np.var(draws[1:]))


def _part(units: Array) -> tuple[tuple[float, int], ...]:
    """Variance of the mean of a sample of units and its degrees of freedom; nothing of a single unit."""
    if len(units) == 1:
        return ()
    return ((float(np.var(units, ddof=1)) / len(units), len(units) - 1),)
