"""Intervals: closed forms against SciPy and loops, coverage by enumeration and simulation."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from nsnet.evaluation.intervals import (
    Interval,
    mean_of_shares_interval,
    metric_estimates,
    sample_size,
    score_interval,
    share_interval,
)
from nsnet.evaluation.metrics import METRICS, resampled_metrics
from nsnet.evaluation.resampling import Clusters, clustered_resamples, resamples
from nsnet.evaluation.units import Units

UNITS = Units(30, 30, real_clusters=True, fake_clusters=True)


def percentile_of_a_share(successes: int, n: int) -> Interval:
    """What the percentile bootstrap of a share tends to: quantiles of a binomial."""
    low, high = stats.binom.ppf([0.025, 0.975], n, successes / n) / n
    return float(low), float(high)


def coverage(interval: Callable[[int, int], Interval], n: int, p: np.ndarray) -> np.ndarray:
    """Probability that the interval of a binomial count holds p, summed over all counts."""
    counts = np.arange(n + 1)
    low, high = np.array([interval(int(count), n) for count in counts]).T
    held = (low[:, None] <= p) & (p <= high[:, None])
    return (stats.binom.pmf(counts[:, None], n, p) * held).sum(axis=0)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_the_share_interval_is_wilsons(n: int) -> None:
    for count in range(n + 1):
        wilson = stats.binomtest(count, n).proportion_ci(0.95, "wilson")
        # Two ways to write one formula: some roundings.
        assert share_interval(count, n) == pytest.approx((wilson.low, wilson.high), abs=1e-14)
    assert share_interval(0, n)[0] == 0 and share_interval(n, n)[1] == 1


def test_no_interval_of_a_count_covers_95_percent_at_99_of_100() -> None:
    mass = stats.binom.pmf(np.arange(101), 100, 0.99)
    # Ends that never fall as the count rises hold p for neighbouring counts.
    covers = np.array([mass[low:high].sum() for low in range(101) for high in range(low + 1, 102)])
    assert not ((covers >= 0.93) & (covers <= 0.97)).any()
    assert covers[covers < 0.93].max() == pytest.approx(0.921, abs=5e-4)
    assert covers[covers > 0.97].min() == pytest.approx(0.982, abs=5e-4)


def test_coverage_of_a_share_near_the_edge(rng: np.random.Generator) -> None:
    for low, high in ((0.97, 0.999), (0.98, 0.99999)):
        p = np.linspace(low, high, 500)
        assert 0.945 < coverage(share_interval, 100, p).mean() < 0.965
        assert coverage(percentile_of_a_share, 100, p).mean() < 0.75
    # At 0.99 itself the counts 98 to 100 are held, and weigh 0.9206.
    drawn = rng.binomial(100, 0.99, 20_000)
    ends = np.array([share_interval(count, 100) for count in range(101)])[drawn]
    # 20,000 samples: a standard error of 0.002.
    assert ((ends[:, 0] <= 0.99) & (ends[:, 1] >= 0.99)).mean() == pytest.approx(0.9206, abs=0.006)


@pytest.mark.parametrize(("n_real", "n_fake"), [(500, 100), (100, 100)])
def test_coverage_of_a_balanced_accuracy_at_99_percent(n_real: int, n_fake: int, rng: np.random.Generator) -> None:
    real, fake = (rng.binomial(n, 0.99, 10_000).tolist() for n in (n_real, n_fake))
    ends = np.array([mean_of_shares_interval(r, n_real, f, n_fake) for r, f in zip(real, fake, strict=True)])
    # A standard error of 0.002; enumerated: 0.946 and 0.948.
    assert 0.93 < ((ends[:, 0] <= 0.99) & (ends[:, 1] >= 0.99)).mean() < 0.97


def test_the_mean_of_two_shares_is_newcombes_difference() -> None:
    # (r + f) / 2 = (1 + r - (1 - f)) / 2; Newcombe's example (1998, table II, case a): 56/70 - 48/80, method 10.
    low, high = mean_of_shares_interval(56, 70, 80 - 48, 80)
    assert (2 * low - 1, 2 * high - 1) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@pytest.mark.parametrize(("successes", "n"), [(-1, 10), (11, 10), (0, 0), (math.nan, 10)])
def test_impossible_counts_are_refused(successes: float, n: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        share_interval(successes, n)
    with pytest.raises(ValueError, match="expected 0 <= successes <= n"):
        score_interval(1.1, 0.01, 10)


def test_the_score_interval_follows_variance_and_degrees_of_freedom() -> None:
    # Equal but for the rounding of v (1 - v) / variance.
    assert score_interval(0.9, 0.9 * 0.1 / 80, 5) == pytest.approx(share_interval(72, 80), abs=1e-12)
    assert score_interval(1.0, 0.0, 80) == share_interval(80, 80)
    assert score_interval(1 + 1e-12, 1e-24, 80) == share_interval(80, 80)
    low, high = score_interval(0.5, 1e-8, 5, 4)
    # In the middle, with many trials in effect, it is value -+ t standard errors.
    assert ((high - low) / 2, (high + low) / 2) == pytest.approx((stats.t.ppf(0.975, 4) * 1e-4, 0.5), rel=1e-6)


def test_trials_behind_a_metric_without_an_error() -> None:
    trials = {metric: sample_size(metric, 500, 100) for metric in METRICS}
    assert trials == {
        **{"acc": 200, "acc_validation": 200, "acc_oracle": 200, "plain_acc": 600, "r_acc": 500, "f_acc": 100},
        **dict.fromkeys(("ap", "auroc", "plain_ap", "tpr_at_1_percent", "tpr_at_5_percent", "ece", "ece_scaled"), 100),
        "precision_at_1_percent": pytest.approx(500 / 99),
    }
    # A mean error of 0.001 may lie on the fakes alone: no error in 100 at 0.002 is as likely as none in 200, nearly.
    assert (1 - 0.001) ** trials["acc"] == pytest.approx((1 - 2 * 0.001) ** 100, rel=1e-3)


@pytest.mark.parametrize("auroc", [0.9, 0.98])
def test_coverage_of_auroc_and_its_gain_over_percentiles(auroc: float, rng: np.random.Generator) -> None:
    apart = stats.norm.ppf(auroc) * math.sqrt(2)
    weights = resamples(100, 200, 0, "real"), resamples(50, 200, 0, "fake")
    held, simple, repeats = 0, 0, 500
    for _ in range(repeats):
        real, fake = stats.norm.cdf(rng.normal(size=100)), stats.norm.cdf(rng.normal(apart, size=50))
        drawn = resampled_metrics(real, fake, *weights, 0.0)["auroc"]
        low, high = score_interval(drawn[0], float(np.var(drawn[1:])), sample_size("auroc", 100, 50))
        held += low <= auroc <= high
        low, high = np.quantile(drawn[1:], [0.025, 0.975])
        simple += low <= auroc <= high
    # 500 samples: a standard error of 0.01; nearer to 1 the variance falls short.
    assert 0.90 < held / repeats < 0.98 and held >= simple


def test_estimates_of_one_run_hold_the_value_and_are_never_empty(rng: np.random.Generator) -> None:
    weights = resamples(50, 100, 0, "real"), resamples(20, 100, 0, "fake")
    apart = rng.uniform(0, 0.4, 50), rng.uniform(0.6, 1, 20)
    for real, fake in (apart, (1 - apart[0], 1 - apart[1]), (rng.random(50), rng.random(20))):
        drawn = resampled_metrics(real, fake, *weights, 0.5)
        found = metric_estimates(real, fake, 0.5, drawn)
        assert set(found) == set(METRICS)
        for metric, one in found.items():
            assert 0 <= one.low <= one.value <= one.high <= 1, metric
            # AP of fakes all below the reals depends on little but their numbers; all else is ten times as wide.
            assert one.high - one.low > 0.005, metric
    best = metric_estimates(*apart, 0.5, resampled_metrics(*apart, *weights, 0.5))
    assert (best["ap"].low, best["ap"].high) == share_interval(20, 20) == (best["auroc"].low, 1)
    assert (best["r_acc"].low, best["plain_acc"].low) == (share_interval(50, 50)[0], share_interval(70, 70)[0])
    # Without an error the trials of `sample_size` give what Newcombe's interval gives: the smaller side rules.
    assert best["acc"].low == pytest.approx(share_interval(40, 40)[0], abs=0.01)


def test_clusters_widen_every_interval_as_their_number_falls(rng: np.random.Generator) -> None:
    # Ten images alike in every cluster: they tell what one does.
    real, fake = np.repeat(rng.random(30), 10), np.repeat(rng.beta(3, 2, 30), 10)
    names = [f"prompt{number:02}" for number in np.repeat(np.arange(30), 10)]
    known = tuple(sorted(set(names)))
    reals, fakes = (clustered_resamples(names, Clusters(known, side), 2000, 0, side) for side in ("real", "fake"))
    weights = reals, fakes
    found = metric_estimates(real, fake, 0.4, resampled_metrics(real, fake, *weights, 0.4), UNITS)
    alone = resamples(30, 2000, 1, "real"), resamples(30, 2000, 1, "fake")
    single = metric_estimates(real[::10], fake[::10], 0.4, resampled_metrics(real[::10], fake[::10], *alone, 0.4))
    for metric in METRICS:
        width, expected = found[metric].high - found[metric].low, single[metric].high - single[metric].low
        # Two variances of 2,000 draws, 3 % each, plain_acc's closed form a little wide, Student's 2.05 with 29 degrees
        # of freedom and a variance mended by 30 / 29 for 1.96; ignoring clusters: a third.
        assert width == pytest.approx(expected * 1.06, rel=0.1), metric
    real, fake = np.zeros(300), np.ones(300)
    apart = metric_estimates(real, fake, 0.4, resampled_metrics(real, fake, *weights, 0.4), UNITS)
    assert (apart["r_acc"].low, apart["ap"].low) == (share_interval(30, 30)[0],) * 2


@pytest.mark.parametrize("fpr", [0.004, 0.02])
def test_coverage_of_precision_where_alarms_are_rare(fpr: float, rng: np.random.Generator) -> None:
    truth = 0.01 * 0.8 / (0.01 * 0.8 + 0.99 * fpr)
    weights = resamples(500, 200, 0, "real"), resamples(100, 200, 0, "fake")
    held, repeats = 0, 400
    for _ in range(repeats):
        real, fake = (rng.random(500) < fpr).astype(float), (rng.random(100) < 0.8).astype(float)
        found = metric_estimates(real, fake, 0.5, resampled_metrics(real, fake, *weights, 0.5))
        one = found["precision_at_1_percent"]
        held += one.low <= truth <= one.high
    # 400 samples: a standard error of 0.011. With two false alarms expected one sample in seven has none.
    assert 0.90 < held / repeats <= 0.995


def test_precision_without_a_false_alarm_or_without_an_alarm() -> None:
    weights = resamples(500, 50, 0, "real"), resamples(100, 50, 0, "fake")
    real = np.zeros(500)
    for caught in (100, 10):
        fake = (np.arange(100) < caught).astype(float)
        one = metric_estimates(real, fake, 0.5, resampled_metrics(real, fake, *weights, 0.5))["precision_at_1_percent"]
        # The reals called fake may be as many as Wilson has it: that gives the lower end, but for the spread of F.Acc.
        f_acc, wrong = caught / 100, 1 - share_interval(500, 500)[0]
        assert (one.value, one.high) == (1, 1)
        assert one.low == pytest.approx(0.01 * f_acc / (0.01 * f_acc + 0.99 * wrong), abs=0.01)
    silent = metric_estimates(real, real[:100], 0.5, resampled_metrics(real, real[:100], *weights, 0.5))
    one = silent["precision_at_1_percent"]
    assert (one.value, one.low) == (0, 0) and one.high > 0.999
