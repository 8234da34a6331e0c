"""A small camera: lens blur, Bayer mosaic, sensor noise, demosaic, tone curve.

Every lab picture, real or fake, starts as a photograph taken here. What makes a
fake is only what a simulator does to it afterwards.
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage

from nsnet.lab.portable import STEPS, Image, normal, settle, smooth, uniform

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
    soft = smooth(radiance, np.array([uniform(rng, 0.06, 0.16)]))
    raw = _bayer(soft * np.float32(uniform(rng, 0.85, 1.1)))
    shot, read = uniform(rng, 0.0006, 0.0016), uniform(rng, 0.002, 0.005)
    raw += normal(rng, raw.shape) * np.sqrt(np.float32(shot) * raw + np.float32(read * read))
    # The converter's sixteen bits; the demosaic's quarters of them are exact, and rounded again for the table.
    linear = np.clip(_demosaic(settle(raw)), 0, 1)
    return _tone_curve()[(linear * np.float32(STEPS) + np.float32(0.5)).astype(np.intp)]


@functools.cache
def _tone_curve() -> Image:
    """Gamma 1/2.2 of every step of linear light from 0 to 1."""
    return settle((np.arange(STEPS + 1) / STEPS) ** (1 / 2.2))


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
