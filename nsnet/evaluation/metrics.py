"""Accuracy, average precision and AUROC of fakes against a pool of reals, under many weightings at once.

acc, ap, acc_validation: real and fake weigh the same, whatever their numbers; a pool of
reals shared by many generators would otherwise swamp the fakes. plain_acc and plain_ap
count every image once, as published tables do; where both classes are of one size they
equal acc and ap. A score equal to the threshold counts as fake.

Speed: AP gains recall, and AUROC counts pairs, at the fakes' scores only. So all a
generator needs of its pool is the weight of the reals at or above each of its scores,
and the sums that give it are made once for all generators of the pool (`RealPool`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float64

from nsnet.detectors.thresholds import THRESHOLD

METRICS = ("acc", "r_acc", "f_acc", "ap", "auroc", "acc_validation", "plain_acc", "plain_ap")

Array = npt.NDArray[np.float64]
# Keeps 0 / 0 at 0 where a draw holds no image at or above a score; any weight in use is larger by far.
TINY = float(np.finfo(np.float64).tiny)


class RealPool:
    """One run's scores of a pool of reals, with their resamples, ready to meet any number of generators."""

    def __init__(
        self, scores: Float[np.ndarray, " n_real"], weights: Float[np.ndarray, "rows n_real"], threshold: float
    ):
        """Sum the reals' weights from the highest score down.

        Args:
            scores: of the reals, higher is more fake, (n_real,).
            weights: how often each real counts, (1 + draws, n_real); row 0 for the sample itself.
            threshold: that of acc_validation, from nsnet.detectors.thresholds.

        Raises:
            ValueError: no reals, scores that are not finite, weights of another width or with an empty row.
        """
        _check("reals", scores, weights)
        order = np.argsort(scores, kind="stable")
        self.scores = np.asarray(scores, np.float64)[order]
        self.threshold = threshold
        # Row k: weight of the reals from the k-th lowest up; one image a row, so that picking images copies blocks.
        self.upward = np.zeros((len(order) + 1, len(weights)))
        np.cumsum(weights.T[order[::-1]], axis=0, dtype=np.float64, out=self.upward[-2::-1])
        self.total = self.upward[0]

    def called_real(self, threshold: float) -> Float64[np.ndarray, " rows"]:
        """Weight of the reals with scores below a threshold, float64 (1 + draws,)."""
        return self.total - self.upward[np.searchsorted(self.scores, threshold)]

    def against(
        self, fake: Float[np.ndarray, " n_fake"], fake_weights: Float[np.ndarray, "rows n_fake"]
    ) -> dict[str, Float64[np.ndarray, " rows"]]:
        """All metrics of one generator's fakes against this pool.

        AP is the sum of precision times recall gained over the distinct scores (as
        scikit-learn's), AUROC the share of pairs in order, ties half (Mann & Whitney 1947).

        Args:
            fake: scores, (n_fake,).
            fake_weights: (1 + draws, n_fake), with as many rows as the pool's.

        Returns:
            Metric of `METRICS` to float64 (1 + draws,); entry 0 is the value on the sample itself.

        Raises:
            ValueError: no fakes, scores that are not finite, weights of another shape or with an empty row.
        """
        _check("fakes", fake, fake_weights)
        if len(fake_weights) != len(self.total):
            raise ValueError(f"fakes have {len(fake_weights)} rows of weights, their pool of reals {len(self.total)}")
        order = np.argsort(-fake, kind="stable")
        scores = np.asarray(fake, np.float64)[order]
        weights = fake_weights.T[order].astype(np.float64)
        first = np.flatnonzero(np.append(True, scores[1:] != scores[:-1]))
        if len(first) < len(scores):
            scores, weights = scores[first], np.add.reduceat(weights, first, axis=0)
        fakes = np.cumsum(weights, axis=0)
        total = fakes[-1]
        reals, auroc = self._pairs(scores, weights, total)

        def called_fake(threshold: float) -> Array:
            called = int(np.sum(scores >= threshold))
            return fakes[called - 1] if called else np.zeros_like(total)

        r_right, f_right = self.called_real(THRESHOLD), called_fake(THRESHOLD)
        r_acc, f_acc = r_right / self.total, f_right / total
        validation = self.called_real(self.threshold) / self.total + called_fake(self.threshold) / total
        plain_ap = _average_precision(weights, fakes, reals) / total
        # Balanced: a real weighs n_fake / n_real of a fake; undivided counts keep float64's digits.
        reals *= total / self.total
        ap = _average_precision(weights, fakes, reals) / total
        plain_acc = (r_right + f_right) / (self.total + total)
        numbers = ((r_acc + f_acc) / 2, r_acc, f_acc, ap, auroc, validation / 2, plain_acc, plain_ap)
        return dict(zip(METRICS, numbers, strict=True))

    def _pairs(self, scores: Array, weights: Array, total: Array) -> tuple[Array, Array]:
        """Weight of the reals at or above each score, and the share of pairs (real, fake) in order."""
        at, over = (np.searchsorted(self.scores, scores, side) for side in ("left", "right"))
        reals = self.upward[at]
        outranked = np.einsum("kd,kd->d", weights, reals)
        tied = np.flatnonzero(at != over)
        if len(tied):
            equal = reals[tied] - self.upward[over[tied]]
            outranked -= np.einsum("kd,kd->d", weights[tied], equal) / 2
        return reals, 1 - outranked / (total * self.total)


def resampled_metrics(
    real: Float[np.ndarray, " n_real"],
    fake: Float[np.ndarray, " n_fake"],
    real_weights: Float[np.ndarray, "rows n_real"],
    fake_weights: Float[np.ndarray, "rows n_fake"],
    threshold: float,
) -> dict[str, Float64[np.ndarray, " rows"]]:
    """All metrics of one generator under each weighting: `RealPool` for a pool that is met once.

    Args:
        real, fake: scores, (n_real,) and (n_fake,).
        real_weights, fake_weights: of each image under each weighting, (rows, n_real) and (rows, n_fake).
        threshold: that of acc_validation.

    Returns:
        As `RealPool.against`.

    Raises:
        ValueError: as `RealPool` and `RealPool.against`.
    """
    return RealPool(real, real_weights, threshold).against(fake, fake_weights)


def metrics(
    real: Float[np.ndarray, " n_real"], fake: Float[np.ndarray, " n_fake"], threshold: float
) -> dict[str, float]:
    """All metrics of the sample itself.

    Args:
        real, fake: scores, (n_real,) and (n_fake,).
        threshold: that of acc_validation.

    Returns:
        By metric, one number each.

    Raises:
        ValueError: as `resampled_metrics`.
    """
    numbers = resampled_metrics(real, fake, np.ones((1, len(real))), np.ones((1, len(fake))), threshold)
    return {metric: float(values[0]) for metric, values in numbers.items()}


def _average_precision(weights: Array, fakes: Array, reals: Array) -> Array:
    """Sum over scores of precision times fakes gained, (1 + draws,), from sums at or above each score."""
    flagged = fakes + reals
    np.maximum(flagged, TINY, out=flagged)
    np.divide(fakes, flagged, out=flagged)
    return np.einsum("kd,kd->d", weights, flagged)


def _check(side: str, scores: npt.NDArray[np.floating], weights: npt.NDArray[np.floating]) -> None:
    if scores.ndim != 1 or not len(scores) or weights.ndim != 2 or weights.shape[1] != len(scores):
        raise ValueError(f"{side}: scores of shape {scores.shape} with weights of shape {weights.shape}")
    if not np.isfinite(scores).all():
        raise ValueError(f"{side}: {int(np.sum(~np.isfinite(scores)))} of {len(scores)} scores are not finite")
    if not (weights.sum(axis=1) > 0).all():
        raise ValueError(f"{side}: a row of weights is empty")
