"""Resizing and cutting, as views and conditions share them."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from nsnet.corpus.images import Pixels

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize(pixels: UInt8[np.ndarray, "h w 3"], height: int, width: int, kernel: str) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Resize with one of Pillow's kernels, which widen when they shrink.

    Args:
        pixels: uint8 (h, w, 3).
        height, width: in pixels.
        kernel: a key of KERNELS.

    Returns:
        uint8 (height, width, 3).
    """
    return np.array(Image.fromarray(pixels).resize((width, height), KERNELS[kernel]))


def enlarge(pixels: Pixels, needed: int, kernel: str) -> UInt8[np.ndarray, "h w 3"]:
    """Resize until the short side has `needed` pixels; a picture that is large enough stays as it is.

    Args:
        pixels: uint8 (h, w, 3).
        needed: pixels of the short side.
        kernel: a key of KERNELS.

    Returns:
        uint8 (h, w, 3), aspect kept.
    """
    short = min(pixels.shape[:2])
    if short >= needed:
        return pixels
    height, width = (max(needed, round(side * needed / short)) for side in pixels.shape[:2])
    return resize(pixels, height, width, kernel)


def corner(height: int, width: int, size: int) -> tuple[int, int]:
    """Row and column where the central square of `size` pixels begins; an odd pixel is left at the bottom and right."""
    return (height - size) // 2, (width - size) // 2


def central(pixels: Pixels, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The central square of `size` pixels, from `corner` on.

    Args:
        pixels: uint8 (h, w, 3), both sides at least `size`.
        size: of the square, in pixels.

    Returns:
        uint8 (size, size, 3).
    """
    top, left = corner(pixels.shape[0], pixels.shape[1], size)
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])
