"""One image counts once: duplicates are found, counted and, where they leak, refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from PIL import Image

from nsnet.corpus.account import account
from nsnet.corpus.duplicates import NEAR, detail, find_duplicates, similarity
from nsnet.corpus.ingest import Corpus, ingest
from nsnet.corpus.inspection import inspect
from tests.conftest import REALSET
from tests.trees import draw


def resaved(source: Path, target: Path, size: float = 1, **options: Any) -> Path:
    """The same picture in another file, resized by a factor."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Image.open(source) as image:
        image.convert("RGB").resize((round(image.width * size), round(image.height * size))).save(target, **options)
    return target


def read(root: Path, allow: list[str] | None = None) -> Corpus:
    return ingest(root, root.parent / "index.parquet", "own", 1, allow)


def test_bytes_pixels_and_near(tmp_path: Path) -> None:
    root = tmp_path / "own"
    one = draw(root / "1_fake/a.png", 1)
    (root / "1_fake/b.png").write_bytes(one.read_bytes())
    resaved(one, root / "1_fake/c.bmp")
    resaved(one, root / "1_fake/d.jpg", quality=60)
    resaved(one, root / "1_fake/e.png", 0.5)
    draw(root / "0_real/other.png", 2)
    corpus = read(root)
    pairs = corpus.duplicates.select("path", "original", "kind").rows()
    assert pairs == [
        ("1_fake/b.png", "1_fake/a.png", "bytes"),
        ("1_fake/c.bmp", "1_fake/a.png", "pixels"),
        ("1_fake/d.jpg", "1_fake/a.png", "near"),
        ("1_fake/e.png", "1_fake/a.png", "near"),
        ("1_fake/e.png", "1_fake/d.jpg", "near"),
    ]
    reasons = dict(corpus.images.select("path", "reason").iter_rows())
    assert reasons["1_fake/b.png"] == "duplicate of 1_fake/a.png (same bytes)"
    assert reasons["1_fake/c.bmp"] == "duplicate of 1_fake/a.png (same pixels)"
    # Near ones are told, not dropped: whether they are one picture is for people to say.
    assert corpus.samples.height == 4


def test_banded_search_equals_a_loop_over_all_pairs() -> None:
    random = np.random.default_rng(5)
    bits = random.integers(0, 2, (62, 256), dtype=np.uint8)
    for i in range(0, 60, 2):  # partners at every distance around the threshold
        bits[i + 1] = bits[i]
        bits[i + 1, random.permutation(256)[: i // 2]] ^= 1
    bits[61] = 1 - bits[60]  # as far apart as two that share a band can be
    bits[61, 43:64] = bits[60, 43:64]
    hashes = [np.packbits(row).tobytes().hex() for row in bits]
    images = pl.DataFrame(
        {"path": [f"{i:02d}" for i in range(62)], "image_id": hashes, "pixel_id": hashes, "phash": hashes}
    ).with_columns(status=pl.lit("used"))
    alike = pl.DataFrame({"path": images["path"], "thumb": [random.bytes(1024)] * 62})
    expected = sorted(
        (f"{b:02d}", f"{a:02d}", int((bits[a] != bits[b]).sum()))
        for a, b in itertools.combinations(range(62), 2)
        if 0 < (bits[a] != bits[b]).sum() <= NEAR
    )
    found = find_duplicates(images, lambda paths: alike.filter(pl.col("path").is_in(paths))).filter(kind="near")
    assert found.select("path", "original", "distance").rows() == expected
    assert len(expected) == NEAR


def copied(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source.read_bytes())


def test_no_permission_makes_a_picture_real_and_fake(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for seed, label in enumerate(("0_real", "1_fake")):
        draw(root / f"g/{label}/a.png", seed)
    copied(root / "g/1_fake/a.png", root / "g/0_real/b.png")
    for allow in ([], ["own/g"]):
        with pytest.raises(ValueError, match="own/g: 1 real and fake at once"):
            read(root, allow)


def test_validation_may_not_repeat_the_training_pictures(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for seed in range(4):
        draw(root / f"train/x/{('0_real', '1_fake')[seed % 2]}/{seed}.png", seed)
    for label in ("0_real", "1_fake"):
        copied(root / f"train/x/{label}/{int(label[0])}.png", root / f"val/x/{label}/copy.png")
    with pytest.raises(ValueError, match=r"own/x: 2 in train and validation"):
        read(root)
    assert read(root, ["own/x"]).samples.height == 6


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_pictures_of_the_caption_pool_are_in_no_other_split(tmp_path: Path, split: str) -> None:
    """Neither the same file nor, as a JPEG of it, a near one."""
    root = tmp_path / "own"
    for seed in range(4):
        draw(root / f"train/x/{'0_real' if seed % 2 else '1_fake'}/{seed}.png", seed)
        draw(root / f"semantics/pool/0_real/{seed}.png", 10 + seed)
    assert read(root).samples.filter(pl.col("training_set").is_null(), split="semantics", label=0).height == 4
    pool = root / "semantics/pool/0_real"
    copied(pool / "0.png", root / f"{split}/y/0_real/copy.png")
    resaved(pool / "1.png", root / f"{split}/z/0_real/near.jpg", quality=70)
    found = r"(?s)2 kind\(s\) of leakage.*own/y: 1 equal to a picture of the caption pool.*own/z: 1 near to"
    with pytest.raises(ValueError, match=found):
        read(root)


def test_train_pictures_in_the_test_split_stop_the_run(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for seed in range(6):
        split = "train" if seed < 4 else "test"
        draw(root / f"{split}/x/{'0_real' if seed % 2 else '1_fake'}/{seed}.png", seed)
    copy = root / "test/y/1_fake/copy.png"
    copy.parent.mkdir(parents=True)
    copy.write_bytes((root / "train/x/1_fake/2.png").read_bytes())
    resaved(root / "train/x/0_real/3.png", root / "test/z/0_real/near.jpg", quality=70)
    with pytest.raises(ValueError, match=r"(?s)2 kind\(s\) of leakage.*own/y: 1 equal to a.*own/z: 1 near to a"):
        read(root)
    with pytest.raises(ValueError, match=r"1 kind\(s\) of leakage"):
        read(root, ["own/y"])
    assert read(root, ["own/y", "own/z"]).samples.filter(split="test").height == 4
    with pytest.raises(ValueError, match=r"unknown name in corpus\.allow_leakage 'own/q'.*did you mean own/"):
        read(root, ["own/q"])


def test_one_picture_with_both_labels_stops_the_run(tmp_path: Path) -> None:
    root = tmp_path / "own"
    draw(root / "0_real/a.png", 1)
    draw(root / "0_real/b.png", 2)
    resaved(root / "0_real/a.png", root / "1_fake/c.bmp")
    with pytest.raises(ValueError, match=r"own/1_fake: 1 real and fake at once, e\.g\. 0_real/a\.png"):
        read(root)


def test_similarity_is_the_correlation_of_what_blocks_hide(tmp_path: Path) -> None:
    thumbs = [inspect(draw(tmp_path / f"{seed}.png", seed)).thumb for seed in range(2)]
    parts = []
    for thumb in thumbs:
        grey = np.array(list(thumb or b""), np.float64).reshape(32, 32)
        for top, left in itertools.product(range(0, 32, 4), repeat=2):
            block = grey[top : top + 4, left : left + 4]
            block -= np.mean(block)
        parts.append(grey.ravel())
    one, two = (detail(thumb or b"") for thumb in thumbs)
    # 1e-12: float64, 1,024 terms
    assert similarity(one, two) == pytest.approx(np.asarray(np.corrcoef(parts))[0, 1], abs=1e-12)
    assert similarity(one, one) == 1.0
    blocks = np.arange(64, dtype=np.uint8).reshape(8, 8).repeat(4, 0).repeat(4, 1)
    assert similarity(one, detail(blocks.tobytes())) is None, "without detail there is nothing to compare"


def test_hashes_alone_are_no_leak(tmp_path: Path) -> None:
    """Two pictures coarsely alike, as two of one prompt are: in training and test they are told, and stop nothing."""
    root = tmp_path / "own"
    rng = np.random.default_rng(0)

    def fine() -> npt.NDArray[np.float64]:
        detail = rng.normal(0, 1, (8, 4, 8, 4))
        return (detail - detail.mean((1, 3), keepdims=True)).reshape(32, 32).repeat(8, 0).repeat(8, 1)

    shared = rng.integers(40, 210, (8, 8)).repeat(32, 0).repeat(32, 1) + 3 * fine()
    for name in ("train/x/1_fake/a.png", "test/x/1_fake/b.png"):
        (root / name).parent.mkdir(parents=True)
        Image.fromarray((shared + 2 * fine()).clip(0, 255).astype(np.uint8)).save(root / name)
    draw(root / "train/x/0_real/c.png", 1)
    draw(root / "test/x/0_real/d.png", 2)
    corpus = read(root)
    (pair,) = corpus.duplicates.iter_rows(named=True)
    assert pair["kind"] == "near" and not pair["confirmed"] and 0 < pair["distance"] <= NEAR
    assert pair["similarity"] == pytest.approx(9 / 13, abs=0.05)  # the shared part's power; 768 free numbers: s.d. 0.02
    assert "1 pairs of near hashes whose detail differs" in account(corpus)
    resaved(root / "train/x/1_fake/a.png", root / "test/x/1_fake/e.jpg", 0.5, quality=90)
    with pytest.raises(ValueError, match=r"own/x: 1 near to a training picture, e\.g\. test/x/1_fake/e\.jpg"):
        read(root)


@pytest.mark.skipif(not REALSET.exists(), reason="the real pictures are not part of the project")
def test_near_threshold_on_real_pictures(tmp_path: Path) -> None:
    """Re-saved, halved and doubled copies are near and confirmed, the 147 different pictures neither."""
    files = sorted(path for path in REALSET.rglob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"))
    rows = []
    for i, path in enumerate(files):
        copies = [path]
        if i % 7 == 0:
            copies += [
                resaved(path, tmp_path / f"{i}.jpg", quality=50),
                resaved(path, tmp_path / f"{i}.png", 0.5),
                resaved(path, tmp_path / f"{i}-2.png", 2),
            ]
        rows += [{"path": f"{i}-{n}", **vars(inspect(copy))} for n, copy in enumerate(copies)]
    images = pl.DataFrame(rows, infer_schema_length=None)
    pairs = find_duplicates(images, lambda paths: images.filter(pl.col("path").is_in(paths)).select("path", "thumb"))
    near = {tuple(sorted((a.split("-")[0], b.split("-")[0]))) for a, b in pairs.select("path", "original").iter_rows()}
    assert near == {(str(i), str(i)) for i in range(0, len(files), 7)}
    assert pairs.height == 6 * len(near) and pairs["confirmed"].all()
