"""From what is asked about to pixels: a file, or a picture that is open already; or why there are none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from nsnet.corpus.images import Pixels, to_rgb
from nsnet.corpus.inspection import MINIMUM_SIDE
from nsnet.features.conditions import CLEAN
from nsnet.features.pictures import PictureSource, ReplacedPicture
from nsnet.features.views import ViewSettings
from nsnet.prediction.inputs import PictureFile
from nsnet.prediction.predictions import Rejection

Picture = str | Path | Image.Image | PictureFile


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
        picture: a path, a file of `nsnet.prediction.inputs`, or an open PIL image.
        settings: how a backbone wants to be shown pictures.

    Returns:
        The picture, or what is wrong with it.
    """
    if isinstance(picture, Image.Image):
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


def _take(picture: Image.Image) -> Opened | Rejection:
    if min(picture.size) < MINIMUM_SIDE:
        size = f"{picture.width} x {picture.height}"
        return Rejection(None, f"too small: {size}, at least {MINIMUM_SIDE} a side")
    try:
        pixels = to_rgb(picture)
    except (OSError, SyntaxError, ValueError) as error:  # it may have been opened, and not yet decoded
        return Rejection(None, f"cannot be decoded: {error}")
    return Opened(None, hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).hexdigest(), pixels)
