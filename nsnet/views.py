"""What a detector is shown of a picture: mosaic, native crop or the whole picture resized."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nsnet import patches
from nsnet.images import Pixels, load_rgb


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


def make_view(name: str, pixels: Pixels, image_id: str, draw: int, settings: ViewSettings) -> View:
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
    """
    if name == "full":
        return View(_resize(pixels, settings.size, settings.size, settings), "native")
    needed = settings.patch_size if name == "mosaic" else settings.size
    small = min(pixels.shape[:2]) < needed
    if small:
        scale = needed / min(pixels.shape[:2])
        height, width = (max(needed, round(side * scale)) for side in pixels.shape[:2])
        pixels = _resize(pixels, height, width, settings)
    if name == "crop":
        top, left = (pixels.shape[0] - settings.size) // 2, (pixels.shape[1] - settings.size) // 2
        crop = pixels[top : top + settings.size, left : left + settings.size]
        return View(np.ascontiguousarray(crop), "upscaled" if small else "native")
    chosen = patches.select(pixels, settings.patch_size, settings.grid, settings.lowest, _seed(image_id, draw))
    stitched = patches.mosaic(pixels, chosen.rows, chosen.cols, settings.patch_size)
    return View(stitched, "upscaled" if small else chosen.rule, chosen)


class ViewReader:
    """Reads picture i and makes its views (draw 0); a torch Dataset for worker processes."""

    def __init__(self, images: list[tuple[str, Path]], views: list[str], settings: ViewSettings) -> None:
        self.images, self.views, self.settings = images, views, settings

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> list[View]:
        image_id, path = self.images[index]
        pixels = load_rgb(path)
        return [make_view(name, pixels, image_id, 0, self.settings) for name in self.views]


def _resize(pixels: Pixels, height: int, width: int, settings: ViewSettings) -> Pixels:
    kernel = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[settings.interpolation]
    return np.array(Image.fromarray(pixels).resize((width, height), kernel))


def _seed(image_id: str, draw: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{image_id}/{draw}".encode()).digest()[:8], "little")
