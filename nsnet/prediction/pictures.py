"""From what is asked about to pixels: a file, or a picture that is open already; or why there are none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from nsnet.corpus.images import Pixels, to_rgb
from nsnet.corpus.inspection import MINIMUM_SIDE
from nsnet.features.conditions import CLEAN
from nsnet.features.pictures import PictureSource, ReplacedPicture
from nsnet.features.views import ViewSettings
from nsnet.prediction.inputs import PictureFile
from nsnet.prediction.predictions import Rejection

# Of arrays, only pixels are scored: another type or shape is said of each picture, with what was expected.
Picture = str | Path | Image.Image | PictureFile | npt.NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class Opened:
    """A picture that was read.

    Attributes:
        path: of the file; None of a picture that was given without one.
        name: sha256 of the file's bytes, else of the pixels; the shuffle of its mosaics follows from it.
        pixels: uint8 (H, W, 3) RGB.
    """

    path: str | None
    name: str
    pixels: Pixels


def open_picture(picture: Picture, settings: ViewSettings) -> Opened | Rejection:
    """Read and decode a picture.

    Args:
        picture: a path, a file of `nsnet.prediction.inputs`, an open PIL image, or pixels, uint8 (h, w, 3).
        settings: how a backbone wants to be shown pictures.

    Returns:
        The picture, or what is wrong with it.
    """
    if isinstance(picture, Image.Image | np.ndarray):
        return _take(picture)
    file = picture if isinstance(picture, PictureFile) else PictureFile(Path(picture))
    found = file.inspect()
    if found.status != "used" or found.image_id is None:
        return Rejection(file.shown, str(found.reason))
    source = PictureSource({found.image_id: file.path}, settings)
    try:
        return Opened(file.shown, found.image_id, source.pixels(found.image_id, CLEAN))
    except ReplacedPicture:
        return Rejection(file.shown, "unreadable: it changed while it was read")


def _take(picture: Image.Image | npt.NDArray[np.generic]) -> Opened | Rejection:
    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            return Rejection(None, f"expected pixels, uint8 (h, w, 3), got {picture.dtype} {picture.shape}")
        pixels, (height, width) = picture.astype(np.uint8, copy=False), picture.shape[:2]
    else:
        width, height = picture.size
    if min(width, height) < MINIMUM_SIDE:
        return Rejection(None, f"too small: {width} x {height}, at least {MINIMUM_SIDE} a side")
    if isinstance(picture, Image.Image):
        try:
            pixels = to_rgb(picture)
        except (OSError, SyntaxError, ValueError) as error:  # it may have been opened, and not yet decoded
            return Rejection(None, f"cannot be decoded: {error}")
    return Opened(None, hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), pixels)
