"""Temperature scaling: one number that makes scores say how often they are right, without changing their order."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float, Float64, Int
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

# A score of 0 or 1 has no logit; float32 holds no number nearer to 1 than this.
CLIP = 2.0**-24
# Without an error on validation the best temperature is 0, without a signal it is infinite: neither is a finding.
COLDEST, HOTTEST = 0.05, 20.0


def scaled(scores: Float[np.ndarray, " n"], temperature: float) -> Float64[np.ndarray, " n"]:
    """Scores whose logits are divided by a temperature.

    Args:
        scores: probabilities of fake, (n,); clipped to `CLIP` from 0 and 1.
        temperature: above 1 towards 0.5, below 1 away from it; 1 changes nothing but clipped scores.

    Returns:
        Probabilities, float64 (n,), in the order of the scores.
    """
    return np.asarray(expit(_logits(scores) / temperature))


def balanced_nll(scores: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], temperature: float = 1.0) -> float:
    """Negative log-likelihood in nats a picture, reals and fakes with half of the weight each.

    Args:
        scores: probabilities of fake, (n,); clipped as by `scaled`.
        labels: 1 fake, 0 real, (n,).
        temperature: that the logits are divided by.

    Returns:
        At least 0.

    Raises:
        ValueError: scores that are not finite, or one class only.
    """
    real, fake = labels == 0, labels == 1
    if not (real.any() and fake.any() and np.isfinite(scores).all()):
        raise ValueError(
            f"expected finite scores of reals (0) and fakes (1), got {real.sum()} and {fake.sum()} of them"
        )
    losses = np.logaddexp(0.0, np.where(fake, -1.0, 1.0) * _logits(scores) / temperature)
    return float((losses[real].mean() + losses[fake].mean()) / 2)


def fit_temperature(scores: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """The temperature of the least negative log-likelihood (Guo et al. 2017, section 4.2), both classes alike.

    Args:
        scores: of the validation split, (n,).
        labels: 1 fake, 0 real, (n,).

    Returns:
        Between `COLDEST` and `HOTTEST`.

    Raises:
        ValueError: as `balanced_nll`.
    """
    # Convex in 1 / temperature: one minimum, whatever the scale that is searched on.
    bounds = math.log(COLDEST), math.log(HOTTEST)
    found = minimize_scalar(
        lambda place: balanced_nll(scores, labels, math.exp(place)),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-7},
    )
    return math.exp(float(found.x))


def _logits(scores: Float[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    return np.asarray(logit(np.clip(np.asarray(scores, np.float64), CLIP, 1 - CLIP)))
