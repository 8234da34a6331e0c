"""Arithmetic with the same bits on every x86-64 and arm64 machine, whatever its vector units and threads.

IEEE 754 fixes the results of + - * / sqrt, comparisons and roundings, and NumPy rounds after each of
them: expressions made of those need no care. All else may differ in its last bits from one machine, library
or number of threads to the next: sin, exp and powers, sums and products of matrices (the order of terms),
Fourier transforms, and C code whose a * b + c is rounded once on arm64 but twice on x86-64. Such steps are
done in float64 and rounded, by one of these ways, before anything is computed from them:

* `settle` rounds to a fixed grid. Errors of about 1e-15 matter only for values that near to a boundary between
  two grid points, 1 in 10^10. That is the accepted standard: no finite computation excludes it.
* Where factors are on the grid already, float64 holds products and sums exactly, so that their order
  says nothing (`smooth`, and the block codecs).
* Pillow's resize and SciPy's interpolation compute in float64 and return float32, 10^8 times as coarse as their errors.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

Image = npt.NDArray[np.float32]
Exact = npt.NDArray[np.float64]

# Fine against the 1/255 of a saved picture, coarse against errors of float64; float32 holds it up to 256.
STEPS = 2.0**16
# Weighted means of grid values lie at halves, thirds and tenths of a step again and again. The golden section is the
# fraction that is farthest from all of those, so the boundaries are there; grid values themselves stay as they are.
BOUNDARY = (5**0.5 - 1) / 2


def settle(values: npt.NDArray[np.floating]) -> Image:
    """Round to multiples of 2^-16, so that errors in the last bits of float64 are gone."""
    steps = np.asarray(values * STEPS)
    steps += BOUNDARY
    np.floor(steps, out=steps)
    steps /= STEPS
    return steps.astype(np.float32)


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """As `rng.uniform`, whose C code may fuse the product and the sum.

    Args:
        rng: gives one number.
        low, high: ends of the interval.

    Returns:
        A float64 number in [low, high).
    """
    return low + (high - low) * rng.random()


def uniforms(rng: np.random.Generator, low: float, high: float, count: int) -> Exact:
    """As `uniform`, `count` of them.

    Args:
        rng: gives `count` numbers.
        low, high: ends of the interval.
        count: how many.

    Returns:
        float64 (count,), in [low, high).
    """
    return low + (high - low) * rng.random(count)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Image:
    """Standard normal values.

    Drawn in float64: the sampler's accept-or-reject test uses exp, and in float32 a last
    bit would decide it once in some thousand pictures, and shift all that is drawn after.

    Args:
        rng: gives as many numbers as the sampler needs.
        shape: of the result.

    Returns:
        float32 of that shape, mean 0, variance 1, multiples of 2^-16.
    """
    return settle(rng.standard_normal(shape))


def cosine(turns: Image) -> Image:
    """Cosine of 2 pi turns to 4e-6, by its series: elementary float32, a fifth of the time of np.cos in float64."""
    x = np.float32(2 * np.pi) * (np.float32(0.25) - np.abs(turns - np.rint(turns)))  # sine of x, at most pi / 2
    square = x * x
    series = np.ones_like(x)
    for order in (8, 6, 4, 2):
        series = 1 - square / np.float32(order * (order + 1)) * series
    return x * series


def sine(turns: Image) -> Image:
    """As `cosine`."""
    return cosine(turns - np.float32(0.25))


def smooth(image: Image, side_taps: npt.NDArray[np.floating]) -> Image:
    """Symmetric blur over height and width, edges repeated.

    Args:
        image: float32 (H, W, ...).
        side_taps: weights of the neighbours, nearest first; the centre has what is left of 1.

    Returns:
        float32, of the same shape.
    """
    sides = settle(side_taps).astype(np.float64)
    taps = np.concatenate([sides[::-1], [1 - 2 * sides.sum()], sides])
    rows = ndimage.correlate1d(image, taps, axis=0, mode="nearest")
    return ndimage.correlate1d(rows, taps, axis=1, mode="nearest")
