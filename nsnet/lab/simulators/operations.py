"""Picture operations that several simulators share.

Pictures are float32 (H, W, 3), display-referred, in [0, 1].
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from scipy import ndimage

from nsnet.lab.portable import Image, smooth

Resampling = PILImage.Resampling
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def resize(image: Image, shape: tuple[int, ...], kernel: PILImage.Resampling) -> Image:
    """Resample to `shape` (height, width, ...) in float, channel by channel, with Pillow's kernels.

    Args:
        image: float32 (H, W, C).
        shape: of the result; what follows height and width is not looked at.
        kernel: one of Pillow's.

    Returns:
        float32 (height, width, C).
    """
    height, width = shape[:2]
    planes = [
        np.asarray(PILImage.fromarray(np.ascontiguousarray(image[..., c])).resize((width, height), kernel))
        for c in range(image.shape[2])
    ]
    return np.stack(planes, axis=-1)


def shrink(image: Image, factor: float, kernel: PILImage.Resampling = Resampling.BOX) -> Image:
    """Resize down by `factor`: the low-resolution canvas a decoder starts from.

    Args:
        image: float32 (H, W, C).
        factor: above 1.
        kernel: one of Pillow's.

    Returns:
        float32 (H / factor, W / factor, C), sides rounded.
    """
    return resize(image, tuple(round(side / factor) for side in image.shape[:2]), kernel)


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur over height and width, cut at three sigma.

    Args:
        image: float32 (H, W, C).
        sigma: in pixels.

    Returns:
        float32, of the same shape.
    """
    weights = np.exp(-0.5 * np.square(np.arange(int(3 * sigma + 0.5) + 1) / sigma))
    return smooth(image, weights[1:] / (2 * weights[1:].sum() + 1))


def box(image: Image, size: int) -> Image:
    """Moving average over size x size pixels.

    SciPy's running sum adds and divides alone, so nothing in it can be fused.

    Args:
        image: float32 (H, W, C).
        size: of the window, in pixels.

    Returns:
        float32, of the same shape; edges repeated.
    """
    rows = ndimage.uniform_filter1d(image, size, axis=0, mode="nearest")
    return ndimage.uniform_filter1d(rows, size, axis=1, mode="nearest")


def mix(image: Image, fake: Image, strength: float | npt.NDArray[np.float32]) -> Image:
    """Go `strength` of the way from the photograph to the full artefact.

    Args:
        image, fake: float32 (H, W, C).
        strength: 0 to 1, one number or one for each pixel.

    Returns:
        float32, of the same shape.
    """
    return image + np.asarray(strength, np.float32) * (fake - image)


def guided(image: Image, size: int, epsilon: float) -> Image:
    """Self-guided filter (He et al., 2013): smooths what varies less than `epsilon`, keeps edges.

    Args:
        image: float32 (H, W, C), in [0, 1].
        size: of the window, in pixels.
        epsilon: variance, in squared units of the image.

    Returns:
        float32, of the same shape.
    """
    mean = box(image, size)
    variance = np.maximum(box(image * image, size) - mean * mean, 0)
    gain = (variance / (variance + np.float32(epsilon))).astype(np.float32, copy=False)
    return box(gain, size) * image + box((1 - gain) * mean, size)


def to_blocks(image: Image, size: int) -> Image:
    """Cut into (rows * columns, size * size * 3) block vectors, raster order.

    Args:
        image: float32 (H, W, 3), sides multiples of `size`.
        size: of a block, in pixels.

    Returns:
        float32 (blocks, size * size * 3).
    """
    height, width, channels = image.shape
    blocks = image.reshape(height // size, size, width // size, size, channels).swapaxes(1, 2)
    return blocks.reshape(-1, size * size * channels)


def from_blocks(blocks: Image, size: int, shape: tuple[int, ...]) -> Image:
    """Inverse of `to_blocks`.

    Args:
        blocks: float32 (blocks, size * size * C).
        size: of a block, in pixels.
        shape: (H, W, C).

    Returns:
        float32 (H, W, C).
    """
    height, width, channels = shape
    grid = blocks.reshape(height // size, width // size, size, size, channels).swapaxes(1, 2)
    return grid.reshape(height, width, channels)


def to_ycc(image: Image) -> Image:
    """RGB to luma and two colour differences (B - Y, R - Y)."""
    luma = LUMA[0] * image[..., 0] + LUMA[1] * image[..., 1] + LUMA[2] * image[..., 2]
    return np.stack([luma, image[..., 2] - luma, image[..., 0] - luma], axis=-1)


def from_ycc(ycc: Image) -> Image:
    """Inverse of `to_ycc`."""
    luma, blue, red = ycc[..., 0], ycc[..., 1] + ycc[..., 0], ycc[..., 2] + ycc[..., 0]
    green = (luma - LUMA[0] * red - LUMA[2] * blue) / LUMA[1]
    return np.stack([red, green, blue], axis=-1)
