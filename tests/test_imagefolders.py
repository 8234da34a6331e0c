"""Imagefolders: metadata files and class folders, as `datasets` reads them, with or without splits."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.trees import draw, read

COLUMNS = ["split", "generator", "label", "caption", "caption_source", "suite", "training_set"]


def write(file: Path, rows: list[dict[str, object]]) -> None:
    frame = pl.DataFrame(rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".csv":
        frame.write_csv(file)
    elif file.suffix == ".jsonl":
        frame.write_ndjson(file)
    else:
        frame.write_parquet(file)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_metadata_beside_pictures_is_a_manifest(tmp_path: Path, suffix: str) -> None:
    root = tmp_path / "own"
    for seed, name in enumerate(("a.png", "b.png", "inner/c.png", "unlisted.png")):
        draw(root / name, seed)
    write(root / f"metadata.{suffix}", [
        {"file_name": "a.png", "label": 0, "text": "a cat", "generator": ""},
        {"file_name": "b.png", "label": 1, "text": "a dog", "generator": "sdxl"},
        {"file_name": "inner/c.png", "label": 1, "text": "a cow", "generator": "sdxl"},
    ])  # fmt: skip
    corpus = read(root)
    assert corpus.samples.select(COLUMNS).sort("caption").rows() == [
        ("test", "real", 0, "a cat", "manifest", "own", None),
        ("test", "sdxl", 1, "a cow", "manifest", "own", None),
        ("test", "sdxl", 1, "a dog", "manifest", "own", None),
    ]
    rejected = corpus.images.filter(status="rejected").select("path", "reason").rows()
    assert rejected == [("unlisted.png", "not listed in the manifest")]


def test_each_split_may_have_its_metadata(tmp_path: Path) -> None:
    root = tmp_path / "own"
    for number, split in enumerate(("train", "validation", "test")):
        rows: list[dict[str, object]] = []
        for label in (0, 1):
            draw(root / split / f"{label}.png", 2 * number + label)
            rows.append({"file_name": f"{label}.png", "label": ("real", "fake")[label]})
        write(root / split / "metadata.jsonl", rows)
    samples = read(root).samples
    assert samples.select("split", "label", "suite", "training_set").sort("split", "label").rows() == [
        ("test", 0, "own", None), ("test", 1, "own", None),
        ("train", 0, "own", "own"), ("train", 1, "own", "own"),
        ("validation", 0, "own", "own"), ("validation", 1, "own", "own"),
    ]  # fmt: skip


def test_class_folders_are_labels_with_and_without_captions(tmp_path: Path) -> None:
    root = tmp_path / "own"
    rows: list[dict[str, object]] = []
    for number, split in enumerate(("train", "test")):
        for label, name in enumerate(("real", "fake")):
            draw(root / split / name / "a.png", 2 * number + label)
            rows.append({"file_name": f"{split}/{name}/a.png", "text": f"{split} {name}", "split": split})
    bare = read(root).samples
    assert bare.select("split", "label").sort(pl.all()).rows() == [("test", 0), ("test", 1), ("train", 0), ("train", 1)]
    write(root / "metadata.csv", rows)
    told = read(root).samples
    assert told.select("split", "label").sort(pl.all()).rows() == bare.select("split", "label").sort(pl.all()).rows()
    assert set(told["caption"]) == {"train real", "train fake", "test real", "test fake"}


def test_faults_come_all_at_once(tmp_path: Path) -> None:
    root = tmp_path / "own"
    draw(root / "real/a.png", 1)
    write(root / "metadata.csv", [{"file_name": "real/a.png"}, {"file_name": "b.png"}, {"file_name": "../fake/c.png"}])
    with pytest.raises(
        ValueError, match=r"(?s)2 fault\(s\).*line 3: label \'\'; expected.*line 4: path .*must lie below"
    ):
        read(root)
    write(root / "metadata.csv", [{"file_name": "real/a.png", "label": "cat"}])
    with pytest.raises(ValueError, match="line 2: label 'cat'; expected one of 0_real"):
        read(root)


def test_a_metadata_file_about_something_else_is_left_alone(tmp_path: Path) -> None:
    root = tmp_path / "own"
    draw(root / "0_real/a.png", 1)
    draw(root / "1_fake/b.png", 2)
    write(root / "metadata.csv", [{"camera": "x"}])
    assert read(root).samples.height == 2
    (root / "metadata.csv").unlink()
    (root / "metadata.parquet").write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"metadata\.parquet cannot be read"):
        read(root)
