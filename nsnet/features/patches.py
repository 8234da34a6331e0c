"""Patch Selection: the mosaic of the patches with the lowest and highest spectral entropy.

NS-Net, arXiv 2508.01248 (the idea); DGS-Net, arXiv 2511.13108 (the numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, Int, UInt8

from nsnet.corpus.images import Pixels

# Entropies that agree to this many decimals (bits) are ties, ranked in raster order, so
# that flat patches do not change places with the rounding errors of an FFT.
TIE_DECIMALS = 9
# Rows of patches worked on at once: what stays in the processor's cache is half again as fast.
STRIP = 8
# Entropy does not change with the scale of the grey values, so luma is kept in thousandths:
# whole numbers below 2^24, which float32 holds exactly.
_GREY = np.array([299, 587, 114], np.float32)


@dataclass(frozen=True)
class Selection:
    """Which patches fill the mosaic's slots.

    Attributes:
        rows, cols: int64 (grid * grid,), patch coordinates in patches, by slot.
        entropy: float64 (grid * grid,), bits.
        rule: native, or cyclic when the image has fewer patches than the mosaic.
    """

    rows: npt.NDArray[np.int64]
    cols: npt.NDArray[np.int64]
    entropy: npt.NDArray[np.float64]
    rule: str


def spectral_entropy(pixels: UInt8[np.ndarray, "h w 3"], size: int) -> Float[np.ndarray, "rows cols"]:
    """Entropy of the power spectrum of each patch.

    For a patch with grey values g in [0, 1]: p = |FFT2 g|^2 / sum |FFT2 g|^2 and
    S = -sum p log2 p. A black patch has no power; its entropy is 0.

    Args:
        pixels: uint8 (H, W, 3); the ragged edge is dropped.
        size: patch side in pixels, even.

    Returns:
        float64 (H // size, W // size), bits, in [0, 2 log2 size].
    """
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    entropy = np.empty((rows, columns))
    for top in range(0, rows, STRIP):
        bottom = min(top + STRIP, rows)
        entropy[top:bottom] = _strip_entropy(pixels[top * size : bottom * size, : columns * size], size)
    return entropy


def _strip_entropy(strip: Pixels, size: int) -> npt.NDArray[np.float64]:
    rows, columns = strip.shape[0] // size, strip.shape[1] // size
    grey = strip.astype(np.float32) @ _GREY
    patches = grey.reshape(rows, size, columns, size).swapaxes(1, 2).astype(np.float64, order="C")
    spectrum = torch.fft.rfft2(torch.from_numpy(patches)).numpy()
    power = spectrum.real * spectrum.real
    power += spectrum.imag * spectrum.imag
    # A real signal's spectrum is symmetric: the inner columns stand for two frequencies each.
    weight = np.full((size, size // 2 + 1), 2.0)
    weight[:, [0, -1]] = 1
    power = power.reshape(rows * columns, -1)
    total = power @ weight.ravel()
    np.maximum(power, np.finfo(float).tiny, out=power)
    weighted_log = (power * np.log2(power)) @ weight.ravel()
    safe = np.where(total > 0, total, 1)
    entropy = np.where(total > 0, np.maximum(np.log2(safe) - weighted_log / safe, 0), 0)
    return entropy.reshape(rows, columns)


def rank(entropy: Float[np.ndarray, "rows cols"]) -> Int[np.ndarray, " patches"]:
    """Raster indices of all patches, lowest entropy first, ties in raster order."""
    return np.argsort(np.round(entropy.ravel(), TIE_DECIMALS), kind="stable")


def select(pixels: UInt8[np.ndarray, "h w 3"], size: int, grid: int, lowest: int, seed: int) -> Selection:
    """Choose the patches of a grid x grid mosaic: `lowest` of lowest entropy, the rest of highest, shuffled.

    An image with fewer patches than slots repeats its ranking cyclically (rule `cyclic`).
    The shuffle depends on `seed` alone.

    Args:
        pixels: uint8 (h, w, 3).
        size: of a patch, in pixels.
        grid: slots a side.
        lowest: number of slots with the lowest entropy.
        seed: of the shuffle.

    Returns:
        Rows and columns of the chosen patches in slot order, and the rule.

    Raises:
        ValueError: if the image is smaller than one patch; upscale it first.
    """
    if min(pixels.shape[:2]) < size:
        raise ValueError(f"image of {pixels.shape[1]} x {pixels.shape[0]} is smaller than one {size} pixel patch")
    entropy = spectral_entropy(pixels, size)
    order = rank(entropy)
    slots = grid * grid
    if order.size < slots:
        chosen, rule = np.resize(order, slots), "cyclic"
    else:
        chosen, rule = np.concatenate([order[:lowest], order[order.size - (slots - lowest) :]]), "native"
    chosen = np.random.default_rng(seed).permutation(chosen)
    rows, cols = np.divmod(chosen, entropy.shape[1])
    return Selection(rows, cols, entropy.ravel()[chosen], rule)


def mosaic(
    pixels: UInt8[np.ndarray, "h w 3"], rows: Int[np.ndarray, " slots"], cols: Int[np.ndarray, " slots"], size: int
) -> UInt8[np.ndarray, "side side 3"]:
    """Stitch patches into a square: uint8 (grid * size, grid * size, 3), slots in raster order.

    Args:
        pixels: uint8 (h, w, 3).
        rows, cols: of the patches, (slots,), a square number.
        size: of a patch, in pixels.

    Returns:
        uint8 (grid * size, grid * size, 3).
    """
    grid = int(np.sqrt(len(rows)))
    height, width = pixels.shape[0] // size, pixels.shape[1] // size
    patches = pixels[: height * size, : width * size].reshape(height, size, width, size, 3).swapaxes(1, 2)
    chosen = patches[rows, cols].reshape(grid, grid, size, size, 3)
    return np.ascontiguousarray(chosen.swapaxes(1, 2)).reshape(grid * size, grid * size, 3)
