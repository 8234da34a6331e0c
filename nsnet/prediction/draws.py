"""Several mosaics of one picture: the mean of their scores, an interval, and what is decided of it.

A mosaic's patches are chosen, and then shuffled at random: another draw of the shuffle is
another score of the same picture. What an interval says is how far that alone moves it.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Float
from scipy.special import expit, logit, stdtrit

Decision = Literal["fake", "real", "unsure"]

COVERAGE = 0.95
# Half the distance from 1 to the next float64: a score of exactly 0 or 1 gets the logit of
# the nearest score that has one, 36.7, instead of an infinite one.
NEAREST = float(np.finfo(np.float64).eps) / 2


def pooled(
    scores: Float[np.ndarray, "n draws"],
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Scores of pictures over their draws as one score with an interval each.

    The interval is a prediction interval: the score of *one more draw* of the same picture
    lies in it with probability 0.95, where the logits of a picture's draws are normal with
    a mean and a variance of its own: mean +- t * sd * sqrt(1 + 1 / draws), t with
    draws - 1 degrees of freedom, in logits, mapped back. It is widened where it would leave
    the mean score out, as it may where few draws of many lie far away.

    It says nothing of how often the detector is right, nor of other pictures: the only
    thing that it varies is the shuffle of the mosaic.

    Args:
        scores: probabilities of fake, float64 (n, draws), in [0, 1], at least one draw.

    Returns:
        Mean score, low and high end, float64 (n,) each; of a single draw all three are its score.
    """
    mean, draws = scores.mean(axis=1), scores.shape[1]
    if draws == 1:
        return mean, mean, mean
    logits: npt.NDArray[np.float64] = logit(np.clip(scores, NEAREST, 1 - NEAREST))
    centre, deviation = logits.mean(axis=1), logits.std(axis=1, ddof=1)
    half = stdtrit(draws - 1, (1 + COVERAGE) / 2) * deviation * np.sqrt(1 + 1 / draws)
    return mean, np.minimum(expit(centre - half), mean), np.maximum(expit(centre + half), mean)


def decide(low: float, high: float, threshold: float) -> Decision:
    """What an interval says of a picture.

    Args:
        low, high: ends of the interval; of a single draw both are the score.
        threshold: a score equal to it counts as fake.

    Returns:
        fake or real where the whole interval lies on that side of the threshold, else unsure.
    """
    if low >= threshold:
        return "fake"
    return "real" if high < threshold else "unsure"
