"""From scores to decisions: the fixed threshold, the one chosen on validation, and balanced accuracy."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int

# A score from here on is called fake; the peers' code calls 0.5 itself real.
THRESHOLD = 0.5


def balanced_accuracy(
    scores: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"], threshold: float = THRESHOLD
) -> float:
    """Mean of the shares of reals below `threshold` and of fakes at or above it, whatever their numbers.

    Args:
        scores: probabilities of fake, (n,).
        labels: 1 fake, 0 real, (n,).
        threshold: a score equal to it counts as fake.

    Returns:
        Between 0 and 1.

    Raises:
        ValueError: as `choose_threshold`.
    """
    _check(scores, labels)
    return float(((scores[labels == 0] < threshold).mean() + (scores[labels == 1] >= threshold).mean()) / 2)


def choose_threshold(scores: Float[np.ndarray, " n"], labels: Int[np.ndarray, " n"]) -> float:
    """The threshold with the highest balanced accuracy; a score at or above it is called fake.

    Candidates are the midpoints of neighbouring distinct scores and the two ends, where all
    are called fake or none is. Of equally good ones the nearest to 0.5 is taken, then the lower.

    Args:
        scores: of the validation split, (n,).
        labels: 1 fake, 0 real, (n,).

    Returns:
        The threshold; just above the highest score where calling nothing fake is best.

    Raises:
        ValueError: another shape, scores that are not finite, labels other than 0 and 1, or one class only.
    """
    _check(scores, labels)
    distinct = np.unique(np.asarray(scores, np.float64))
    midpoints = distinct[:-1] + np.diff(distinct) / 2
    # Between neighbouring floats there is no midpoint: the upper of the two parts them as well.
    midpoints = np.where(midpoints > distinct[:-1], midpoints, distinct[1:])
    candidates = np.concatenate([distinct[:1], midpoints, [np.nextafter(distinct[-1], np.inf)]])
    real, fake = np.sort(scores[labels == 0]), np.sort(scores[labels == 1])
    # Twice n_real n_fake times the balanced accuracy: whole numbers, so that ties are exact.
    r_right = np.searchsorted(real, candidates)
    f_right = len(fake) - np.searchsorted(fake, candidates)
    right = r_right * len(fake) + f_right * len(real)
    best = candidates[right == right.max()]
    return float(best[np.argmin(np.abs(best - THRESHOLD))])


def _check(scores: npt.NDArray[Any], labels: npt.NDArray[Any]) -> None:
    if scores.shape != labels.shape or scores.ndim != 1 or not np.isfinite(scores).all():
        raise ValueError(f"expected finite scores and as many labels, got shapes {scores.shape} and {labels.shape}")
    if set(np.unique(labels).tolist()) != {0, 1}:
        raise ValueError(f"a threshold is judged on reals (0) and fakes (1), got labels {np.unique(labels)}")
