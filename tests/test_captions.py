"""Captions: from one origin, never giving the label away; BLIP resumable and the same in any batch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from nsnet.core.device import one_thread
from nsnet.core.parquet import SHARDS
from nsnet.core.provenance import file_sha256
from nsnet.corpus.images import Pixels, decode_rgb
from nsnet.semantics.captions import blip_captions, caption_images, load_blip, model_id
from nsnet.semantics.settings import CaptionSource
from tests.blip import WORDS, make_blip

TEMPLATE = "a photo of a {}"
Row = tuple[str, str | None, int, str | None, str | None, str | None]


def samples(*rows: Row, split: str = "train") -> pl.DataFrame:
    """Rows of image_id, training_set, label, caption, caption_source, class_name."""
    names = ("image_id", "training_set", "label", "caption", "caption_source", "class_name")
    schema = {name: pl.Int8() if name == "label" else pl.String() for name in names}
    return pl.DataFrame(list(rows), schema=schema, orient="row").with_columns(pl.lit(split).alias("split"))


def full() -> pl.DataFrame:
    """Every image has a caption and a class; `b` has two roles."""
    return samples(
        ("c", "one", 1, "a cat", "prompt", "cat"),
        ("a", "one", 0, "a polar bear", "prompt", "polar_bear"),
        ("b", "one", 0, "a dog", None, "dog"),
        ("d", "one", 1, "a dog", None, "dog"),
        ("b", "two", 0, None, None, None),
        ("d", "two", 1, "a dog", None, "dog"),
    )


def without(frame: pl.DataFrame, column: str, *image_ids: str) -> pl.DataFrame:
    kept = ~pl.col("image_id").is_in(image_ids)
    return frame.with_columns(pl.when(kept).then(pl.col(column)).alias(column))


def fake_blip(image_ids: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"image_id": image_ids, "caption": "seen", "caption_source": "blip:0"})


def test_without_a_source_there_are_no_captions() -> None:
    assert caption_images(full(), "none", TEMPLATE, None).rows() == []
    assert caption_images(full(), "none", TEMPLATE, None).columns == ["image_id", "caption", "caption_source"]


def test_dataset_captions_keep_their_source() -> None:
    other = samples(("z", "one", 0, "not trained on", "prompt", None), split="test")
    for source in ("auto", "dataset"):
        found = caption_images(pl.concat([full(), other]), source, TEMPLATE, fake_blip)  # type: ignore[arg-type]
        assert found.columns == ["image_id", "caption", "caption_source"]
        assert found.rows() == [
            ("a", "a polar bear", "prompt"),
            ("b", "a dog", "dataset"),
            ("c", "a cat", "prompt"),
            ("d", "a dog", "dataset"),
        ]


def test_roles_that_disagree_give_the_same_caption_in_any_order() -> None:
    rows = samples(("a", "one", 0, "x", "s", None), ("a", "two", 0, "y", "s", None), ("b", "one", 1, "z", "s", None))
    found = caption_images(rows, "dataset", TEMPLATE, None)
    assert found.equals(caption_images(rows.reverse(), "dataset", TEMPLATE, None))
    assert found["caption"].to_list() == ["x", "z"]


def test_templates_name_the_class() -> None:
    found = caption_images(full(), "template", TEMPLATE, None)
    assert found["caption"].to_list() == [f"a photo of a {name}" for name in ("polar bear", "dog", "cat", "dog")]
    assert set(found["caption_source"]) == {"template"}


def test_auto_takes_blip_then_templates() -> None:
    gap = without(full(), "caption", "c")
    assert caption_images(gap, "auto", TEMPLATE, fake_blip).equals(fake_blip(["a", "b", "c", "d"]))
    assert set(caption_images(gap, "auto", TEMPLATE, None)["caption_source"]) == {"template"}
    assert caption_images(full(), "blip", TEMPLATE, fake_blip).equals(fake_blip(["a", "b", "c", "d"]))


def refusal(frame: pl.DataFrame, source: CaptionSource, template: str = TEMPLATE) -> str:
    with pytest.raises(ValueError, match="without giving the label away") as caught:
        caption_images(frame, source, template, None)
    assert "captions.source: blip" in str(caught.value)
    return str(caught.value)


def test_captions_for_one_class_only_are_refused() -> None:
    text = refusal(without(full(), "caption", "a", "b"), "dataset")
    assert "training set one: reals: 0 with a caption, 2 without; fakes: 2 with a caption, 0 without" in text
    assert "training set two: reals: 0 with a caption, 1 without; fakes: 1 with a caption, 0 without" in text


@pytest.mark.parametrize("blank", [None, "", "  "])
def test_a_single_gap_is_refused(blank: str | None) -> None:
    frame = full().with_columns(
        pl.when(pl.col("image_id") == "c").then(pl.lit(blank)).otherwise("caption").alias("caption")
    )
    text = refusal(frame, "dataset")
    assert "training set one: reals: 2 with a caption, 0 without; fakes: 1 with a caption, 1 without" in text
    assert "training set two" not in text


def test_gaps_in_both_classes_and_classes_for_one_only_are_refused() -> None:
    assert "reals: 0 with a caption, 2 without; fakes: 0" in refusal(without(full(), "caption", *"abcd"), "dataset")
    assert "reals: 0 with a class name, 2 without; fakes: 2" in refusal(
        without(full(), "class_name", *"ab"), "template"
    )


def test_a_source_that_gives_the_label_away_is_refused() -> None:
    told = pl.when(pl.col("label") == 1).then(pl.lit("prompt")).otherwise(pl.lit("alt text")).alias("caption_source")
    text = refusal(full().with_columns(told), "dataset")
    for name in ("one", "two"):
        assert f"training set {name}: reals have captions from alt text, but fakes from prompt" in text
    mixed = pl.when(pl.col("image_id") == "c").then(pl.lit("prompt")).otherwise(pl.lit("alt text"))
    assert "reals have captions from alt text, but fakes from alt text, prompt" in refusal(
        full().with_columns(mixed.alias("caption_source")), "dataset"
    )


def test_all_faults_come_at_once() -> None:
    frame = without(without(full(), "caption", "a"), "class_name", "d").with_columns(
        pl.when(pl.col("training_set") == "one").then(pl.col("training_set")).alias("training_set")
    )
    text = refusal(frame, "auto")
    assert "dataset: training set one: reals: 1 with a caption, 1 without" in text
    assert "dataset: training set one: reals have captions from dataset, but fakes from dataset, prompt" in text
    assert "blip: captions.model names no folder" in text
    assert "template: training set one: reals: 2 with a class name, 0 without; fakes: 1 with" in text
    assert "template: training set without a name: reals: 1 with a class name" in text
    assert "captions.model names no folder" in refusal(full(), "blip")
    for template in ("a photo", "{} and {}"):
        assert repr(template) in refusal(full(), "template", template)


@pytest.fixture(scope="module")
def blip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_blip(tmp_path_factory.mktemp("models") / "blip", seed=0)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    found = {}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        path = folder / f"{seed}.png"
        coarse = rng.integers(0, 255, (3, 4, 3), dtype=np.uint8)  # three rows: channels first or last?
        Image.fromarray(coarse if seed == 0 else coarse.repeat(9 + seed, 0).repeat(10, 1)).save(path)
        found[file_sha256(path)] = path
    return found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each call of a model got."""
    calls: list[int] = []

    def load(folder: Path, device: str, batch: int) -> Callable[[list[Pixels]], list[str]]:
        describe = load_blip(folder, device, batch)

        def counted(pictures: list[Pixels]) -> list[str]:
            calls.append(len(pictures))
            return describe(pictures)

        return counted

    monkeypatch.setattr("nsnet.semantics.captions.load_blip", load)
    return calls


def run(cache: Path, images: dict[str, Path], folder: Path, batch: int = 3) -> pl.DataFrame:
    """Caption with one thread, which is faster for so small a model."""
    with one_thread():
        return blip_captions(cache, images, folder, "cpu", batch, lambda count: None)


def contents(cache: Path) -> list[bytes]:
    """Every shard's bytes, which its name is the hash of."""
    files = sorted(cache.glob("*/*"))
    digits = [file_sha256(path)[:16] for path in files]
    shards = [path.name[0] for path in files]
    assert [path.name for path in files] == [
        f"{shard}-{digit}.parquet" for shard, digit in zip(shards, digits, strict=True)
    ]
    assert sorted(set(shards)) == shards and set(shards) <= set(SHARDS)
    return [path.read_bytes() for path in files]


def test_a_caption_does_not_depend_on_its_batch(tmp_path: Path, images: dict[str, Path], blip: Path) -> None:
    alone, together = (run(tmp_path / str(batch), images, blip, batch) for batch in (1, 3))
    assert alone.equals(together) and contents(tmp_path / "1") == contents(tmp_path / "3")
    assert alone["image_id"].to_list() == sorted(images)
    assert set(alone["caption_source"]) == {f"blip:{model_id(blip)}"}
    assert alone["caption"].n_unique() > 5, "the test would pass if the picture did not matter"
    words = {word for caption in alone["caption"] for word in caption.split()}
    assert len(words) > 5 and words <= set(WORDS)
    assert len({len(caption.split()) for caption in alone["caption"]}) > 2


def test_known_pictures_are_not_captioned_again(
    tmp_path: Path, images: dict[str, Path], blip: Path, seen: list[int]
) -> None:
    items = list(images.items())
    run(tmp_path / "grown", dict(items[:6]), blip)
    assert seen == [3, 3]
    whole = run(tmp_path / "grown", images, blip)
    assert seen == [3, 3, 3, 1]
    assert run(tmp_path / "grown", images, blip).equals(whole) and len(seen) == 4
    run(tmp_path / "whole", images, blip)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    few = run(tmp_path / "whole", dict(items[:6]), blip)
    assert few["image_id"].to_list() == sorted(dict(items[:6])) and len(seen) == 8
    assert run(tmp_path / "whole", images, blip).equals(whole) and len(seen) == 8, "captions not asked for are kept"


def test_an_interrupted_run_goes_on_where_it_was(
    tmp_path: Path, images: dict[str, Path], blip: Path, seen: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(content: bytes) -> Pixels:
        if content == images[sorted(images)[5]].read_bytes():
            raise KeyboardInterrupt
        return decode_rgb(content)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("nsnet.semantics.captions.decode_rgb", broken)
        run(tmp_path / "a", images, blip)
    assert seen == [3], "the second batch is lost, the first is kept"
    resumed = run(tmp_path / "a", images, blip)
    assert seen == [3, 3, 3, 1]
    assert resumed.equals(run(tmp_path / "b", images, blip))
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_another_model_shares_nothing(tmp_path: Path, images: dict[str, Path], blip: Path, seen: list[int]) -> None:
    few = dict(list(images.items())[:3])
    other = make_blip(tmp_path / "other", seed=1)
    assert model_id(other) != model_id(blip)
    before, after = run(tmp_path / "cache", few, blip), run(tmp_path / "cache", few, other)
    assert seen == [3, 3] and before["caption"].to_list() != after["caption"].to_list()
    assert {path.name for path in (tmp_path / "cache").iterdir()} == {model_id(blip), model_id(other)}
    assert run(tmp_path / "cache", few, blip).equals(before) and seen == [3, 3], "the first model's are still there"


def test_a_damaged_shard_is_named_and_made_anew(
    tmp_path: Path, images: dict[str, Path], blip: Path, seen: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    whole = run(tmp_path, images, blip)
    before = contents(tmp_path)
    shard = sorted(tmp_path.glob("*/*.parquet"))[0]
    rows = pl.read_parquet(shard).with_columns(caption=pl.lit("a lie"))
    rows.write_parquet(shard)  # a whole Parquet file: only its hash tells
    seen.clear()
    assert run(tmp_path, images, blip).equals(whole)
    assert sum(seen) == rows.height
    assert f"{shard} is damaged: set aside as damaged-{shard.name}" in capsys.readouterr().err
    shard.with_name(f"damaged-{shard.name}").unlink()
    assert contents(tmp_path) == before


def test_pictures_that_changed_are_named_after_the_others_are_captioned(
    tmp_path: Path, images: dict[str, Path], blip: Path, seen: list[int]
) -> None:
    first, second = sorted(images)[:2]
    swapped = {**images, first: images[second], second: images[first]}
    with pytest.raises(ValueError, match=r"(?s)2 picture\(s\) changed since they were ingested.*\.png.*\.png"):
        run(tmp_path, swapped, blip)
    assert sum(seen) == len(images) - 2
    run(tmp_path, images, blip)
    assert sum(seen) == len(images)
