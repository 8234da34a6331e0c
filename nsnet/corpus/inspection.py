"""Looking at one picture file: is it usable, what is in it, and what was it taken for?"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import imagehash
import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

from nsnet.core.files import open_regular
from nsnet.corpus.images import FORMATS, Pixels, to_rgb

# The luma table of ITU-T T.81 annex K, ascending, as every IJG quality scales it.
# fmt: off
_ANNEX_K = np.sort(np.array([
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55,
    14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92,
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
], np.float64))
# fmt: on

# How files begin that are often taken for one of these.
_FOREIGN = {
    b"ftypavif": "AVIF",
    b"ftypavis": "AVIF",
    b"ftyphei": "HEIC",
    b"ftypmif1": "HEIC",
    b"jP  ": "JPEG 2000",
}
# Below this a picture has neither a patch nor a crop worth enlarging.
MINIMUM_SIDE = 8
# Pillow refuses to open what has more: a small file may claim any number.
PILLOW_PIXELS = 89_478_485
# 256 bits: at 64 different scenes of one kind come too close to each other.
PHASH_SIDE = 16
THUMB_SIDE = 32
# Pictures flatter than this (standard deviation in grey levels) all have one perceptual hash.
FLAT = 2.0
_ORIENTATION = 0x0112


Thumb = bytes  # the record below has a field of the type's own name


@dataclass(frozen=True)
class Limits:
    """What is too large to be read: bytes of a file and pixels of a picture."""

    max_bytes: int = 200_000_000
    max_pixels: int = PILLOW_PIXELS


LIMITS = Limits()


@dataclass(frozen=True)
class Inspection:
    """What one file is: the facts of the table `images` that the file alone decides.

    Beside them `thumb`, which tells near duplicates apart: THUMB_SIDE x THUMB_SIDE grey levels
    row by row, a byte each; None where there is no perceptual hash.
    """

    image_id: str | None
    bytes: int
    width: int | None = None
    height: int | None = None
    format: str | None = None
    mode: str | None = None
    jpeg_quality: int | None = None
    has_exif: bool | None = None
    pixel_id: str | None = None
    phash: str | None = None
    thumb: Thumb | None = None
    status: str = "rejected"
    reason: str | None = None


def inspect(path: Path, limits: Limits = LIMITS) -> Inspection:
    """Hash a file and decode it fully; never raises for a bad file, but says why it is bad.

    Rejected are files that cannot be read or decoded or are none of FORMATS, animations, and
    pictures beyond `limits` or below 8 pixels a side. Other colour modes and depths, EXIF
    rotations, broken EXIF and colour profiles, a PNG's wrong checksums and missing end are used,
    with what was done or found recorded as the reason.

    Args:
        path: the file; links are followed.
        limits: size and header are looked at first; of what is beyond, nothing else is read.
    """
    try:
        with open_regular(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limits.max_bytes:
                return Inspection(None, size, reason=f"too large: {size} bytes, at most {limits.max_bytes}")
            header = _header(stream, limits)
            if header is not None:
                return replace(header, bytes=size)
            stream.seek(0)
            content = stream.read(size + 1)
    except OSError as error:
        return Inspection(None, 0, reason=f"unreadable: {error.strerror}")
    if len(content) > size:
        return Inspection(None, size, reason="unreadable: it grew while it was read")
    known = Inspection(hashlib.sha256(content).hexdigest(), len(content))
    if not content:
        return replace(known, reason="empty file")
    try:
        with _quietly(), Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return _inspect_open(image, known, content)
    except UnidentifiedImageError:  # its message holds a memory address
        return replace(known, reason=f"cannot be decoded: {_foreign(content)}")
    # A damaged file can fail anywhere in a decoder, and none may stop a scan of a million.
    except Exception as error:
        return replace(known, reason=f"cannot be decoded: {error or type(error).__name__}")


def _header(stream: BinaryIO, limits: Limits) -> Inspection | None:
    """Refuse a picture by what its header says, before it is read; None if nothing speaks against reading it."""
    try:
        with _quietly(), Image.open(stream, formats=FORMATS) as image:
            width, height, kind, mode = image.width, image.height, image.format, image.mode
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return Inspection(None, 0, reason=f"too many pixels: at most {limits.max_pixels}")
    except Exception:  # whatever a damaged header does to a reader: decoding tells it, with a hash of the file
        return None
    if width * height <= limits.max_pixels:
        return None
    why = f"too many pixels: {width} x {height}, at most {limits.max_pixels}"
    return Inspection(None, 0, width=width, height=height, format=kind, mode=mode, reason=why)


@contextmanager
def _quietly() -> Iterator[None]:
    """Broken EXIF and palettes warn of nothing: what matters is said in the reason. Too many pixels are an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _foreign(content: bytes) -> str:
    for mark, name in _FOREIGN.items():
        if content[4:].startswith(mark):
            return f"{name} is not read; expected one of {', '.join(FORMATS)}"
    return "no picture of a known format"


def _inspect_open(image: Image.Image, known: Inspection, content: bytes) -> Inspection:
    facts = replace(
        known,
        width=image.width,
        height=image.height,
        format=image.format,
        mode=image.mode,
        jpeg_quality=_jpeg_quality(image),
        has_exif=bool(image.info.get("exif")),
    )
    # MPO: a JPEG as phones take it, with a preview or a second view behind it.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        kind = "several pages" if image.format == "TIFF" else "animated"
        return replace(facts, reason=f"{kind}: a single picture is expected")
    if min(image.size) < MINIMUM_SIDE:
        return replace(facts, reason=f"too small: {image.width} x {image.height}, at least {MINIMUM_SIDE} a side")
    remarks = list(_conversions(image, content))
    turned = _orientation(image) if image.format == "TIFF" else None  # its decoder turns it, and forgets that it did
    pixels = to_rgb(image)
    # After decoding: looking for EXIF may make Pillow decode, and a damaged picture pass for one with broken EXIF.
    remarks += [*_metadata(image, _orientation(image) if turned is None else turned), *_damage(image.format, content)]
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    phash, thumb = _look(pixels)
    return replace(
        facts,
        width=pixels.shape[1],
        height=pixels.shape[0],
        has_exif=bool(image.info.get("exif")),
        pixel_id=digest.hexdigest(),
        phash=phash,
        thumb=thumb,
        status="used",
        reason="; ".join(remarks) or None,
    )


def _conversions(image: Image.Image, content: bytes) -> Iterator[str]:
    """What reading the picture as published loaders do leaves out or changes."""
    dropped = "alpha dropped" if image.has_transparency_data else ""
    high = "high byte kept" if image.mode.startswith("I") or _bits(image, content) == 16 else ""
    if image.mode != "RGB" or dropped or high:
        changes = [f"converted from {image.mode} to RGB" if image.mode != "RGB" else "", dropped, high]
        yield ", ".join(change for change in changes if change)
    if image.format == "MPO":
        yield f"first of {getattr(image, 'n_frames', 1)} pictures used"


def _orientation(image: Image.Image) -> int:
    """As EXIF says it, 1 if it says nothing; 0 if it cannot be read."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):  # pixels do not need it
        return 0


def _metadata(image: Image.Image, orientation: int) -> Iterator[str]:
    """What EXIF and colour profile would have changed."""
    if orientation == 0:
        yield "broken EXIF ignored"
    elif orientation != 1:
        yield f"EXIF orientation {orientation} {'' if image.format == 'TIFF' else 'not '}applied"
    profile = image.info.get("icc_profile")
    if profile:
        try:
            ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (OSError, ImageCms.PyCMSError):
            yield "broken ICC profile ignored"


def _damage(kind: str | None, content: bytes) -> Iterator[str]:
    """What a PNG's checksums and end say of its wholeness: Pillow does not ask, as it does for a JPEG's end."""
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


def _look(pixels: Pixels) -> tuple[str | None, Thumb | None]:
    """256-bit DCT hash, hex, and grey thumbnail; None for a flat picture, which looks like all other flat ones."""
    # Shrinking with a box first: the hash itself only looks at 64 x 64 pixels.
    small = Image.fromarray(pixels).convert("L").resize((128, 128), Image.Resampling.BOX)
    if np.asarray(small).std() < FLAT:
        return None, None
    thumb = small.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX)
    return str(imagehash.phash(small, hash_size=PHASH_SIDE)), thumb.tobytes()


def _jpeg_quality(image: Image.Image) -> int | None:
    """Nearest IJG quality of the luma quantisation table.

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
