"""Each detector's mean over its seeds and a group of generators, and the differences between detectors, as rows.

Weights of seeds and generators are drawn once for all detectors and metrics.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from nsnet.evaluation.contests import Group
from nsnet.evaluation.intervals import Estimate, sample_size
from nsnet.evaluation.means import Array, Mean, benchmark, difference_estimate, estimate, population, unpaired
from nsnet.evaluation.resampling import generator_draws, seed_draws
from nsnet.evaluation.settings import Evaluate

Row = dict[str, Any]


@dataclass(frozen=True)
class Summary:
    """A detector's metric on a group, and its means.

    Attributes:
        values: (seeds, generators, 1 + draws), NaN where a seed's run is not judged on a generator.
        size: bounds a metric without an error.
        clusters: how many were drawn from; None where pictures were drawn one by one.
        n_seeds: of which some generator of the group is judged.
        benchmark, population: means; the latter None of few generators.
    """

    values: Array
    size: float
    clusters: int | None
    n_seeds: int
    benchmark: Mean
    population: Mean | None


def summaries_of(
    trained: list[Row],
    drawn: Mapping[str, Float64[np.ndarray, "runs contests rows"]],
    group: Group,
    metric: str,
    settings: Evaluate,
) -> dict[str, Summary]:
    """Each detector's mean over its seeds and a group.

    Args:
        trained: rows of the table runs, those of one detector next to each other.
        drawn: every metric of each run on each contest, (runs, contests, 1 + draws), entry 0 the sample's; NaN
            where a run takes no part.
        group: whose contests enter the mean.
        metric: of `METRICS`.
        settings: draws and their seed.

    Returns:
        By detector, in the order of `trained`; without those that are not judged on any of the group.

    Raises:
        ValueError: fewer than two draws, or another number of them than `drawn` has.
    """
    summaries = {}
    for detector, members in itertools.groupby(range(len(trained)), key=lambda number: trained[number]["detector"]):
        own = list(members)
        seeds = slice(own[0], own[-1] + 1)
        values = drawn[metric][seeds][:, group.members]
        judged = _judged(values)
        if len(judged):
            caught = float(np.nanmean(drawn["f_acc"][seeds, :, 0][:, group.members]))
            size = sample_size(metric, group.units.n_real, group.units.n_fake, caught)
            clusters = group.units.drawn(metric)
            means = _means(judged, group, clusters, settings)
            summaries[detector] = Summary(values, size, clusters, len(judged), *means)
    return summaries


def _judged(values: Array) -> Array:
    """Without seeds whose run is judged on none of these generators."""
    return values[~np.isnan(values[:, :, 0]).all(axis=1)]


def _means(values: Array, group: Group, clusters: int | None, settings: Evaluate) -> tuple[Mean, Mean | None]:
    seeds = seed_weights(len(values), settings.bootstrap, settings.seed)
    name = f"{group.table}/{group.name}"
    generators = _generator_weights(len(group.members), settings.bootstrap, settings.seed, name)
    return benchmark(values, seeds, clusters), population(values, seeds, generators, clusters)


seed_weights = functools.lru_cache(16)(functools.partial(seed_draws, name="runs"))
_generator_weights = functools.lru_cache(16)(generator_draws)


def mean_rows(summaries: dict[str, Summary]) -> Iterator[Row]:
    """Columns of the table means that differ between detectors, a row for each."""
    for detector, summary in summaries.items():
        row = {"detector": detector, "n_seeds": summary.n_seeds}
        far = estimate(summary.population, summary.size) if summary.population else None
        yield row | bounded(estimate(summary.benchmark, summary.size), 0) | population_columns(far, 0)


def difference_rows(summaries: dict[str, Summary], group: Group, settings: Evaluate) -> Iterator[Row]:
    """Both orders of every two detectors; the second is the first with its sign turned.

    Args:
        summaries: from `summaries_of`, of one group and metric.
        group: whose generators are drawn.
        settings: draws and their seed.

    Yields:
        Columns of the table paired_differences that differ between pairs of detectors.

    Raises:
        ValueError: as `difference_estimate`.
    """
    for first, second in itertools.combinations(summaries, 2):
        one, other = summaries[first], summaries[second]
        here, elsewhere = difference_of(one, other, group, settings)
        near = difference_estimate(here, one.benchmark, other.benchmark, one.size)
        far = None
        if elsewhere and one.population and other.population:
            far = difference_estimate(elsewhere, one.population, other.population, one.size)
        for detector, reference, sign in ((first, second, 1), (second, first, -1)):
            bounds = bounded(_turned(near, sign), -1)
            row = {"detector": detector, "reference": reference, "difference": bounds.pop("value"), **bounds}
            yield row | population_columns(_turned(far, sign) if far else None, -1)


def difference_of(one: Summary, other: Summary, group: Group, settings: Evaluate) -> tuple[Mean, Mean | None]:
    """The paired mean of first minus second; seeds pair up where there are as many, or one on a side.

    Args:
        one, other: of the same group and metric, under the same draws of pictures.
        group: whose generators are drawn.
        settings: draws and their seed.

    Returns:
        The difference for this benchmark again, and for another generator; the latter None of few generators.
    """
    if len(one.values) == len(other.values) or 1 in (len(one.values), len(other.values)):
        return _means(_judged(one.values - other.values), group, one.clusters, settings)
    elsewhere = unpaired(one.population, other.population) if one.population and other.population else None
    return unpaired(one.benchmark, other.benchmark), elsewhere


def _turned(figure: Estimate, sign: int) -> Estimate:
    return figure if sign > 0 else Estimate(-figure.value, -figure.high, -figure.low)


def bounded(figure: Estimate, least: float) -> Row:
    """Value and interval; sums of weights may leave the range of a metric by a rounding.

    Args:
        figure: a metric, or a difference of two.
        least: lower end of its range, 0 or -1; the upper end is 1.

    Returns:
        Columns value, ci_low and ci_high.
    """
    value, low, high = (min(1.0, max(least, end)) for end in (figure.value, figure.low, figure.high))
    return {"value": value, "ci_low": low, "ci_high": high}


def population_columns(figure: Estimate | None, least: float) -> Row:
    """The interval for another generator.

    Args:
        figure: a metric, or a difference of two; None of few generators.
        least: lower end of its range, 0 or -1.

    Returns:
        Columns population_low and population_high.
    """
    bounds = bounded(figure, least) if figure else {"ci_low": None, "ci_high": None}
    return {"population_low": bounds["ci_low"], "population_high": bounds["ci_high"]}
