"""What a detector is shown of a picture: mosaic, native crop or the whole picture resized."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from nsnet.corpus.images import Pixels, load_rgb
from nsnet.corpus.settings import Harmonise
from nsnet.features import patches


@dataclass(frozen=True)
class ViewSettings:
    """Everything that decides a view's pixels; part of the backbone record.

    Attributes:
        size: side of the square the backbone takes, pixels.
        patch_size, grid, lowest: Patch Selection; grid * patch_size equals size.
        interpolation: bicubic or bilinear, for `full` and for enlarging small pictures.
        harmonise: what is done to every picture first; None shows it as it is.
    """

    size: int
    patch_size: int
    grid: int
    lowest: int
    interpolation: str
    harmonise: Harmonise | None = None


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
    pixels = _enlarge(pixels, needed, settings)
    if name == "crop":
        return View(_central(pixels, settings.size), "upscaled" if small else "native")
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
        pixels = read_pixels(path, self.settings)
        return [make_view(name, pixels, image_id, 0, self.settings) for name in self.views]


def read_pixels(path: Path, settings: ViewSettings) -> Pixels:
    """The picture that views are made of: uint8 (H, W, 3), harmonised if the settings say so.

    Harmonised, it is cropped to one square (enlarged first if smaller) and saved as JPEG at
    one IJG quality, whatever its label ("Fake or JPEG?", arXiv 2403.17608).
    """
    pixels = load_rgb(path)
    if settings.harmonise is None:
        return pixels
    square = _central(_enlarge(pixels, settings.harmonise.size, settings), settings.harmonise.size)
    buffer = io.BytesIO()
    Image.fromarray(square).save(buffer, "JPEG", quality=settings.harmonise.jpeg_quality)
    with Image.open(buffer) as saved:
        return np.asarray(saved.convert("RGB"))


def _enlarge(pixels: Pixels, needed: int, settings: ViewSettings) -> Pixels:
    """Resize until the short side has `needed` pixels; a picture that is large enough stays as it is."""
    short = min(pixels.shape[:2])
    if short >= needed:
        return pixels
    height, width = (max(needed, round(side * needed / short)) for side in pixels.shape[:2])
    return _resize(pixels, height, width, settings)


def _central(pixels: Pixels, size: int) -> Pixels:
    top, left = (pixels.shape[0] - size) // 2, (pixels.shape[1] - size) // 2
    return np.ascontiguousarray(pixels[top : top + size, left : left + size])


def _resize(pixels: Pixels, height: int, width: int, settings: ViewSettings) -> Pixels:
    kernel = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}[settings.interpolation]
    return np.array(Image.fromarray(pixels).resize((width, height), kernel))


def _seed(image_id: str, draw: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{image_id}/{draw}".encode()).digest()[:8], "little")
