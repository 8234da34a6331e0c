"""A small camera: lens blur, Bayer mosaic, sensor noise, demosaic, tone curve.

Every lab picture, real or fake, starts as a photograph taken here. What makes a
fake is only what a simulator does to it afterwards.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nsnet.lab.scenes import Image

_GREEN = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
_RED_BLUE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4


def photograph(radiance: Image, rng: np.random.Generator) -> Image:
    """Photograph a scene.

    Args:
        radiance: float32 (H, W, 3), linear light in [0, 1].
        rng: source of focus, exposure and noise.

    Returns:
        float32 (H, W, 3), display-referred (gamma 1/2.2) in [0, 1].
    """
    soft = _lens(radiance, side=np.float32(rng.uniform(0.06, 0.16)))
    raw = _bayer(soft * np.float32(rng.uniform(0.85, 1.1)))
    shot, read = rng.uniform(0.0006, 0.0016), rng.uniform(0.002, 0.005)
    noise = rng.standard_normal(raw.shape, dtype=np.float32)
    raw += noise * np.sqrt(np.float32(shot) * raw + np.float32(read**2))
    linear = _demosaic(raw)
    return np.power(np.clip(linear, 0, 1), np.float32(1 / 2.2))


def _lens(image: Image, side: np.float32) -> Image:
    """Separable three-tap blur (side, 1 - 2 side, side), edges repeated."""
    taps = np.array([side, 1 - 2 * side, side], np.float32)
    rows = ndimage.correlate1d(image, taps, axis=0, mode="nearest")
    return ndimage.correlate1d(rows, taps, axis=1, mode="nearest")


def _bayer(image: Image) -> Image:
    """Sample one colour per site, RGGB."""
    raw = image[..., 1].copy()
    raw[0::2, 0::2] = image[0::2, 0::2, 0]
    raw[1::2, 1::2] = image[1::2, 1::2, 2]
    return raw


def _demosaic(raw: Image) -> Image:
    """Bilinear demosaic of an RGGB mosaic: float32 (H, W) to (H, W, 3)."""
    planes = np.zeros((*raw.shape, 3), np.float32)
    planes[0::2, 0::2, 0] = raw[0::2, 0::2]
    planes[0::2, 1::2, 1] = raw[0::2, 1::2]
    planes[1::2, 0::2, 1] = raw[1::2, 0::2]
    planes[1::2, 1::2, 2] = raw[1::2, 1::2]
    for channel, kernel in enumerate((_RED_BLUE, _GREEN, _RED_BLUE)):
        planes[..., channel] = ndimage.correlate(planes[..., channel], kernel, mode="mirror")
    return planes
