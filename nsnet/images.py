"""Reading picture files: what is in them, and their pixels."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]

# The luma table of ITU-T T.81 annex K, ascending, as every IJG quality scales it.
# fmt: off
_ANNEX_K = np.sort(np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
], np.float64))
# fmt: on


@dataclass(frozen=True)
class Inspection:
    """What one file is: the facts of the table `images` that the file alone decides."""

    image_id: str | None
    bytes: int
    width: int | None = None
    height: int | None = None
    format: str | None = None
    mode: str | None = None
    jpeg_quality: int | None = None
    status: str = "rejected"
    reason: str | None = None


def inspect(path: Path) -> Inspection:
    """Hash a file and decode it fully; never raises for a bad file, but says why it is bad.

    Animated and undecodable pictures, and those beyond Pillow's decompression-bomb
    limit, are rejected. Other colour modes are used, with the conversion to 8-bit RGB
    recorded as the reason.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        return Inspection(None, 0, reason=f"unreadable: {error.strerror}")
    image_id, size = hashlib.sha256(content).hexdigest(), len(content)
    if not content:
        return Inspection(image_id, 0, reason="empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                facts = (image_id, size, image.width, image.height, image.format, image.mode, _jpeg_quality(image))
                if getattr(image, "n_frames", 1) > 1:
                    return Inspection(*facts, reason="animated: a single picture is expected")
                image.load()
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Inspection(image_id, size, reason="decompression bomb: more pixels than Pillow's safe limit")
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        return Inspection(image_id, size, reason=f"cannot be decoded: {error}".replace(repr(content), "content"))
    converted = None if facts[5] == "RGB" else f"converted from {facts[5]} to RGB"
    return Inspection(*facts, status="used", reason=converted)


def load_rgb(path: Path) -> Pixels:
    """Decode to uint8 (H, W, 3) RGB at native size; transparency over black, as detectors in the field do."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _jpeg_quality(image: Image.Image) -> int | None:
    """Nearest IJG quality of the luma quantisation table.

    Tables are compared as sorted values: encoders write them in different orders.
    """
    tables = getattr(image, "quantization", None)
    if image.format != "JPEG" or not tables:
        return None
    table = np.sort(np.asarray(tables[min(tables)], np.float64))
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    candidates = np.clip(np.floor((scale[:, None] * _ANNEX_K + 50) / 100), 1, 255)
    return int(quality[np.abs(candidates - table).sum(axis=1).argmin()])
