"""Pictures' pixels: which formats are decoded, and how, as published loaders do."""

from __future__ import annotations

import io
import warnings

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8
from PIL import Image

Pixels = npt.NDArray[np.uint8]

# What is decoded; a phone's MPO comes with JPEG. Left alone, whatever a file is called: AVIF, HEIC, JPEG 2000, PPM, TGA
# and the forty others that Pillow knows. No registered suite has them, what published loaders make of them depends
# on how Pillow was built, some of its readers start other programs (EPS), and TGA has no mark to be known by.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")


def decode_rgb(content: bytes) -> UInt8[np.ndarray, "height width 3"]:
    """Decode the bytes of a file to uint8 (H, W, 3) RGB at native size.

    As published loaders do: alpha is dropped, EXIF orientation is not applied (but to TIFF, by
    the decoder), colour profiles are ignored. Sixteen-bit grey keeps its high byte, as other
    sixteen-bit modes do (Pillow alone would clip it).
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `inspect` has recorded what they say
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return to_rgb(image)


def to_rgb(image: Image.Image) -> UInt8[np.ndarray, "height width 3"]:
    """The pixels of an open picture, as `decode_rgb`."""
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = (np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))
