"""Ingest: layouts, manifests, and the account of every file."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl
import pytest

from nsnet.ingest import Corpus, ingest
from nsnet.stages.corpus import account
from tests.trees import TREES, draw


def read(root: Path, suite: str | None = None, workers: int = 1, allow: list[str] | None = None) -> Corpus:
    return ingest(root, root.parent / f"{root.name}.index.parquet", suite, workers, allow)


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
    from nsnet.suites import suite

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


def test_reals_beside_two_training_generators_stay_on_one_side(tmp_path: Path) -> None:
    for seed in range(12):
        for name in ("one", "two"):
            draw(tmp_path / f"own/train/{name}/0_real/{seed}.png", seed)
            draw(tmp_path / f"own/train/{name}/1_fake/{seed}.png", 100 + seed + 50 * (name == "two"))
    samples = read(tmp_path / "own").samples.filter(label=0)
    sides = samples.group_by("image_id").agg(pl.col("split").n_unique())
    assert sides.height == 12 and set(sides["split"]) == {1}
    assert samples.filter(split="validation")["image_id"].n_unique() == 2


def test_suites_side_by_side_under_names_of_their_own(tmp_path: Path) -> None:
    TREES["forensynths"](tmp_path / "data/CNN_synth_testset")
    TREES["aigibench"](tmp_path / "data/new one")
    for label in ("0_real", "1_fake"):
        draw(tmp_path / f"data/mine/{label}/a.png", len(label) + ord(label[0]))
    samples = read(tmp_path / "data").samples
    makers = samples.filter(split="test", label=1).group_by("suite").agg(pl.col("generator").n_unique())
    assert dict(makers.iter_rows()) == {"forensynths": 13, "aigibench": 25, "data": 1}


def test_training_sets_without_a_name_are_their_suites(tmp_path: Path) -> None:
    for seed, suite in enumerate(("mine", "yours")):
        for label in (0, 1):
            draw(tmp_path / f"data/{suite}/train/x/{('0_real', '1_fake')[label]}/a.png", 2 * seed + label)
        (tmp_path / f"data/{suite}/manifest.csv").write_text(
            "path,label,split\ntrain/x/0_real/a.png,0,Train\ntrain/x/1_fake/a.png,1,training\n"
        )
    assert set(read(tmp_path / "data").samples["training_set"]) == {"mine", "yours"}


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
    draw(root / "cats/a.png", 1)
    with pytest.raises(ValueError, match="folders 0_real and 1_fake"):
        read(root)
    # Beside pictures with a role, one without is rejected and named.
    draw(root / "0_real/b.png", 2)
    images = read(root).images
    assert images.filter(path="cats/a.png")["reason"][0] == "the folders above it name no label"


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
    monkeypatch.setattr("nsnet.scan.CHUNK", 4)  # few files would not be worth a second process
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
