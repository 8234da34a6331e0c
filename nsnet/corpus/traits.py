"""Traits of one open picture: its JPEG quality, its looks, and what reading it as RGB leaves out or changes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import imagehash
import numpy as np
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import TiffImageFile

from nsnet.corpus.images import Pixels

# The luma table of ITU-T T.81 annex K, ascending, as every IJG quality scales it.
# fmt: off
_ANNEX_K = np.sort(np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
], np.float64))
# fmt: on

# 256 bits: at 64 different scenes of one kind come too close to each other.
PHASH_SIDE = 16
THUMB_SIDE = 32
# Pictures flatter than this (standard deviation in grey levels) all have one perceptual hash.
FLAT = 2.0
_ORIENTATION = 0x0112

Thumb = bytes  # a record with a field of the type's own name needs another for it


def conversions(image: Image.Image, content: bytes) -> Iterator[str]:
    """What reading the picture as published loaders do leaves out or changes.

    Args:
        image: open, not yet decoded.
        content: bytes of its file.

    Yields:
        Clauses for the reason, such as "converted from RGBA to RGB, alpha dropped".
    """
    dropped = "alpha dropped" if image.has_transparency_data else ""
    high = "high byte kept" if image.mode.startswith("I") or _bits(image, content) == 16 else ""
    if image.mode != "RGB" or dropped or high:
        changes = [f"converted from {image.mode} to RGB" if image.mode != "RGB" else "", dropped, high]
        yield ", ".join(change for change in changes if change)
    if image.format == "MPO":
        yield f"first of {getattr(image, 'n_frames', 1)} pictures used"


def orientation(image: Image.Image) -> int:
    """As EXIF says it, 1 if it says nothing; 0 if it cannot be read."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):  # pixels do not need it
        return 0


def metadata(image: Image.Image, turned: int) -> Iterator[str]:
    """What EXIF and colour profile would have changed.

    Args:
        image: open.
        turned: its `orientation`.

    Yields:
        Clauses for the reason, such as "EXIF orientation 6 not applied".
    """
    if turned == 0:
        yield "broken EXIF ignored"
    elif turned != 1:
        yield f"EXIF orientation {turned} {'' if image.format == 'TIFF' else 'not '}applied"
    profile = image.info.get("icc_profile")
    if profile:
        try:
            ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (OSError, ImageCms.PyCMSError):
            yield "broken ICC profile ignored"


def damage(kind: str | None, content: bytes) -> Iterator[str]:
    """What a PNG's checksums and end say of its wholeness: Pillow does not ask, as it does for a JPEG's end.

    Args:
        kind: the format, as Pillow calls it.
        content: bytes of the file.

    Yields:
        At most one clause for the reason; none for a whole PNG or another format.
    """
    if kind == "PNG":
        place, name = 8, b""
        while place + 12 <= len(content) and name != b"IEND":
            length, name = struct.unpack_from(">I4s", content, place)
            body = content[place + 4 : place + 8 + length]
            if zlib.crc32(body) != int.from_bytes(content[place + 8 + length : place + 12 + length]):
                yield f"wrong checksum of chunk {name.decode('latin-1')}: may be damaged"
                return
            place += 12 + length
        if name != b"IEND":
            yield "no end chunk: may be truncated"


def _bits(image: Image.Image, content: bytes) -> int:
    """Bits a channel, as the file says: Pillow reads sixteen as eight without a word."""
    if image.format == "PNG":
        return content[24]  # the ninth byte of the header, which is the first chunk
    samples = image.tag_v2.get(258) if isinstance(image, TiffImageFile) else None
    return max(samples) if samples else 8


def look(pixels: Pixels) -> tuple[str | None, Thumb | None]:
    """256-bit DCT hash, hex, and grey thumbnail; None for a flat picture, which looks like all other flat ones."""
    # Shrinking with a box first: the hash itself only looks at 64 x 64 pixels.
    small = Image.fromarray(pixels).convert("L").resize((128, 128), Image.Resampling.BOX)
    if np.asarray(small).std() < FLAT:
        return None, None
    thumb = small.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX)
    return str(imagehash.phash(small, hash_size=PHASH_SIDE)), thumb.tobytes()


def jpeg_quality(image: Image.Image) -> int | None:
    """Nearest IJG quality of the luma quantisation table, 1..100; None if it is no JPEG.

    Tables are compared as sorted values: encoders write them in different orders.
    """
    tables = getattr(image, "quantization", None)
    if image.format not in ("JPEG", "MPO") or not tables:
        return None
    table = np.sort(np.asarray(tables[min(tables)], np.float64))
    quality = np.arange(1, 101)
    scale = np.where(quality < 50, 5000 / quality, 200 - 2 * quality)
    candidates = np.clip(np.floor((scale[:, None] * _ANNEX_K + 50) / 100), 1, 255)
    return int(quality[np.abs(candidates - table).sum(axis=1).argmin()])
