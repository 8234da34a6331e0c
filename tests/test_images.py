"""Bad and odd picture files: used with a recorded conversion, or rejected with a reason; never a crash."""

from __future__ import annotations

import os
import resource
import struct
import zlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, UnidentifiedImageError

from nsnet.corpus.account import account
from nsnet.corpus.images import decode_rgb
from nsnet.corpus.ingest import ingest
from nsnet.corpus.inspection import Inspection, Limits, inspect
from tests.trees import draw


def truncated(path: Path) -> None:
    draw(path, 1)
    path.write_bytes(path.read_bytes()[:900])


def moving(path: Path) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("red", "blue")]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def sixteen_bit(path: Path) -> None:
    Image.fromarray(np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16)).save(path)


def see_through(path: Path) -> None:
    image = Image.open(draw(path, 2)).convert("P")
    image.save(path, transparency=bytes(range(256)))


def rotated(path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    draw(path, 3, exif=exif)


def broken_exif(path: Path) -> None:
    draw(path, 11, exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff")


def sixteen_bit_colour(path: Path) -> None:
    """An RGB PNG of sixteen bits a channel, which Pillow reads but cannot write."""
    pixels = np.random.default_rng(12).integers(0, 65536, (20, 30, 3)).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    path.write_bytes(png(struct.pack(">IIBBBBB", 30, 20, 16, 2, 0, 0, 0), zlib.compress(rows)))


def phone(path: Path) -> None:
    """A JPEG with a second picture behind it, as phones save it."""
    first, second = (Image.open(draw(path.with_name(f"{seed}.jpg"), seed)) for seed in (13, 14))
    first.save(path, format="MPO", save_all=True, append_images=[second])
    for seed in (13, 14):
        path.with_name(f"{seed}.jpg").unlink()


def png(header: bytes, body: bytes) -> bytes:
    chunks = [(b"IHDR", header), (b"IDAT", body), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def late_exif(path: Path) -> None:
    """A PNG whose EXIF lies behind its pixels."""
    exif = Image.Exif()
    exif[0x0112] = 6
    body = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    content = draw(path, 21).read_bytes()
    path.write_bytes(content[:-12] + chunk + content[-12:])


def bomb(path: Path) -> None:
    """A valid PNG of 40,000 x 40,000 pixels in a few kilobytes."""
    side = 40_000
    body = zlib.compress(bytes(side // 8 + 1) * 100)
    path.write_bytes(png(struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0), body))


def damaged_png(path: Path) -> None:
    """One wrong byte in the compressed data."""
    content = bytearray(draw(path, 17).read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def odd_checksum(path: Path) -> None:
    """Wrong where no decoder looks: the checksum of a PNG's pixels."""
    content = bytearray(draw(path, 18).read_bytes())
    content[-13] ^= 0xFF  # before the end chunk's twelve bytes
    path.write_bytes(content)


def without_end(path: Path, size: int) -> None:
    """The last bytes are gone: a JPEG's end marker or a PNG's end chunk."""
    path.write_bytes(draw(path, 19).read_bytes()[:-size])


def other_format(path: Path, kind: str) -> None:
    """A format that Pillow reads and nsnet does not, under a picture's usual name."""
    image = Image.open(draw(path, 20))
    image.load()
    image.save(path, format=kind)


FILES: dict[str, tuple[Callable[[Path], object], str, str | None]] = {
    "truncated.jpg": (truncated, "rejected", "cannot be decoded"),
    "zero.png": (lambda path: path.write_bytes(b""), "rejected", "empty file"),
    "text.png": (lambda path: path.write_text("not a picture"), "rejected", "cannot be decoded"),
    "cmyk.jpg": (lambda path: draw(path, 4, mode="CMYK"), "used", "converted from CMYK to RGB"),
    "sixteen.png": (sixteen_bit, "used", "converted from I;16 to RGB, high byte kept"),
    "palette.png": (see_through, "used", "converted from P to RGB, alpha dropped"),
    "rgba.png": (lambda path: draw(path, 5, mode="RGBA"), "used", "converted from RGBA to RGB, alpha dropped"),
    "moving.gif": (moving, "rejected", "animated"),
    "moving.webp": (moving, "rejected", "animated"),
    "rotated.jpg": (rotated, "used", "EXIF orientation 6 not applied"),
    "exif.jpg": (broken_exif, "used", None),
    "dot.png": (lambda path: draw(path, 6, (1, 1)), "rejected", "too small: 1 x 1, at least 8 a side"),
    "bomb.png": (bomb, "rejected", "too many pixels: "),
    "panorama.jpg": (lambda path: draw(path, 7, (20_000, 60)), "used", None),
    "icc.png": (lambda path: draw(path, 8, icc_profile=b"no profile"), "used", "broken ICC profile ignored"),
    "srgb.png": (lambda path: draw(path, 9, icc_profile=_srgb()), "used", None),
    "dangling.png": (lambda path: path.symlink_to("nowhere.png"), "rejected", "unreadable: No such file"),
    "pipe.png": (os.mkfifo, "rejected", "unreadable: not a regular file"),
    "deep.png": (sixteen_bit_colour, "used", "high byte kept"),
    "key.png": (lambda path: draw(path, 12, transparency=(0, 0, 0)), "used", "alpha dropped"),
    "turned.tif": (rotated, "used", "EXIF orientation 6 applied"),
    "exif.png": (lambda path: draw(path, 15, exif=b"no EXIF at all"), "used", "broken EXIF ignored"),
    "exif.webp": (lambda path: draw(path, 16, exif=b"no EXIF at all"), "used", "broken EXIF ignored"),
    "phone.jpg": (phone, "used", "first of 2 pictures used"),
    "pages.tif": (moving, "rejected", "several pages"),
    "circle.png": (lambda path: path.symlink_to(path.name), "rejected", "unreadable: Too many levels"),
    "below.png": (lambda path: path.symlink_to("folder.png/inner.png/x.png"), "rejected", "unreadable: "),
    "damaged.png": (damaged_png, "rejected", "cannot be decoded"),
    "checksum.png": (odd_checksum, "used", "wrong checksum of chunk IDAT: may be damaged"),
    "endless.jpg": (partial(without_end, size=2), "rejected", "cannot be decoded: "),
    "endless.png": (partial(without_end, size=12), "used", "no end chunk: may be truncated"),
    "avif.jpg": (partial(other_format, kind="AVIF"), "rejected", "cannot be decoded: AVIF is not read; expected"),
    "j2k.png": (partial(other_format, kind="JPEG2000"), "rejected", "cannot be decoded: JPEG 2000 is not read"),
    "ppm.png": (partial(other_format, kind="PPM"), "rejected", "cannot be decoded: no picture of a known format"),
    "tga.png": (partial(other_format, kind="TGA"), "rejected", "cannot be decoded: no picture of a known format"),
    "late.png": (late_exif, "used", "EXIF orientation 6 not applied"),
    "folder.png/inner.png": (lambda path: draw(path, 10), "used", None),
}


def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("name", list(FILES))
def test_odd_file(tmp_path: Path, name: str) -> None:
    make, status, reason = FILES[name]
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    make(path)
    found = inspect(path)
    assert found.status == status
    assert (found.reason is None) if reason is None else str(found.reason).startswith(reason), found.reason
    if status == "used":
        pixels = decode_rgb(path.read_bytes())
        assert pixels.dtype == np.uint8 and pixels.shape == (found.height, found.width, 3)


def test_every_odd_file_is_in_the_account(tmp_path: Path) -> None:
    root = tmp_path / "odd"
    for label in ("0_real", "1_fake"):
        draw(root / label / "good.jpg", len(label) + ord(label[0]))
    for name, (make, _, _) in FILES.items():
        path = root / "1_fake" / name
        path.parent.mkdir(exist_ok=True)
        make(path)
    latin = os.fsencode(root / "1_fake") + b"/caf\xe9.png"
    Path(os.fsdecode(latin)).write_bytes((root / "1_fake/good.jpg").read_bytes())
    corpus = ingest(root, tmp_path / "index.parquet")
    used = {name for name, (_, status, _) in FILES.items() if status == "used"}
    assert corpus.images.height == len(FILES) + 3
    assert set(corpus.images.filter(status="used")["path"]) == {f"1_fake/{name}" for name in used} | {
        "0_real/good.jpg",
        "1_fake/good.jpg",
    }
    assert corpus.images.filter(status="rejected")["reason"].null_count() == 0
    badly_named = corpus.images.filter(path="1_fake/caf\\xe9.png")
    assert badly_named["reason"].to_list() == ["file name is not UTF-8: rename the file"]
    total = len(FILES) + 3
    assert f"{total} images in = {len(used) + 2} used + {total - len(used) - 2} rejected" in account(corpus)


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
def test_fuzzed_files_are_used_or_rejected_and_what_is_used_decodes(
    tmp_path: Path, rng: np.random.Generator, suffix: str
) -> None:
    whole = draw(tmp_path / f"whole.{suffix}", 21).read_bytes()
    files = []
    for number in range(60):
        content = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
        files.append(tmp_path / f"{number}.{suffix}")
        files[-1].write_bytes(content)
    found = [inspect(file) for file in files]
    assert {one.status for one in found} <= {"used", "rejected"}
    assert all(one.reason for one in found if one.status == "rejected")
    used = [file for file, one in zip(files, found, strict=True) if one.status == "used"]
    assert used or suffix == "png"  # unpacking fails at nearly any flip; the other formats decode most
    for file in used:
        assert decode_rgb(file.read_bytes()).shape[2] == 3


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
def test_files_cut_in_half_are_rejected(tmp_path: Path, suffix: str) -> None:
    file = draw(tmp_path / f"cut.{suffix}", 22)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    cut = inspect(file)
    assert cut.status == "rejected" and "cannot be decoded" in str(cut.reason)


def test_unreadable_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: whoever may read everything, as root may, cannot make a file that refuses."""

    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    path = draw(tmp_path / "a.png", 1)
    monkeypatch.setattr("nsnet.corpus.inspection.open_regular", refuse)
    assert inspect(path) == Inspection(None, 0, reason="unreadable: Permission denied")


def test_large_files_and_pictures_are_refused_unread(tmp_path: Path) -> None:
    """Six gigabytes that take no space on disk: reading them would take more memory than there is."""
    path = tmp_path / "sparse.png"
    path.write_bytes(draw(tmp_path / "a.png", 1).read_bytes())
    os.truncate(path, 6_000_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = inspect(path)
    assert found == Inspection(None, 6_000_000_000, reason="too large: 6000000000 bytes, at most 200000000")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kilobytes
    small = inspect(tmp_path / "a.png", Limits(max_pixels=150 * 140 - 1))
    assert (small.image_id, small.width, small.format) == (None, 150, "PNG")
    assert small.reason == "too many pixels: 150 x 140, at most 20999"


def test_pixels_of_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", 1)
    assert (decode_rgb(path.read_bytes()) == np.asarray(Image.open(path).convert("RGB"))).all()
    other_format(tmp_path / "b.png", "TGA")
    with pytest.raises(UnidentifiedImageError):
        decode_rgb((tmp_path / "b.png").read_bytes())


def test_sixteen_bits_keep_their_high_byte(tmp_path: Path) -> None:
    path = tmp_path / "sixteen.png"
    sixteen_bit(path)
    expected = (np.linspace(0, 65535, 1600).reshape(40, 40).astype(np.uint16) // 256).astype(np.uint8)
    assert (decode_rgb(path.read_bytes()) == expected[..., None]).all()


@pytest.mark.parametrize("quality", [10, 50, 75, 96])
def test_jpeg_quality_is_read_back(tmp_path: Path, quality: int) -> None:
    assert inspect(draw(tmp_path / "a.jpg", 1, quality=quality)).jpeg_quality == quality


def test_pixel_id_sees_pixels_and_shape_only(tmp_path: Path) -> None:
    png = inspect(draw(tmp_path / "a.png", 1))
    with Image.open(tmp_path / "a.png") as image:
        image.save(tmp_path / "b.bmp")
    other = inspect(tmp_path / "b.bmp")
    assert png.image_id != other.image_id and png.pixel_id == other.pixel_id
    Image.new("RGB", (10, 40), "red").save(tmp_path / "tall.png")
    Image.new("RGB", (40, 10), "red").save(tmp_path / "wide.png")
    assert inspect(tmp_path / "tall.png").pixel_id != inspect(tmp_path / "wide.png").pixel_id
    assert inspect(tmp_path / "tall.png").phash is None  # flat
