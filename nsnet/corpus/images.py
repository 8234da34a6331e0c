"""Reading picture files: what is in them, and their pixels."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.TiffImagePlugin import TiffImageFile

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


# Below this a picture has neither a patch nor a crop worth enlarging.
MINIMUM_SIDE = 8
# 256 bits: at 64 different scenes of one kind come too close to each other.
PHASH_SIDE = 16
# Pictures flatter than this (standard deviation in grey levels) all have one perceptual hash.
FLAT = 2.0
_ORIENTATION = 0x0112


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
    has_exif: bool | None = None
    pixel_id: str | None = None
    phash: str | None = None
    status: str = "rejected"
    reason: str | None = None


def inspect(path: Path) -> Inspection:
    """Hash a file and decode it fully; never raises for a bad file, but says why it is bad.

    Rejected are files that cannot be read or decoded, animations, pictures beyond Pillow's
    decompression-bomb limit and below 8 pixels a side. Other colour modes and depths, EXIF
    rotations, broken EXIF and colour profiles are used, with what was done recorded as the
    reason.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # reading a pipe would wait for ever
            return Inspection(None, 0, reason="unreadable: not a regular file")
        content = path.read_bytes()
    except OSError as error:
        return Inspection(None, 0, reason=f"unreadable: {error.strerror}")
    known = Inspection(hashlib.sha256(content).hexdigest(), len(content))
    if not content:
        return replace(known, reason="empty file")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # broken EXIF and palettes: what matters is said in the reason
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content)) as image:
                return _inspect_open(image, known, content)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return replace(known, reason="decompression bomb: more pixels than Pillow's safe limit")
    except UnidentifiedImageError:  # its message holds a memory address
        return replace(known, reason="cannot be decoded: no picture of a known format")
    # A damaged file can fail anywhere in a decoder, and none may stop a scan of a million.
    except Exception as error:
        return replace(known, reason=f"cannot be decoded: {error or type(error).__name__}")


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
    conversions = list(_conversions(image, content))  # before decoding, which turns a TIFF and forgets that it did
    pixels = _to_rgb(image)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return replace(
        facts,
        width=pixels.shape[1],
        height=pixels.shape[0],
        pixel_id=digest.hexdigest(),
        phash=_perceptual_hash(pixels),
        status="used",
        reason="; ".join(conversions) or None,
    )


def load_rgb(path: Path) -> Pixels:
    """Decode to uint8 (H, W, 3) RGB at native size.

    As published loaders do: alpha is dropped, EXIF orientation is not applied (but to TIFF, by
    the decoder), colour profiles are ignored. Sixteen-bit grey keeps its high byte, as other
    sixteen-bit modes do (Pillow alone would clip it).
    """
    return decode_rgb(path.read_bytes())


def decode_rgb(content: bytes) -> Pixels:
    """As `load_rgb`, of a file's bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # `inspect` has recorded what they say
        with Image.open(io.BytesIO(content)) as image:
            return _to_rgb(image)


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = (np.clip(np.asarray(image).astype(np.int64), 0, 65535) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(image.convert("RGB"))


def _conversions(image: Image.Image, content: bytes) -> Iterator[str]:
    """What reading the picture as published loaders do leaves out or changes."""
    dropped = "alpha dropped" if image.has_transparency_data else ""
    high = "high byte kept" if image.mode.startswith("I") or _bits(image, content) == 16 else ""
    if image.mode != "RGB" or dropped or high:
        changes = [f"converted from {image.mode} to RGB" if image.mode != "RGB" else "", dropped, high]
        yield ", ".join(change for change in changes if change)
    if image.format == "MPO":
        yield f"first of {getattr(image, 'n_frames', 1)} pictures used"
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except (OSError, SyntaxError, ValueError, KeyError, IndexError, TypeError, struct.error):  # pixels do not need it
        yield "broken EXIF ignored"
    else:
        if orientation != 1:
            yield f"EXIF orientation {orientation} {'' if image.format == 'TIFF' else 'not '}applied"
    profile = image.info.get("icc_profile")
    if profile:
        try:
            ImageCms.ImageCmsProfile(io.BytesIO(profile))
        except (OSError, ImageCms.PyCMSError):
            yield "broken ICC profile ignored"


def _bits(image: Image.Image, content: bytes) -> int:
    """Bits a channel, as the file says: Pillow reads sixteen as eight without a word."""
    if image.format == "PNG":
        return content[24]  # the ninth byte of the header, which is the first chunk
    samples = image.tag_v2.get(258) if isinstance(image, TiffImageFile) else None
    return max(samples) if samples else 8


def _perceptual_hash(pixels: Pixels) -> str | None:
    """256-bit DCT hash, hex; None for a flat picture, which looks like every other flat one."""
    # Shrinking with a box first: the hash itself only looks at 64 x 64 pixels.
    small = Image.fromarray(pixels).convert("L").resize((128, 128), Image.Resampling.BOX)
    if np.asarray(small).std() < FLAT:
        return None
    return str(imagehash.phash(small, hash_size=PHASH_SIDE))


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
