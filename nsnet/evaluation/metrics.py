"""Metrics of fakes against a pool of reals, under many weightings at once.

acc, ap, acc_validation, ece: real and fake weigh the same, whatever their numbers; a pool
of reals shared by many generators would otherwise swamp the fakes. plain_acc and plain_ap
count every image once, as published tables do; where both classes are of one size they
equal acc and ap. A score equal to the threshold counts as fake.

tpr_at_1_percent, tpr_at_5_percent: the most fakes that a threshold catches which calls at
most that share of this pool fake. precision_at_1_percent: how many of the alarms at 0.5
are right where one picture in a hundred is fake; 0 without an alarm. ece, ece_scaled:
calibration errors of the scores, and once a temperature has scaled them.

acc_oracle: acc at the best of all thresholds for these very pictures, a generator's own in each
draw. An upper bound that nobody can use, since labels choose it; papers report it as accuracy.

Speed: AP gains recall, and AUROC counts pairs, at the fakes' scores only. So all a
generator needs of its pool is the weight of the reals at or above each of its scores,
and the sums that give it are made once for all generators of the pool (`RealPool`).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Float64

from nsnet.detectors.temperature import scaled
from nsnet.detectors.thresholds import THRESHOLD
from nsnet.evaluation.reliability import bin_gaps, calibration_errors

BASE_RATE = 0.01
FALSE_ALARMS = {"tpr_at_1_percent": 0.01, "tpr_at_5_percent": 0.05}
# In no ranking and no headline: its threshold is chosen on test pictures.
ORACLE = "acc_oracle"
METRICS = (
    *("acc", "r_acc", "f_acc", "ap", "auroc", "acc_validation", "plain_acc", "plain_ap"),
    *(*FALSE_ALARMS, "precision_at_1_percent", "ece", "ece_scaled", ORACLE),
)

Array = npt.NDArray[np.float64]
# Keeps 0 / 0 at 0 where a draw holds no image at or above a score; any weight in use is larger by far.
TINY = float(np.finfo(np.float64).tiny)


class RealPool:
    """One run's scores of a pool of reals, with their resamples, ready to meet any number of generators."""

    def __init__(
        self,
        scores: Float[np.ndarray, " n_real"],
        weights: Float[np.ndarray, "rows n_real"],
        threshold: float,
        temperature: float = 1.0,
    ):
        """Sum the reals' weights from the highest score down.

        Args:
            scores: of the reals, probabilities of fake, (n_real,).
            weights: how often each real counts, (1 + draws, n_real); row 0 for the sample itself.
            threshold: that of acc_validation, from nsnet.detectors.thresholds.
            temperature: that of ece_scaled, from nsnet.detectors.temperature.

        Raises:
            ValueError: no reals, scores that are no probabilities, weights of another width or with an empty row.
        """
        _check("reals", scores, weights)
        order = np.argsort(scores, kind="stable")
        self.scores = np.asarray(scores, np.float64)[order]
        self.threshold = threshold
        # Row k: weight of the reals from the k-th lowest up; one image a row, so that picking images copies blocks.
        self.upward = np.zeros((len(order) + 1, len(weights)))
        np.cumsum(weights.T[order[::-1]], axis=0, dtype=np.float64, out=self.upward[-2::-1])
        self.total = self.upward[0]
        # The lowest place in the order above which few enough reals lie, in each row.
        self.places = {
            metric: np.sum(self.upward / self.total > share, axis=0) for metric, share in FALSE_ALARMS.items()
        }
        self.temperature = temperature
        self.gaps = bin_gaps(self._probabilities(scores), 0, weights.astype(np.float64))

    def _probabilities(self, scores: npt.NDArray[np.floating]) -> list[Array]:
        """Scores as they are, and as the temperature scales them."""
        raw = np.asarray(scores, np.float64)
        return [raw, scaled(raw, self.temperature)]

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
            ValueError: no fakes, scores that are no probabilities, weights of another shape or with an empty row.
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
        at = np.searchsorted(self.scores, scores)
        reals, auroc = self._pairs(at, scores, weights, total)

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
        # Of the thresholds that catch the same fakes the lowest fake's score lets most reals pass; one catches nothing.
        oracle = (1 + np.maximum(np.max(fakes - reals, axis=0) / total, 0)) / 2
        plain_acc = (r_right + f_right) / (self.total + total)
        caught = [self._caught(metric, at, fakes) / total for metric in FALSE_ALARMS]
        alarms = BASE_RATE * f_acc + (1 - BASE_RATE) * (1 - r_acc)
        precision = np.divide(BASE_RATE * f_acc, alarms, out=np.zeros_like(alarms), where=alarms > 0)
        errors = calibration_errors(self.gaps, bin_gaps(self._probabilities(scores), 1, weights.T))
        numbers = (
            *((r_acc + f_acc) / 2, r_acc, f_acc, ap, auroc, validation / 2, plain_acc, plain_ap),
            *(*caught, precision, *errors, oracle),
        )
        return dict(zip(METRICS, numbers, strict=True))

    def _caught(self, metric: str, at: npt.NDArray[np.intp], fakes: Array) -> Array:
        """Weight of the fakes that lie high enough above the reals, in each row."""
        count = np.searchsorted(-at, -self.places[metric], side="right")
        return np.where(count > 0, fakes[count - 1, np.arange(fakes.shape[1])], 0.0)

    def _pairs(self, at: npt.NDArray[np.intp], scores: Array, weights: Array, total: Array) -> tuple[Array, Array]:
        """Weight of the reals at or above each score, and the share of pairs (real, fake) in order."""
        over = np.searchsorted(self.scores, scores, side="right")
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
    temperature: float = 1.0,
) -> dict[str, Float64[np.ndarray, " rows"]]:
    """All metrics of one generator under each weighting: `RealPool` for a pool that is met once.

    Args:
        real, fake: scores, (n_real,) and (n_fake,).
        real_weights, fake_weights: of each image under each weighting, (rows, n_real) and (rows, n_fake).
        threshold: that of acc_validation.
        temperature: that of ece_scaled.

    Returns:
        As `RealPool.against`.

    Raises:
        ValueError: as `RealPool` and `RealPool.against`.
    """
    return RealPool(real, real_weights, threshold, temperature).against(fake, fake_weights)


def metrics(
    real: Float[np.ndarray, " n_real"],
    fake: Float[np.ndarray, " n_fake"],
    threshold: float,
    temperature: float = 1.0,
) -> dict[str, float]:
    """All metrics of the sample itself.

    Args:
        real, fake: scores, (n_real,) and (n_fake,).
        threshold: that of acc_validation.
        temperature: that of ece_scaled.

    Returns:
        By metric, one number each.

    Raises:
        ValueError: as `resampled_metrics`.
    """
    weights = np.ones((1, len(real))), np.ones((1, len(fake)))
    numbers = resampled_metrics(real, fake, *weights, threshold, temperature)
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
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(f"{side}: expected probabilities, got scores from {scores.min():g} to {scores.max():g}")
    if not (weights.sum(axis=1) > 0).all():
        raise ValueError(f"{side}: a row of weights is empty")
