"""How many directions to remove: by validation under content shift, on the training simulators alone.

A detector that learned content fails when content changes sides. So a probe is fitted on
reals of one content and fakes of the other, and judged on validation pictures paired the
other way round. No test picture is looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64, Int

from nsnet.semantics.null_space import Directions

# Fewer pictures of a label and a content than this decide nothing.
FEWEST = 10


@dataclass(frozen=True)
class Labelled:
    """Pictures of one split.

    Attributes:
        features: float64 (n, d), unit length.
        labels: 1 fake, (n,).
        content: whether the caption names one of the content words, (n,).
    """

    features: Float64[np.ndarray, "n d"]
    labels: Int[np.ndarray, " n"]
    content: Bool[np.ndarray, " n"]

    def paired(self, content: bool) -> Bool[np.ndarray, " n"]:
        """Reals that have the content and fakes that lack it, or, for False, the other way round."""
        return (self.content == (self.labels == 0)) == content


@dataclass(frozen=True)
class ShiftAccuracy:
    """Balanced accuracy under content shift with `rank` directions removed, and its standard error."""

    rank: int
    accuracy: float
    error: float


def has_all_cells(labels: Int[np.ndarray, " n"], content: Bool[np.ndarray, " n"]) -> bool:
    """Whether there are at least `FEWEST` pictures of each label with and without the content.

    Args:
        labels: 1 fake.
        content: whether a picture has it.

    Returns:
        Whether a probe can be fitted and judged on both pairings.
    """
    return bool(np.bincount(2 * labels + content, minlength=4).min() >= FEWEST)


def shift_accuracy(train: Labelled, validation: Labelled, directions: Directions) -> ShiftAccuracy:
    """Fit on one pairing of content and label, judge on the other, both ways; the mean of both.

    Args:
        train, validation: pictures with all cells (`has_all_cells`).
        directions: that are removed first.

    Returns:
        Mean balanced accuracy; the error is the binomial one of the judged pictures.
    """
    shares, variances = [], []
    for content in (True, False):
        fit, judge = train.paired(content), validation.paired(not content)
        fakes = probe(train.features[fit], train.labels[fit], validation.features[judge], directions)
        for label in (0, 1):
            right = fakes[validation.labels[judge] == label] == label
            shares.append(right.mean())
            variances.append(right.mean() * (1 - right.mean()) / len(right))
    return ShiftAccuracy(len(directions), float(np.mean(shares)), float(np.sqrt(np.sum(variances)) / len(shares)))


def probe(
    rows: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    judged: Float[np.ndarray, "m d"],
    directions: Directions,
) -> Bool[np.ndarray, " m"]:
    """Which of the judged rows a logistic probe calls 1; C = 1, one common scale, as a detector's head has.

    Args:
        rows, labels: what it is fitted on; 0 or 1.
        judged: rows to tell apart.
        directions: that are removed first.

    Returns:
        (m,).
    """
    from sklearn.linear_model import LogisticRegression  # takes a second, and few runs choose a rank

    projection = directions.projection
    seen = rows @ projection
    mean = seen.mean(axis=0)
    scale = np.sqrt(((seen - mean) ** 2).mean())
    fitted = LogisticRegression(max_iter=2000).fit((seen - mean) / scale, labels)
    return fitted.decision_function((judged @ projection - mean) / scale) >= 0


def choose_shift_rank(tried: Sequence[ShiftAccuracy]) -> int:
    """The smallest rank whose accuracy is within one standard error of the best: what more removes is not needed.

    Args:
        tried: at least one rank.

    Returns:
        One of the ranks (Breiman et al. 1984, the one-standard-error rule).
    """
    best = max(tried, key=lambda one: (one.accuracy, -one.rank))
    return min(one.rank for one in tried if one.accuracy >= best.accuracy - best.error)
