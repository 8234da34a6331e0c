"""Ingest: the account of every file, samples, training sets and what they have seen."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from nsnet.corpus.account import account
from nsnet.corpus.ingest import ingest
from tests.trees import TREES, draw, read


def test_reals_beside_two_training_generators_stay_on_one_side(tmp_path: Path) -> None:
    for seed in range(12):
        for name in ("one", "two"):
            draw(tmp_path / f"own/train/{name}/0_real/{seed}.png", seed)
            draw(tmp_path / f"own/train/{name}/1_fake/{seed}.png", 100 + seed + 50 * (name == "two"))
    samples = read(tmp_path / "own").samples.filter(label=0)
    sides = samples.group_by("image_id").agg(pl.col("split").n_unique())
    assert sides.height == 12 and set(sides["split"]) == {1}
    assert samples.filter(split="validation")["image_id"].n_unique() == 2


def test_in_domain_depends_on_the_training_set(tmp_path: Path) -> None:
    TREES["aigibench"](tmp_path / "AIGIBench")
    fakes = read(tmp_path / "AIGIBench").samples.filter(split="test", label=1)
    seen = {name: set(sets) for name, sets in fakes.select("generator", "in_domain_for").iter_rows()}
    assert {"setting-i", "setting-ii"} <= seen["progan"]
    assert seen["sdxl"] == set()


def test_another_training_generator_takes_the_registered_ones_place(tmp_path: Path) -> None:
    """A lab trained on copy_move has not seen bilinear_decoder, whatever the registry says of the shipped one."""
    root = tmp_path / "lab"
    rows = ["path,suite,label,generator,split,training_set"]
    for seed, (maker, split) in enumerate(
        [("copy_move", "train"), ("copy_move", "test"), ("bilinear_decoder", "test"), ("", "train"), ("", "test")]
    ):
        draw(root / f"{seed}.png", seed)
        rows.append(f"{seed}.png,lab,{int(bool(maker))},{maker},{split},{'biased' if split == 'train' else ''}")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")
    fakes = read(root).samples.filter(split="test", label=1)
    seen = dict(fakes.select("generator", "in_domain_for").iter_rows())
    assert seen == {"copy_move": ["biased"], "bilinear_decoder": ["unbiased"]}


def test_several_suites_side_by_side_share_pictures_and_count_them_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for seed in range(3):
        for label in ("0_real", "1_fake"):
            first = draw(data / f"forensynths/progan/cat/{label}/{seed}.png", seed + 10 * (label == "1_fake"))
            copy = data / f"aigibench/test/ProGAN/{label}/other{seed}.png"
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(first.read_bytes())
    corpus = read(data)
    assert corpus.images["status"].value_counts().sort("status").rows() == [("rejected", 6), ("used", 6)]
    both = corpus.samples.group_by("suite").agg(pl.col("image_id").sort())
    assert both.height == 2 and both["image_id"][0].to_list() == both["image_id"][1].to_list()
    assert corpus.duplicates["kind"].to_list() == ["bytes"] * 6
    assert corpus.duplicates["across_suites"].all() and not corpus.duplicates["across_labels"].any()


def test_trees_without_a_usable_picture_are_told(tmp_path: Path) -> None:
    for name in ("0_real/a.png", "1_fake/b.png"):
        (tmp_path / "own" / name).parent.mkdir(parents=True)
        (tmp_path / "own" / name).write_bytes(b"")
    with pytest.raises(ValueError, match=r"(?s)none of the 2 files in .* can be used:.*2 x empty file"):
        read(tmp_path / "own")


def test_unknown_layout_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        read(tmp_path / "nowhere")
    root = tmp_path / "own"
    root.mkdir()
    with pytest.raises(ValueError, match="no pictures found"):
        read(root)
    for number in range(5):
        draw(root / f"cats/{number}.png", 1 + number)
    told = (
        r"5 pictures lie in .*own, but none with a label, e\.g\. cats/0\.png: .*; expected .*folders 0_real and 1_fake"
    )
    with pytest.raises(ValueError, match=told):
        read(root)
    (root / "more.zip").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"5 pictures lie.*1 archives want unpacking first"):
        read(root)
    (root / "more.zip").unlink()
    # Beside pictures with a role, one without is rejected and named.
    draw(root / "0_real/b.png", 9)
    images = read(root).images
    assert images.filter(path="cats/0.png")["reason"][0] == "the folders above it name no label"


def test_links_are_followed_and_archives_told(tmp_path: Path) -> None:
    root = tmp_path / "own"
    outside = draw(tmp_path / "elsewhere/a.png", 1)
    draw(root / "1_fake/b.png", 2)
    (root / "0_real").symlink_to(outside.parent)
    (root / "1_fake/again").symlink_to(root)  # a circle
    (root / "1_fake/more.zip").write_bytes(b"PK\x03\x04")
    (root / "notes.txt").write_text("about")
    corpus = read(root)
    assert corpus.samples["label"].to_list() == [1, 0]
    assert "archive: unpack it" in corpus.images.filter(path="1_fake/more.zip")["reason"][0]
    assert corpus.others == {".txt": 1}
    told = account(corpus)
    assert "3 images in = 2 used + 1 rejected" in told and "left alone, no pictures: .txt 1" in told


@pytest.mark.parametrize("split", ["train", "val"])
def test_missing_validation_is_drawn_from_training(tmp_path: Path, split: str) -> None:
    for seed in range(24):
        draw(tmp_path / f"own/train/x/{'0_real' if seed % 2 else '1_fake'}/{seed}.png", seed)
    draw(tmp_path / f"own/{split}/x/0_real/own.png", 100)
    draw(tmp_path / f"own/{split}/x/1_fake/own.png", 101)
    counts = read(tmp_path / "own").samples.group_by("split", "label").len().sort("split", "label").rows()
    if split == "train":  # 13 of each label: the first and the eleventh
        assert counts == [("train", 0, 11), ("train", 1, 11), ("validation", 0, 2), ("validation", 1, 2)]
    else:
        assert counts == [("train", 0, 12), ("train", 1, 12), ("validation", 0, 1), ("validation", 1, 1)]


def test_workers_do_not_change_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsnet.corpus.scan.CHUNK", 4)  # few files would not be worth a second process
    for seed in range(6):
        draw(tmp_path / f"own/real/r/{seed}.png", seed)
    found = []
    for workers in (1, 2):
        corpus = ingest(tmp_path / "own", tmp_path / f"{workers}.parquet", None, workers)
        buffers = [io.BytesIO() for _ in range(3)]
        for frame, buffer in zip((corpus.images, corpus.samples, corpus.duplicates), buffers, strict=True):
            frame.write_parquet(buffer)
        found.append([buffer.getvalue() for buffer in buffers])
    assert found[0] == found[1]
