"""Looking at one picture file: is it usable, what is in it, and what was it taken for?"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from nsnet.core.files import open_regular
from nsnet.corpus.images import FORMATS, to_rgb
from nsnet.corpus.traits import Thumb, conversions, damage, jpeg_quality, look, metadata, orientation

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

    Returns:
        What the file is, used or rejected with a reason; without an image_id where it was not read.
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
        jpeg_quality=jpeg_quality(image),
        has_exif=bool(image.info.get("exif")),
    )
    # MPO: a JPEG as phones take it, with a preview or a second view behind it.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        kind = "several pages" if image.format == "TIFF" else "animated"
        return replace(facts, reason=f"{kind}: a single picture is expected")
    if min(image.size) < MINIMUM_SIDE:
        return replace(facts, reason=f"too small: {image.width} x {image.height}, at least {MINIMUM_SIDE} a side")
    remarks = list(conversions(image, content))
    turned = orientation(image) if image.format == "TIFF" else None  # its decoder turns it, and forgets that it did
    pixels = to_rgb(image)
    # After decoding: looking for EXIF may make Pillow decode, and a damaged picture pass for one with broken EXIF.
    remarks += [*metadata(image, orientation(image) if turned is None else turned), *damage(image.format, content)]
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    phash, thumb = look(pixels)
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
