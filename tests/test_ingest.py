"""Ingest: layouts, bad files, and the account of every file."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nsnet.images import inspect
from nsnet.ingest import ingest
from nsnet.stages.corpus import account


def draw(path: Path, seed: int, size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            ["progan/car/0_real/a.png", "progan/car/1_fake/b.png", "progan/cat/1_fake/c.png", "sd/1_fake/d.png"],
            {("progan", 0, "progan"), ("progan", 1, "progan"), ("sd", 1, "sd")},
        ),
        (["0_real/a.png", "1_fake/b.png"], {("real", 0, "real"), ("1_fake", 1, "real")}),
        (
            ["real/coco/a.png", "real/kodak/b.png", "fake/flux/c.png", "fake/sdxl/d.v1.png"],
            {("real", 0, "real"), ("flux", 1, "real"), ("sdxl", 1, "real")},
        ),
        (["train/adm/1_fake/a.png", "val/adm/0_real/b.png"], {("adm", 1, "adm"), ("adm", 0, "adm")}),
    ],
)
def test_layouts(tmp_path: Path, tree: list[str], expected: set[tuple[str, int, str]]) -> None:
    for seed, name in enumerate(tree):
        draw(tmp_path / name, seed)
    images, samples = ingest(tmp_path, "suite")
    assert images.height == samples.height == len(tree)
    assert set(samples.select("generator", "label", "real_pool").iter_rows()) == expected
    if tree[0].startswith("train"):
        assert set(samples["split"]) == {"train", "validation"}


def test_manifest_gives_roles_captions_and_splits(tmp_path: Path) -> None:
    draw(tmp_path / "x/a.png", 1)
    draw(tmp_path / "x/b.png", 2)
    draw(tmp_path / "x/unlisted.png", 3)
    (tmp_path / "manifest.csv").write_text(
        "path,label,generator,split,training_set,caption\n"
        "x/a.png,real,,train,one,a cat\nx/a.png,real,,train,two,a cat\n"
        "x/b.png,fake,sdxl,test,,\nx/gone.png,fake,sdxl,,,\n"
    )
    images, samples = ingest(tmp_path, "suite")
    assert images.height == 4
    assert samples.select("generator", "split", "training_set", "caption", "caption_source").rows() == [
        ("sdxl", "test", None, None, None),
        ("real", "train", "one", "a cat", "manifest"),
        ("real", "train", "two", "a cat", "manifest"),
    ]
    gone = images.filter(path="x/gone.png")
    assert (gone["status"][0], gone["reason"][0]) == ("rejected", "unreadable: No such file or directory")


def test_manifest_faults_come_all_at_once(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,label\na.png,maybe\n../b.png,real\n/c.png,fake\n")
    with pytest.raises(ValueError, match=r"(?s)3 fault.*line 2: label 'maybe'.*line 3: path.*line 4: path"):
        ingest(tmp_path, "suite")
    (tmp_path / "manifest.csv").write_text("name,kind\na.png,real\n")
    with pytest.raises(ValueError, match="expected columns path"):
        ingest(tmp_path, "suite")


def test_unknown_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        ingest(tmp_path / "none", "suite")
    with pytest.raises(ValueError, match="no pictures found"):
        ingest(tmp_path, "suite")
    draw(tmp_path / "holiday/a.png", 1)
    with pytest.raises(ValueError, match="no folder above it names a label"):
        ingest(tmp_path, "suite")


def test_every_bad_file_is_accounted_for(tmp_path: Path) -> None:
    good = draw(tmp_path / "real/a/good.jpg", 1, quality=83)
    (tmp_path / "real/a/copy.jpg").write_bytes(good.read_bytes())
    (tmp_path / "real/a/cut.jpg").write_bytes(good.read_bytes()[:600])
    (tmp_path / "real/a/empty.png").write_bytes(b"")
    (tmp_path / "real/a/text.png").write_text("not a picture")
    (tmp_path / "real/a/dangling.png").symlink_to("nowhere.png")
    draw(tmp_path / "fake/g/cmyk.jpg", 2, mode="CMYK")
    draw(tmp_path / "fake/g/palette.png", 3, mode="P")
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "fake/g/moving.gif", save_all=True, append_images=frames[1:])
    images, samples = ingest(tmp_path, "suite")
    facts = {path: (status, reason) for path, status, reason in images.select("path", "status", "reason").iter_rows()}
    assert {path for path, (status, _) in facts.items() if status == "used"} == {
        "fake/g/cmyk.jpg",
        "fake/g/palette.png",
        "real/a/copy.jpg",
    }
    assert facts["real/a/good.jpg"] == ("rejected", "duplicate of real/a/copy.jpg")
    assert facts["fake/g/cmyk.jpg"][1] == "converted from CMYK to RGB"
    assert facts["real/a/empty.png"][1] == "empty file"
    for name, reason in (
        ("cut.jpg", "cannot be decoded"),
        ("text.png", "cannot be decoded"),
        ("dangling.png", "unreadable"),
    ):
        assert str(facts[f"real/a/{name}"][1]).startswith(reason)
    assert str(facts["fake/g/moving.gif"][1]).startswith("animated")
    assert images.filter(path="real/a/copy.jpg")["jpeg_quality"][0] == 83
    assert samples.height == 3
    assert "9 images in = 3 used + 6 rejected" in account(images, samples)


def test_decompression_bomb_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    found = inspect(draw(tmp_path / "bomb.png", 1))
    assert (found.status, found.reason) == ("rejected", "decompression bomb: more pixels than Pillow's safe limit")


@pytest.mark.parametrize("quality", [10, 50, 75, 96])
def test_jpeg_quality_is_read_back(tmp_path: Path, quality: int) -> None:
    assert inspect(draw(tmp_path / "a.jpg", 1, quality=quality)).jpeg_quality == quality


def test_workers_do_not_change_the_tables(tmp_path: Path) -> None:
    for seed in range(6):
        draw(tmp_path / f"real/r/{seed}.png", seed)
    one, two = ingest(tmp_path, "suite", 1), ingest(tmp_path, "suite", 2)
    buffers = [[io.BytesIO() for _ in range(2)] for _ in range(2)]
    for frames, targets in zip((one, two), buffers, strict=True):
        for frame, target in zip(frames, targets, strict=True):
            frame.write_parquet(target)
    assert [b.getvalue() for b in buffers[0]] == [b.getvalue() for b in buffers[1]]
