"""Accuracy and average precision with bootstrap intervals, for a generator and for means over generators.

Real and fake weigh the same, whatever their numbers: acc is the mean of R.Acc and F.Acc,
and ap gives both classes half of the weight. On suites with as many reals as fakes these
are the plain accuracy and AP of the literature; a pool of reals shared by many
generators would otherwise swamp the fakes.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from nsnet.evaluation.contracts import METRICS

Array = npt.NDArray[np.float64]
Weights = npt.NDArray[np.float32]
THRESHOLD = 0.5
CONFIDENCE = 0.95


def resamples(count: int, draws: int, seed: int, name: str) -> Weights:
    """Bootstrap counts of `count` images: float32 (1 + draws, count).

    Row 0 is all ones, the sample itself. The draws depend on `seed` and `name` only, so
    every detector sees the same ones (paired differences) and a pool shared by several
    generators is resampled once per draw.
    """
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    rng = np.random.default_rng([seed, stream])
    counts = rng.multinomial(count, np.full(count, 1 / count), size=draws).astype(np.float32)
    return np.concatenate([np.ones((1, count), np.float32), counts])


def resampled_metrics(real: Array, fake: Array, real_weights: Weights, fake_weights: Weights) -> dict[str, Array]:
    """All metrics under each weighting.

    Args:
        real, fake: scores, float64 (n_real,) and (n_fake,).
        real_weights, fake_weights: (1 + draws, n_real) and (1 + draws, n_fake).

    Returns:
        Metric to float64 (1 + draws,); entry 0 is the value on the sample itself.
    """
    r_acc = _share(real_weights, real < THRESHOLD)
    f_acc = _share(fake_weights, fake >= THRESHOLD)
    ap = _average_precision(real, fake, real_weights, fake_weights)
    return dict(zip(METRICS, ((r_acc + f_acc) / 2, r_acc, f_acc, ap), strict=True))


def interval(draws: Array) -> tuple[float, float]:
    """Percentile interval of bootstrap draws (entry 0, the sample itself, left out)."""
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws[1:], [tail, 1 - tail])
    return float(low), float(high)


def _share(weights: Weights, right: npt.NDArray[np.bool_]) -> Array:
    return (weights @ right.astype(np.float32)).astype(np.float64) / weights.shape[1]


def _average_precision(real: Array, fake: Array, real_weights: Weights, fake_weights: Weights) -> Array:
    """Sum of precision times recall gained over the distinct scores, high to low (as scikit-learn's)."""
    scores = np.concatenate([fake, real])
    order = np.argsort(-scores, kind="stable")
    last_of_tie = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    weights = np.concatenate([fake_weights / fake.size, real_weights / real.size], axis=1)[:, order]
    is_fake = order < fake.size
    true = np.cumsum(weights * is_fake, axis=1, dtype=np.float64)[:, last_of_tie]
    flagged = np.cumsum(weights, axis=1, dtype=np.float64)[:, last_of_tie]
    precision = np.divide(true, flagged, out=np.zeros_like(true), where=flagged > 0)
    gained = np.diff(true, axis=1, prepend=0)
    return (precision * gained).sum(axis=1) / true[:, -1]
