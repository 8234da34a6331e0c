"""Scales that scores come on, and the way from each to a probability of fake that keeps their order exactly.

Far from the centre a sigmoid gives the same float for different scores: from a logit of 37
on, 1. Average precision and AUROC look at the order alone and would see ties that the
detector did not make, so equal floats are moved apart, by the last bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64
from scipy.special import expit

from nsnet.core.names import unknown
from nsnet.detectors.thresholds import THRESHOLD

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scale:
    """Ends of a scale, the score that stands for a probability of 0.5, and how scores become probabilities."""

    low: float
    high: float
    centre: float
    convert: Callable[[Array], Array]


SCALES = {
    "probability": Scale(0, 1, 0.5, lambda scores: scores),
    "percent": Scale(0, 100, 50, lambda scores: scores / 100),
    # A log-likelihood ratio (natural logarithm) is the logit where fakes are as frequent as reals.
    "logit": Scale(-math.inf, math.inf, 0, expit),
    "llr": Scale(-math.inf, math.inf, 0, expit),
}


def scale_of(name: str) -> Scale:
    """A scale by its name.

    Raises:
        ValueError: there is none, with the nearest names.
    """
    if name not in SCALES:
        raise unknown("scale", name, SCALES)
    return SCALES[name]


def probabilities(scores: Float64[np.ndarray, " n"], scale: str) -> Float64[np.ndarray, " n"]:
    """Probabilities of fake: equal where scores are equal, in their order where they are not, 0.5 at the centre.

    Args:
        scores: finite, within the scale, higher is more fake, (n,).
        scale: name in `SCALES`.

    Returns:
        float64 (n,), between 0 and 1; at 0.5 or above where the score is at the scale's centre or above.

    Raises:
        ValueError: no such scale.
    """
    known = scale_of(scale)
    distinct, place = np.unique(scores, return_inverse=True)
    upper = distinct >= known.centre
    converted = known.convert(distinct)
    lower = _apart(converted[~upper], 0.0, float(np.nextafter(THRESHOLD, 0)))
    return np.concatenate([lower, _apart(converted[upper], THRESHOLD, 1.0)])[place]


def _apart(ascending: Array, low: float, high: float) -> Array:
    """The nearest strictly ascending floats within [low, high]: where some are equal, the lower ones move down.

    Floats of at least 0 are in the order of their bits as whole numbers, where the next float is one more.
    """
    steps = np.arange(len(ascending))
    # 0.0 is added for -0.0, whose bits are those of no number above it.
    bits = (np.clip(ascending, low, high) + 0.0).view(np.int64)
    moved = np.minimum.accumulate((bits - steps)[::-1])[::-1] + steps
    return np.maximum(moved, np.float64(low).view(np.int64) + steps).view(np.float64)
