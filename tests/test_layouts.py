"""Layouts: suites, splits, labels and generators, found from the names of folders."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from nsnet.suites import suite
from tests.trees import TREES, draw, read


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (
            ["zoo/car/0_real/a.png", "zoo/car/1_fake/b.png", "zoo/cat/1_fake/c.png", "sd/1_fake/d.png"],
            {("zoo", 0, "zoo", "car"), ("zoo", 1, "zoo", "car"), ("zoo", 1, "zoo", "cat"), ("sd", 1, "sd", None)},
        ),
        (["0_real/a.png", "1_fake/b.png"], {("real", 0, "real", None), ("1_fake", 1, "real", None)}),
        (
            ["real/coco/a.png", "real/kodak/b.png", "fake/flux/c.png", "fake/sdxl-x/d.v1.png"],
            {("real", 0, "real", None), ("flux", 1, "real", None), ("sdxl-x", 1, "real", None)},
        ),
        (
            ["gen/0_real/1/a.png", "gen/1_fake/0/b.png", "gen/1_fake/nature/c.png"],  # shards and classes, no labels
            {("gen", 0, "gen", "1"), ("gen", 1, "gen", "0"), ("gen", 1, "gen", "nature")},
        ),
        (["Train/x/1_FAKE/a.PNG", "VAL/x/0_Real/ü ñ.png"], {("x", 1, "x", None), ("x", 0, "x", None)}),
    ],
)
def test_layouts_of_unregistered_folders(
    tmp_path: Path, tree: list[str], expected: set[tuple[str, int, str, str | None]]
) -> None:
    for seed, name in enumerate(tree):
        draw(tmp_path / "own" / name, seed)
    corpus = read(tmp_path / "own")
    assert corpus.images.height == corpus.samples.height == len(tree)
    assert set(corpus.samples.select("generator", "label", "real_pool", "class_name").iter_rows()) == expected
    assert corpus.samples["suite"].unique().to_list() == ["own"]
    if tree[0].startswith("Train"):
        assert set(corpus.samples["split"]) == {"train", "validation"}


@pytest.mark.parametrize("name", list(TREES))
def test_published_layouts_are_recognised_from_the_tree(tmp_path: Path, name: str) -> None:
    # Chameleon's folders name nothing: only its own name tells what it is.
    root = tmp_path / ("Chameleon" if name == "chameleon" else "download")
    TREES[name](root)
    corpus = read(root)
    test = corpus.samples.filter(split="test")
    fakes = test.filter(label=1)
    assert corpus.samples["suite"].unique().to_list() == [name]
    assert set(fakes["generator"]) == set(suite(name).generators)
    assert dict(fakes.select("generator", "family").iter_rows()) == {
        key: generator.family for key, generator in suite(name).generators.items()
    }
    # Every fake has reals to be told from, and every picture drawn is in the account.
    assert set(fakes["real_pool"]) <= set(test.filter(label=0)["real_pool"])
    assert corpus.images.filter(status="used").height == len(list(root.rglob("*.v1.*")))
    training = {key for key in suite(name).training_sets if name != "universalfakedetect"}
    assert set(corpus.samples["training_set"].drop_nulls()) == training
    for training_set in training:
        rows = corpus.samples.filter(training_set=training_set).unique(["split", "label"])
        assert rows.height == 4, "train and validation hold both labels"


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (["real/train/a.png", "fake/test/b.png"], {("train", "real"), ("test", "fake")}),
        (["training/0_real/a.png", "testing/1_fake/b.png"], {("train", "real"), ("test", "1_fake")}),
        (["valid/x/0_real/a.png", "x/testing/1_fake/b.png"], {("validation", "x"), ("test", "x")}),
    ],
)
def test_splits_above_and_below_the_label(tmp_path: Path, tree: list[str], expected: set[tuple[str, str]]) -> None:
    for seed, name in enumerate(tree):
        draw(tmp_path / "own" / name, seed)
    assert set(read(tmp_path / "own").samples.select("split", "generator").iter_rows()) == expected


def test_contradicting_labels_are_rejected(tmp_path: Path) -> None:
    for seed, name in enumerate(("0_real/a.png", "0_real/x/1_fake/b.png", "1_fake/c.png")):
        draw(tmp_path / "own" / name, seed)
    images = read(tmp_path / "own").images
    assert images.filter(status="rejected").select("path", "reason").rows() == [
        ("0_real/x/1_fake/b.png", "the folders above it name both labels")
    ]


@pytest.mark.parametrize("name", ["GenImage", "genimage", "GENIMAGE"])
def test_a_suite_is_known_by_any_spelling(tmp_path: Path, name: str) -> None:
    TREES["genimage"](tmp_path / "download")
    corpus = read(tmp_path / "download", name)
    assert set(corpus.samples["suite"]) == {"genimage"} and "sdv1_4" in set(corpus.samples["generator"])
    with pytest.raises(ValueError, match="unknown suite 'genimag'; did you mean genimage"):
        read(tmp_path / "download", "genimag")


def test_pools_with_label_folders_inside_are_found(tmp_path: Path) -> None:
    root = tmp_path / "universalfakedetect/diffusion_datasets"
    names = ("laion/0_real", "imagenet/0_real", "dalle/1_fake", "guided/1_fake")
    for seed, name in enumerate(names):
        draw(root / name / "a.png", seed)
    found = read(root.parent).samples.select("generator", "label", "real_pool").rows()
    assert set(found) == {
        *(("laion", 0, "laion"), ("imagenet", 0, "imagenet")),
        *(("dalle", 1, "laion"), ("guided", 1, "imagenet")),
    }


def test_one_known_name_does_not_make_a_suite(tmp_path: Path) -> None:
    for seed, name in enumerate(("midjourney/0_real", "midjourney/1_fake", "mygen/0_real", "mygen/1_fake")):
        draw(tmp_path / "bench" / name / "a.png", seed)
    assert set(read(tmp_path / "bench").samples["suite"]) == {"bench"}
    for seed, name in enumerate(("real", "fake/SDXL", "fake/SD3", "fake/Imagen3")):
        draw(tmp_path / "own" / name / "a.png", seed)
    assert set(read(tmp_path / "own").samples["suite"]) == {"own"}


@pytest.mark.parametrize("name", ["forensynths", "aigcdetectbenchmark", "universalfakedetect"])
def test_what_no_layout_reads_says_nothing_of_the_suite(tmp_path: Path, name: str) -> None:
    TREES[name](tmp_path / "downloads")
    for seed in range(8):
        draw(tmp_path / f"downloads/cache/id{seed}/a.png", 900 + seed)
    (tmp_path / "downloads/zips").mkdir()
    (tmp_path / "downloads/zips/a.zip").write_bytes(b"PK")
    corpus = read(tmp_path / "downloads")
    assert set(corpus.samples["suite"]) == {name}
    assert corpus.images["reason"].drop_nulls().len() == 9


def test_half_a_suite_is_recognised(tmp_path: Path) -> None:
    for seed, name in enumerate(("imagenet", "guided")):
        draw(tmp_path / f"downloads/diffusion_datasets/{name}/a.png", seed)
    rows = read(tmp_path / "downloads").samples.select("suite", "generator", "real_pool").rows()
    assert rows == [("universalfakedetect", name, "imagenet") for name in ("guided", "imagenet")]


@pytest.mark.parametrize(
    ("root", "inner", "suite", "expected"),
    [
        ("biggan", ("0_real", "1_fake"), "forensynths", ("biggan", "test")),
        ("wukong", ("val/nature", "val/ai"), "genimage", ("wukong", "test")),
        ("train", ("car/0_real", "car/1_fake"), "aigibench", ("progan", "train")),
    ],
)
def test_a_suites_inner_folder_as_the_tree(
    tmp_path: Path, root: str, inner: tuple[str, str], suite: str, expected: tuple[str, str]
) -> None:
    for seed, name in enumerate(inner):
        draw(tmp_path / root / name / "a.png", seed)
    fakes = read(tmp_path / root, suite).samples.filter(label=1)
    assert set(fakes.select("generator", "split").iter_rows()) == {expected}


def test_suites_side_by_side_under_names_of_their_own(tmp_path: Path) -> None:
    TREES["forensynths"](tmp_path / "data/CNN_synth_testset")
    TREES["aigibench"](tmp_path / "data/new one")
    for label in ("0_real", "1_fake"):
        draw(tmp_path / f"data/mine/{label}/a.png", len(label) + ord(label[0]))
    samples = read(tmp_path / "data").samples
    makers = samples.filter(split="test", label=1).group_by("suite").agg(pl.col("generator").n_unique())
    assert dict(makers.iter_rows()) == {"forensynths": 13, "aigibench": 25, "data": 1}


def test_repackaged_domains_share_one_pool(tmp_path: Path) -> None:
    """UniversalFakeDetect as repackaged: each domain has a copy of the reals it shares with six others."""
    root = tmp_path / "universalfakedetect"
    for number, domain in enumerate(("dalle", "ldm_100")):
        for seed in range(3):
            draw(root / domain / f"0_real/{seed}.png", seed)
            draw(root / domain / f"1_fake/{seed}.png", 10 + 3 * number + seed)
    corpus = read(root)
    reals = corpus.samples.filter(label=0)
    assert set(corpus.samples["real_pool"]) == {"laion"} and reals.height == reals["image_id"].n_unique() == 3
