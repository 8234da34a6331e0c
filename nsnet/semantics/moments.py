"""Second moments of features and of the captions beside them, in memory that no number of pictures changes."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

from nsnet.semantics.spectrum import ROUNDING


class Moments:
    """Mean products of unit image features x and unit caption features t, centred, in float64, fed batch by batch.

    Memory is O(d^2 + d k). Both towers may have any space of their own: they meet in products only.
    """

    def __init__(self) -> None:
        self.count = 0
        self._images, self._texts = np.zeros(0), np.zeros(0)
        self._squares, self._products = np.zeros((0, 0)), np.zeros((0, 0))

    def add(self, images: Float[np.ndarray, "b d"], texts: Float[np.ndarray, "b k"]) -> None:
        """Add pictures with their captions; row i of both belongs together.

        Args:
            images: image features, (b, d), any scale: a detector sees them at unit length.
            texts: caption features, (b, k), any scale.
        """
        x, t = _unit(images), _unit(texts)
        if not self.count:
            self._images, self._texts = np.zeros(x.shape[1]), np.zeros(t.shape[1])
            self._squares = np.zeros((x.shape[1], x.shape[1]))
            self._products = np.zeros((x.shape[1], t.shape[1]))
        self.count += len(x)
        self._images += x.sum(axis=0)
        self._texts += t.sum(axis=0)
        self._squares += x.T @ x
        self._products += x.T @ t

    @property
    def vary(self) -> bool:
        """Whether pictures differ, and captions with them: beyond the rounding of float32 features."""
        return bool(np.trace(self.covariance) > ROUNDING**2 and np.linalg.norm(self.cross_covariance) > ROUNDING**2)

    @property
    def covariance(self) -> Float64[np.ndarray, "d d"]:
        """Of image features, float64 (d, d): mean of x x^T less the outer product of the means."""
        return self._squares / self.count - np.outer(self._images, self._images) / self.count**2

    @property
    def cross_covariance(self) -> Float64[np.ndarray, "d k"]:
        """Of image and caption features, float64 (d, k): mean of x t^T less the outer product of the means."""
        return self._products / self.count - np.outer(self._images, self._texts) / self.count**2


def _unit(rows: Float[np.ndarray, "b d"]) -> Float64[np.ndarray, "b d"]:
    exact = np.asarray(rows, np.float64)
    return exact / np.linalg.norm(exact, axis=1, keepdims=True)
