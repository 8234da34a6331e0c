"""What a detector is shown of a picture: mosaic, native crop or the whole picture resized."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from nsnet.corpus.images import Pixels
from nsnet.features import patches
from nsnet.features.geometry import central, enlarge, resize

# Raise when views.py, patches.py, geometry.py or corpus/images.py make other pixels of the same
# picture: features outlive the code that made them, and tests/test_backbone.py pins what this
# version makes.
VIEWS_VERSION = 2


@dataclass(frozen=True)
class ViewSettings:
    """Everything that decides a view's pixels; part of the backbone record.

    Attributes:
        size: side of the square the backbone takes, pixels.
        patch_size, grid, lowest: Patch Selection; grid * patch_size equals size.
        interpolation: bicubic or bilinear, for `full` and for enlarging small pictures.
    """

    size: int
    patch_size: int
    grid: int
    lowest: int
    interpolation: str


@dataclass(frozen=True)
class View:
    """uint8 (size, size, 3) pixels, the rule that applied, and for a mosaic its patches."""

    pixels: Pixels
    rule: str
    selection: patches.Selection | None = None


def make_view(name: str, pixels: UInt8[np.ndarray, "h w 3"], image_id: str, draw: int, settings: ViewSettings) -> View:
    """Show one picture.

    - mosaic: Patch Selection at native size, never resized, shuffled by a seed from
      `image_id` and `draw`. Fewer patches than slots: the ranking is repeated (rule cyclic).
    - crop: central crop at native size.
    - full: the whole picture resized to the square, aspect not kept.

    A picture too small for a patch or a crop is enlarged until its short side fits (rule
    upscaled). Rules other than `native` are stored and counted.

    Args:
        name: mosaic, crop or full.
        pixels: uint8 (H, W, 3) RGB.
        image_id: sha256, hex.
        draw: which shuffle; 0 is the one detectors are tested on.
        settings: sizes and numbers.

    Returns:
        The pixels, uint8 (size, size, 3), and how they were come by.
    """
    if name == "full":
        return View(resize(pixels, settings.size, settings.size, settings.interpolation), "native")
    fitted = fit(name, pixels, settings)
    small, pixels = fitted is not pixels, fitted
    if name == "crop":
        return View(central(pixels, settings.size), "upscaled" if small else "native")
    chosen = patches.select(pixels, settings.patch_size, settings.grid, settings.lowest, _seed(image_id, draw))
    stitched = patches.mosaic(pixels, chosen.rows, chosen.cols, settings.patch_size)
    return View(stitched, "upscaled" if small else chosen.rule, chosen)


def fit(name: str, pixels: UInt8[np.ndarray, "h w 3"], settings: ViewSettings) -> UInt8[np.ndarray, "h2 w2 3"]:
    """The picture that a view is cut out of: enlarged if it is too small for a patch or a crop, else itself.

    Args:
        name: mosaic, crop or full.
        pixels: uint8 (H, W, 3) RGB.
        settings: sizes.

    Returns:
        uint8 (H', W', 3); the same array where nothing is to be done.
    """
    if name == "full":
        return pixels
    return enlarge(pixels, settings.patch_size if name == "mosaic" else settings.size, settings.interpolation)


def _seed(image_id: str, draw: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{image_id}/{draw}".encode()).digest()[:8], "little")
