"""Drawn pictures by which the range of every activation is measured: the same for every corpus, on every machine."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

SEED = 0


def drawn_views(count: int, size: int) -> UInt8[np.ndarray, "count size size 3"]:
    """Noise from white to smooth, of low to clipping contrast, in grey and in colours, half of it behind a flat shape.

    What a tower's first layers meet in photographs is edges, flat parts, texture and sensor noise; each is here in more
    strengths than a photograph has, so that ranges are rather too wide than too narrow.

    Args:
        count: how many.
        size: side in pixels.

    Returns:
        uint8 (count, size, size, 3).
    """
    rng = np.random.default_rng(SEED)
    return np.stack([_drawn(rng, number, size) for number in range(count)])


def _drawn(rng: np.random.Generator, number: int, size: int) -> UInt8[np.ndarray, "size size 3"]:
    slope, contrast = (number % 4) * 0.5, (8, 24, 64, 128)[number // 4 % 4]
    grey = _noise(rng, slope, size)
    own = np.stack([_noise(rng, slope, size) for _ in range(3)], axis=-1)
    colourful = rng.uniform(0, 1)
    pixels = rng.uniform(48, 208, 3) + contrast * ((1 - colourful) * grey[..., None] + colourful * own)
    if number % 2:
        rows, columns = np.mgrid[:size, :size] - rng.uniform(0, size, 2)[:, None, None]
        round_, side = rng.random() < 0.5, rng.uniform(size / 8, size / 2)
        inside = np.hypot(rows, columns) < side if round_ else np.maximum(abs(rows), abs(columns)) < side
        pixels[inside] = rng.choice([0, 255, 128], 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _noise(rng: np.random.Generator, slope: float, size: int) -> Float[np.ndarray, "size size"]:
    """Noise whose amplitude falls with frequency to the power of `slope`: mean 0, standard deviation 1."""
    rows, columns = np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]
    frequency = np.maximum(np.hypot(rows, columns), 1 / size)
    noise = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) / frequency**slope, (size, size))
    return (noise - noise.mean()) / noise.std()
