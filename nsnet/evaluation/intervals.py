"""95 % intervals of shares, of means of shares and of bootstrapped metrics, none of them empty.

Shares are bounded by Wilson's score interval: Brown, Cai & DasGupta (2001) recommend it,
and of the usual ones its coverage averages nearest to 0.95 close to p = 1 (enumerated in
the tests). No interval of a count can cover 0.95 at every p: at p = 0.99 and n = 100 the
counts that an interval with ends in order may cover weigh 0.921 or 0.982, nothing between.

What has no count, AP or a mean over seeds, takes the same form with the bootstrap's
variance. Percentiles of the draws do worse: they miss on one side near the edge, and
know nothing of how few seeds there are (coverage of both in the tests).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64
from scipy.special import ndtri, stdtrit

from nsnet.detectors.thresholds import THRESHOLD
from nsnet.evaluation.metrics import BASE_RATE, METRICS, ORACLE
from nsnet.evaluation.units import Units

CONFIDENCE = 0.95
Z = float(ndtri((1 + CONFIDENCE) / 2))
# Draws with a smaller deviation differ by the rounding of sums; one image of a million moves a share by more.
ROUNDING = 1e-9

Interval = tuple[float, float]


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its 95 % interval, low <= value <= high, low < high."""

    value: float
    low: float
    high: float


def share_interval(successes: float, n: float) -> Interval:
    """Wilson's score interval of a share (Wilson 1927; Brown, Cai & DasGupta 2001, equation 4).

    Args:
        successes: between 0 and n; need not be whole, for effective sample sizes.
        n: number of trials, above 0.

    Returns:
        Low and high end, 95 %.

    Raises:
        ValueError: n not above 0, or successes outside of 0 to n.
    """
    if not (n > 0 and 0 <= successes <= n):
        raise ValueError(f"a share of {successes} in {n}: expected 0 <= successes <= n and n > 0")
    share = successes / n
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    # At the edge centre and half add up to 0 or 1 but for rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high


def mean_of_shares_interval(real_right: int, n_real: int, fake_right: int, n_fake: int) -> Interval:
    """Interval of (real_right / n_real + fake_right / n_fake) / 2, a balanced accuracy.

    The squared distances of the two shares' Wilson ends add up, as variances do: Newcombe's
    hybrid score method (1998, method 10) for a sum in place of a difference, also known as
    MOVER (Zou & Donner 2008).

    Args:
        real_right, n_real: reals called real, of all.
        fake_right, n_fake: fakes called fake, of all.

    Returns:
        Low and high end, 95 %.

    Raises:
        ValueError: as `share_interval`.
    """
    real, fake = share_interval(real_right, n_real), share_interval(fake_right, n_fake)
    r_acc, f_acc = real_right / n_real, fake_right / n_fake
    value = (r_acc + f_acc) / 2
    below, above = math.hypot(r_acc - real[0], f_acc - fake[0]), math.hypot(real[1] - r_acc, fake[1] - f_acc)
    return max(0.0, value - below / 2), min(1.0, value + above / 2)


def sample_size(metric: str, n_real: int, n_fake: int, f_acc: float = 1.0) -> float:
    """Trials behind a metric without any error: what bounds it where resampling shows no variance.

    A balanced accuracy without an error bounds its mean error rate no better than 2 min(n_real,
    n_fake) trials do: all errors may lie on the smaller side, whose rate is then twice the mean.
    AP, AUROC and the like count as the smaller side, as their pairs are no trials of their own.
    Where fakes are rare, a false alarm weighs as many alarms that are right as there are reals to
    a fake, by F.Acc: without one in n_real, precision is known as well as from a share of that.

    Args:
        metric: of `METRICS`.
        n_real, n_fake: images, or clusters where images were drawn in clusters.
        f_acc: share of the fakes called fake, for precision.

    Returns:
        The number of trials.
    """
    smaller = min(n_real, n_fake)
    known: dict[str, float] = {"r_acc": n_real, "f_acc": n_fake, "plain_acc": n_real + n_fake, "acc": 2 * smaller}
    # No alarm at all tells nothing of them: next to no trials, and an interval of nearly all.
    known["precision_at_1_percent"] = max(n_real * f_acc * BASE_RATE / (1 - BASE_RATE), ROUNDING)
    return known.get("acc" if metric in ("acc_validation", ORACLE) else metric, smaller)


def critical(freedom: float) -> float:
    """Student's 97.5 % point; the normal's for infinite degrees of freedom."""
    return Z if math.isinf(freedom) else float(stdtrit(freedom, (1 + CONFIDENCE) / 2))


def cluster_variance(variance: float, clusters: int | None) -> tuple[float, tuple[tuple[float, int], ...]]:
    """A bootstrap variance over clusters, mended for their number, with the degrees of freedom behind it.

    The plain bootstrap of n units understates the variance of their mean by (n - 1) / n, and an
    estimate from few units is uncertain itself; of images neither shows. One cluster does not
    show how clusters differ: its variance counts as unknown, 0, so that `sample_size` bounds.

    Args:
        variance: of draws of whole clusters.
        clusters: how many are drawn from; None where images are drawn one by one.

    Returns:
        The variance, and it with its degrees of freedom, or nothing.
    """
    if clusters is None:
        return variance, ()
    if clusters == 1:
        return 0.0, ()
    variance *= clusters / (clusters - 1)
    return variance, ((variance, clusters - 1),)


def score_interval(value: float, variance: float, n: float, freedom: float = math.inf) -> Interval:
    """Wilson's interval of any mean of numbers between 0 and 1, from an estimate of its variance.

    The share v has v (1 - v) / variance trials in effect, as surveys have it (Korn & Graubard
    1998, with Wilson's ends in place of Clopper & Pearson's; Franco et al. 2019). With a
    variance from few units the trials shrink by (z / t)^2, so that the half width in the
    middle is t times the standard error.

    Args:
        value: between 0 and 1, but for rounding.
        variance: of the value, from bootstrap draws; 0 where every draw gave the same.
        n: trials that bound the value where the variance is 0 (`sample_size`).
        freedom: degrees of freedom of the variance.

    Returns:
        Low and high end, 95 %.

    Raises:
        ValueError: a value outside of 0 to 1 by more than rounding, or n not above 0.
    """
    if -ROUNDING < value < 1 + ROUNDING:
        value = min(1.0, max(0.0, value))
    if variance > ROUNDING**2 and 0 < value < 1:
        n = value * (1 - value) / variance * (Z / critical(freedom)) ** 2
    # The product may round to above n.
    return share_interval(min(value * n, n) if value <= 1 else value * n, n)


def metric_estimates(
    real: Float[np.ndarray, " n_real"],
    fake: Float[np.ndarray, " n_fake"],
    threshold: float,
    drawn: Mapping[str, Float64[np.ndarray, " rows"]],
    units: Units | None = None,
) -> dict[str, Estimate]:
    """All metrics of one run on one generator, with intervals.

    Shares and means of two shares are bounded by Wilson's and Newcombe's intervals, from the
    counts; plain_acc as one share of n_real + n_fake images, which is a little wide where the
    two classes differ. AP, AUROC and the rest are bounded by the variance of their draws; where
    all agree, as with fakes and reals set apart, by `sample_size`.

    Args:
        real, fake: scores, (n_real,) and (n_fake,).
        threshold: that of acc_validation.
        drawn: from `RealPool.against` with the same scores and threshold.
        units: what was drawn, where it was not image by image: counts of images claim too much of a metric
            whose images came in clusters, so it is bounded by its draws, with as many degrees of freedom as clusters.

    Returns:
        By metric, value and interval.

    Raises:
        ValueError: as `share_interval`.
    """
    n_real, n_fake = len(real), len(fake)
    bounds: dict[str, Interval] = {}
    for metric, at in (("acc", THRESHOLD), ("acc_validation", threshold)):
        bounds[metric] = mean_of_shares_interval(int(np.sum(real < at)), n_real, int(np.sum(fake >= at)), n_fake)
    r_right, f_right = int(np.sum(real < THRESHOLD)), int(np.sum(fake >= THRESHOLD))
    bounds["r_acc"], bounds["f_acc"] = share_interval(r_right, n_real), share_interval(f_right, n_fake)
    bounds["plain_acc"] = share_interval(r_right + f_right, n_real + n_fake)
    units = units or Units(n_real, n_fake)
    for metric in METRICS:
        clusters = units.drawn(metric)
        if clusters or metric not in bounds:
            variance, parts = cluster_variance(float(np.var(drawn[metric][1:])), clusters)
            size = sample_size(metric, units.n_real, units.n_fake, f_right / n_fake)
            freedom = parts[0][1] if parts else math.inf
            bounds[metric] = score_interval(float(drawn[metric][0]), variance, size, freedom)
    return {metric: Estimate(float(drawn[metric][0]), *bounds[metric]) for metric in METRICS}
