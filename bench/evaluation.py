"""Time the numbers of an evaluation, and compare with a loop of scikit-learn over the draws.

    python bench/evaluation.py

40 generators under 10 conditions scored by 5 runs, 100 fakes each against a pool of 500
reals, 1,000 draws: resampling, all metrics, their intervals, and both means. The loop does
ap, auroc, plain_ap and the accuracies of a few draws of one generator and is scaled up.
"""

from __future__ import annotations

import time

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from targets import tell

from nsnet.detectors.thresholds import choose_threshold
from nsnet.evaluation.intervals import metric_estimates, sample_size
from nsnet.evaluation.means import benchmark, estimate, population
from nsnet.evaluation.metrics import METRICS, RealPool
from nsnet.evaluation.resampling import generator_draws, resamples, seed_draws

GENERATORS, CONDITIONS, RUNS, N_REAL, N_FAKE, DRAWS = 40, 10, 5, 500, 100, 1000
LOOP_DRAWS = 30


def evaluate(rng: np.random.Generator) -> None:
    seeds, generators = seed_draws(RUNS, DRAWS, 0, "bench"), generator_draws(GENERATORS, DRAWS, 0, "bench")
    real_weights = resamples(N_REAL, DRAWS, 0, "real")
    fake_weights = [resamples(N_FAKE, DRAWS, 0, f"fake/{number}") for number in range(GENERATORS)]
    for _ in range(CONDITIONS):
        values = {metric: np.empty((RUNS, GENERATORS, 1 + DRAWS)) for metric in METRICS}
        for run in range(RUNS):
            real = rng.beta(2, 5, N_REAL)
            validation = rng.beta(2, 3, 2 * N_REAL)
            threshold = choose_threshold(validation, (rng.random(2 * N_REAL) < validation).astype(int))
            pool = RealPool(real, real_weights, threshold, 1.5)
            for number, weights in enumerate(fake_weights):
                fake = rng.beta(4, 2, N_FAKE)
                drawn = pool.against(fake, weights)
                metric_estimates(real, fake, threshold, drawn)
                for metric in METRICS:
                    values[metric][run, number] = drawn[metric]
        for metric in METRICS:
            size = sample_size(metric, N_REAL, N_FAKE * GENERATORS)
            estimate(benchmark(values[metric], seeds), size)
            others = population(values[metric], seeds, generators)
            assert others is not None
            estimate(others, size)


def loop(rng: np.random.Generator, n_real: int, n_fake: int, draws: int) -> float:
    """Seconds of one draw of one generator with scikit-learn."""
    real, fake = rng.beta(2, 5, n_real), rng.beta(4, 2, n_fake)
    weights = np.concatenate([resamples(n_real, draws, 0, "a"), resamples(n_fake, draws, 0, "b")], axis=1)
    labels, scores = np.repeat([0, 1], [n_real, n_fake]), np.concatenate([real, fake])
    balance = np.where(labels == 1, 1 / n_fake, 1 / n_real)
    started = time.perf_counter()
    for row in weights[1:]:
        average_precision_score(labels, scores, sample_weight=row * balance)
        average_precision_score(labels, scores, sample_weight=row)
        roc_auc_score(labels, scores, sample_weight=row)
        for threshold in (0.5, 0.4):
            right = (scores >= threshold) == labels
            _ = [np.average(right[labels == label], weights=row[labels == label]) for label in (0, 1)]
    return (time.perf_counter() - started) / draws


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    contests = GENERATORS * CONDITIONS * RUNS
    started = time.perf_counter()
    evaluate(rng)
    seconds = time.perf_counter() - started
    scaled = loop(rng, N_REAL, N_FAKE, LOOP_DRAWS) * contests * (1 + DRAWS)
    print(f"{contests} contests x {DRAWS} draws: {seconds:.1f} s, {seconds / contests * 1e3:.2f} ms a contest")
    print(f"scikit-learn in a loop, scaled from {LOOP_DRAWS} draws of one contest: {scaled:.0f} s")
    print(f"ratio: {scaled / seconds:.0f}")
    tell("bootstrap: seconds", seconds, most=30)
