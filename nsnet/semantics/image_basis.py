"""Semantic directions of *pictures*, estimated on a caption pool: real, captioned, in no other split.

The paper's text directions leave content in image features, since the two modalities lie
apart (docs/null_spaces.md, "What is left of content?"). Three estimates on the image side:

- cross-modal: left singular vectors of the cross-covariance of image and caption features,
  the directions of pictures that go with what captions say;
- leace: the same in whitened space, an oblique projection: of all that make image and
  caption features uncorrelated at full rank, the one that changes features least (Belrose
  et al., "LEACE", arXiv 2306.03819);
- image-pca: principal directions of the pool's image features, without captions: the control
  for "captions are not needed".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from nsnet.semantics.moments import Moments
from nsnet.semantics.null_space import Directions
from nsnet.semantics.spectrum import ROUNDING


@dataclass(frozen=True)
class ImageSpectrum:
    """All directions of one estimate.

    Attributes:
        values: float64 (m,), largest first: singular values of the cross-covariance (cross-modal),
            canonical ones of the whitened cross-covariance (leace), standard deviations (image-pca).
        directions: the m of them, the largest component of each vector positive.
    """

    values: Float64[np.ndarray, " m"]
    directions: Directions

    @property
    def energy(self) -> Float64[np.ndarray, " m"]:
        """Cumulative share of the squared values, ends at 1."""
        squares = self.values**2
        return np.cumsum(squares) / squares.sum()


def cross_modal(moments: Moments) -> ImageSpectrum:
    """Left singular vectors of the centred cross-covariance, orthonormal.

    Args:
        moments: of the caption pool.

    Returns:
        min(d, k) directions.
    """
    left, values, _ = np.linalg.svd(moments.cross_covariance, full_matrices=False)
    return _spectrum(values, left, left)


def leace(moments: Moments) -> ImageSpectrum:
    """Left singular vectors U of the whitened cross-covariance W C, W = covariance^(-1/2): vectors W^+ U, duals W U.

    Removing the first r of them is LEACE truncated to rank r; all of them leave no linear
    trace of the captions. Directions in which the pool does not vary are left alone.

    Args:
        moments: of the caption pool.

    Returns:
        At most min(d, k) directions.
    """
    variances, axes = np.linalg.eigh(moments.covariance)
    kept = variances > ROUNDING**2 * variances[-1]
    deviations, axes = np.sqrt(variances[kept]), axes[:, kept]
    # In the coordinates of the kept axes, W is diagonal.
    left, values, _ = np.linalg.svd((axes.T @ moments.cross_covariance) / deviations[:, None], full_matrices=False)
    return _spectrum(values, axes @ (left * deviations[:, None]), axes @ (left / deviations[:, None]))


def image_pca(moments: Moments) -> ImageSpectrum:
    """Eigenvectors of the covariance of image features, orthonormal.

    Args:
        moments: of the caption pool.

    Returns:
        d directions.
    """
    variances, axes = np.linalg.eigh(moments.covariance)
    axes = axes[:, ::-1]
    return _spectrum(np.sqrt(np.maximum(variances[::-1], 0)), axes, axes)


ESTIMATES: dict[str, Callable[[Moments], ImageSpectrum]] = {
    "cross-modal": cross_modal,
    "leace": leace,
    "image-pca": image_pca,
}


def _spectrum(
    values: Float64[np.ndarray, " m"], vectors: Float64[np.ndarray, "d m"], duals: Float64[np.ndarray, "d m"]
) -> ImageSpectrum:
    """From columns to rows of a fixed sign."""
    signs = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return ImageSpectrum(values, Directions((vectors * signs).T, (duals * signs).T))
