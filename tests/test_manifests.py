"""Manifests: files that say which picture plays which role."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from tests.trees import draw, read


def test_training_sets_without_a_name_are_their_suites(tmp_path: Path) -> None:
    for seed, suite in enumerate(("mine", "yours")):
        for label in (0, 1):
            draw(tmp_path / f"data/{suite}/train/x/{('0_real', '1_fake')[label]}/a.png", 2 * seed + label)
        (tmp_path / f"data/{suite}/manifest.csv").write_text(
            "path,label,split\ntrain/x/0_real/a.png,0,Train\ntrain/x/1_fake/a.png,1,training\n"
        )
    assert set(read(tmp_path / "data").samples["training_set"]) == {"mine", "yours"}


def test_manifest_gives_roles_captions_and_splits(tmp_path: Path) -> None:
    root = tmp_path / "own"
    draw(root / "x/a.png", 1)
    draw(root / "x/b.png", 2)
    draw(root / "x/unlisted.png", 3)
    (root / "manifest.csv").write_text(
        "path,label,generator,split,training_set,caption\n"
        "x/a.png,real,,train,one,a cat\nx/a.png,real,,train,two,a cat\n"
        "x/b.png,fake,sdxl,test,,\nx/gone.png,fake,sdxl,,,\n"
    )
    corpus = read(root)
    reasons = {
        path: (status, why) for path, status, why in corpus.images.select("path", "status", "reason").iter_rows()
    }
    assert reasons == {
        "x/a.png": ("used", None),
        "x/b.png": ("used", None),
        "x/gone.png": ("rejected", "unreadable: No such file or directory"),
        "x/unlisted.png": ("rejected", "not listed in the manifest"),
    }
    rows = corpus.samples.select("generator", "training_set", "caption", "caption_source").unique().sort("training_set")
    assert rows.rows() == [
        ("sdxl", None, None, None),
        ("real", "one", "a cat", "manifest"),
        ("real", "two", "a cat", "manifest"),
    ]


def test_manifest_names_sources_of_reals_and_clusters(tmp_path: Path) -> None:
    for seed, name in enumerate("abc"):
        draw(tmp_path / f"own/{name}.png", seed)
    (tmp_path / "own/manifest.csv").write_text(
        "path,label,source,cluster\na.png,real,COCO,\nb.png,fake,COCO,prompt 7\nc.png,fake,,\n"
    )
    rows = read(tmp_path / "own").samples.sort("label", "cluster", nulls_last=True)
    assert rows.select("label", "source", "cluster").rows() == [
        (0, "COCO", None),
        (1, None, "prompt 7"),
        (1, None, None),
    ]


def test_new_folders_beside_a_manifest_speak_for_themselves(tmp_path: Path) -> None:
    """A manifest at the top governs the folders it lists; others have one of their own, or a layout, or no role."""
    root = tmp_path / "data"
    names = (
        "lab/a.png",
        "lab/new.png",
        "top.png",
        "mine/0_real/b.png",
        "mine/1_fake/c.png",
        "yours/d.png",
        "rest/e.png",
    )
    for seed, name in enumerate(names):
        draw(root / name, seed)
    (root / "manifest.csv").write_text("path,label,suite\nlab/a.png,real,lab\n")
    (root / "yours/manifest.csv").write_text("path,label,generator\nd.png,fake,sdxl\n")
    (root / "lab/manifest.csv").write_text("path,label\nnew.png,fake\n")  # not read: the one at the top governs lab
    corpus = read(root)
    assert set(corpus.samples.select("suite", "generator", "label").iter_rows()) == {
        ("lab", "real", 0),
        ("data", "mine", 0),
        ("data", "mine", 1),
        ("yours", "sdxl", 1),
    }
    assert dict(corpus.images.filter(status="rejected").select("path", "reason").iter_rows()) == {
        "lab/new.png": "not listed in the manifest",
        "top.png": "not listed in the manifest",
        "rest/e.png": "not listed in the manifest, and the folders above it name no label",
    }


@pytest.mark.parametrize("name", ["manifest.csv", "manifest.jsonl", "manifest.parquet"])
def test_manifests_of_all_formats_in_a_suites_folder(tmp_path: Path, name: str) -> None:
    root = tmp_path / "data"
    draw(root / "own/a.png", 1)
    draw(root / "own/b.png", 2)
    rows = pl.DataFrame({"path": ["a.png", "b.png"], "label": ["0", "1"], "generator": [None, "sdxl"]})
    target = root / "own" / name
    if name.endswith("csv"):
        rows.write_csv(target)
    elif name.endswith("jsonl"):
        rows.write_ndjson(target)
    else:
        rows.write_parquet(target)
    samples = read(root).samples
    assert samples.select("suite", "generator", "label").rows() == [("own", "real", 0), ("own", "sdxl", 1)]


def test_manifest_faults_come_all_at_once(tmp_path: Path) -> None:
    root = tmp_path / "own"
    root.mkdir()
    (root / "manifest.csv").write_text("path,label,split\na.png,maybe,\n../b.png,real,\n/c.png,fake,tset\n")
    with pytest.raises(ValueError, match=r"(?s)4 fault.*line 2: label 'maybe'.*line 3: path.*line 4: path.*'tset'"):
        read(root)
    (root / "manifest.jsonl").write_text('{"path": "a.png", "label": "maybe"}\n')
    (root / "manifest.csv").unlink()
    with pytest.raises(ValueError, match="line 1: label 'maybe'"):
        read(root)
    (root / "manifest.csv").write_text("path,Label,generater,licence\na.png,real,x,y\n")
    with pytest.raises(ValueError, match="column 'generater' is not read; did you mean generator"):
        read(root)
    (root / "manifest.csv").write_text("name,kind\na.png,real\n")
    with pytest.raises(ValueError, match="expected columns path"):
        read(root)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("manifest.csv", b""),
        ("manifest.csv", "path,label\ncaf\xe9.png,real\n".encode("latin-1")),
        ("manifest.csv", b"path,label\na.png,real,more,and more\n"),
        ("manifest.jsonl", b'{"path": "a.png", "label"\n'),
        ("manifest.jsonl", b'{"path": ["a.png"], "label": "0"}\n'),
        ("manifest.parquet", b"PAR1"),
    ],
)
def test_manifests_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    draw(tmp_path / "a.png", 1)
    with pytest.raises(ValueError, match=f"{name} cannot be read: "):
        read(tmp_path)


def test_columns_that_begin_late_are_read(tmp_path: Path) -> None:
    rows = [f'{{"path": "{seed}.png", "label": "1"}}' for seed in range(130)]
    rows.append('{"path": "0.png", "label": "1", "generator": "late"}')
    (tmp_path / "manifest.jsonl").write_text("\n".join(rows))
    draw(tmp_path / "0.png", 1)
    assert set(read(tmp_path).samples["generator"]) == {"fake", "late"}
