"""Expected calibration error under many weightings at once: how far scores are from frequencies.

Bins of equal width hold their lower end, the last one both (Guo et al. 2017, section 2). The
error of few pictures overstates that of many: noise alone makes a gap in every bin.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float64

BINS = 15


def bin_gaps(
    scores: Sequence[Float[np.ndarray, " n"]], label: int, weights: Float[np.ndarray, "rows n"]
) -> Float64[np.ndarray, "gaps rows"]:
    """Share of one class in each bin times the distance of label and score there, one bin after the other.

    Args:
        scores: probabilities of fake of the same pictures, each (n,), such as before and after scaling.
        label: of these pictures, 1 fake or 0 real.
        weights: how often each picture counts, (rows, n).

    Returns:
        float64 (scores x BINS, rows): weighted sums of label - score, divided by the sum of the weights.
    """
    n = weights.shape[1]
    table = np.zeros((len(scores) * BINS, n))
    for number, values in enumerate(scores):
        bins = np.minimum((values * BINS).astype(int), BINS - 1)
        table[number * BINS + bins, np.arange(n)] = label - values
    return np.asarray(table @ weights.T / weights.sum(axis=1))


def calibration_errors(
    real: Float64[np.ndarray, "gaps rows"], fake: Float64[np.ndarray, "gaps rows"]
) -> npt.NDArray[np.float64]:
    """Expected calibration error where real and fake weigh the same.

    Args:
        real, fake: of `bin_gaps`, with the same number of scores.

    Returns:
        float64 (scores, rows), each between 0 and 1.
    """
    return np.asarray(np.abs((real + fake) / 2).reshape(-1, BINS, real.shape[1]).sum(axis=1))
