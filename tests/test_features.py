"""The feature store is a cache: whatever its history, the out is what was asked for, in the same bytes."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest

from nsnet.corpus.images import decode_rgb
from nsnet.features import extraction, gather, merge, plan
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN, apply
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import Counts
from nsnet.features.jobs import Request
from nsnet.features.matrices import FeatureReader
from nsnet.features.pictures import Key
from nsnet.features.prune import delete, stale_paths
from nsnet.features.requests import keys_of
from nsnet.features.views import make_view
from nsnet.params import Params
from tests.stores import BATCH, GENERATORS, JPEG, KEYS, Extraction, make_corpus, request_for


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def request_of(corpus: Path) -> Request:
    return request_for(corpus)


@pytest.fixture(params=["plan in memory", "plan on disk, recorded passes"])
def update(
    request: pytest.FixtureRequest, tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> Extraction:
    """Both ways of extraction, that for few and that for many pictures, go through all of this file."""
    if "disk" in request.param:
        monkeypatch.setattr(extraction, "FEW", 0)
        monkeypatch.setattr(extraction, "WORTH", 1)
        monkeypatch.setattr(plan, "GATHERED", 1)  # noted while further jobs are read from the same database
    return Extraction(tmp_path, backbone)


def test_rows_are_what_the_tower_makes_of_each_view(
    tmp_path: Path, request_of: Request, update: Extraction, backbone: Backbone
) -> None:
    """Training pictures under the training condition, test pictures under the test conditions, each by itself."""
    request = replace(request_of, test=[JPEG], keys=(*KEYS, Key("mosaic", 1)))
    assert update(request) == Counts(wanted=37, computed=37)
    found = pl.read_parquet(tmp_path / "store-out/features.parquet")
    assert found.equals(found.sort("image_id", "condition", "view", "draw")) and found.height == 37 * 4
    assert found.schema["feature"] == pl.Array(pl.Float32, 128)
    samples = pl.read_parquet(request.samples)
    roles = {(i, "jpeg50" if split == "test" else "clean") for i, split in samples.select("image_id", "split").rows()}
    assert set(found.select("image_id", "condition").rows()) == roles
    files = {image_id: request.root / path for image_id, path in samples.select("image_id", "path").iter_rows()}
    for row in found.sample(12, seed=0).to_dicts():
        condition = JPEG if row["condition"] == "jpeg50" else CLEAN
        pixels = apply(condition, decode_rgb(files[row["image_id"]].read_bytes()), row["image_id"])
        view = make_view(row["view"], pixels, row["image_id"], row["draw"], backbone.views)
        assert row["rule"] == view.rule
        assert (backbone.encode_images(stack([view.pixels], BATCH))[0] == np.array(row["feature"], np.float32)).all()
    patches = pl.read_parquet(tmp_path / "store-out/patches.parquet")
    assert patches.equals(patches.sort("image_id", "condition", "slot")) and patches.height == 37 * 49
    image_id, name = sorted(roles)[0]
    pixels = apply(JPEG if name == "jpeg50" else CLEAN, decode_rgb(files[image_id].read_bytes()), image_id)
    view = make_view("mosaic", pixels, image_id, 0, backbone.views)
    rows = patches.filter(image_id=image_id, condition=name)
    assert view.selection is not None
    assert (rows["row"].to_numpy() == view.selection.rows).all() and (
        rows["col"].to_numpy() == view.selection.cols
    ).all()
    assert (rows["feature"].to_numpy() == backbone.encode_patches(stack([view.pixels], BATCH))[1][0]).all()


def test_history_does_not_show(tmp_path: Path, request_of: Request, update: Extraction, params: Params) -> None:
    """A, B, A gives A's bytes and computes nothing, for B another corpus, condition, backbone, view or precision."""
    few = update.some(request_of, GENERATORS[:2])
    assert update(few) == Counts(wanted=24, computed=24)
    first = update.contents()
    other = load_backbone(params.backbone.model_copy(update={"lowest": 10}))
    histories: list[tuple[Counts, Counts]] = [
        (update(request_of), Counts(wanted=36, computed=12)),  # a generator more costs its own pictures
        (update(replace(few, test=[JPEG])), Counts(wanted=24, computed=16)),  # two thirds are test pictures
        (update(few, tower=other), Counts(wanted=24, computed=24)),
        (update(replace(few, keys=(*KEYS, Key("mosaic", 1)))), Counts(wanted=24, computed=24)),
        (update(replace(few, keys=KEYS[1:])), Counts(wanted=24, computed=0)),
        (update(replace(few, patches=False)), Counts(wanted=24, computed=0)),
        (update(replace(few, dtype="float16")), Counts(wanted=24, computed=0)),
    ]
    assert [found for found, _ in histories] == [expected for _, expected in histories]
    assert update.contents() != first
    assert update(few) == Counts(wanted=24, computed=0)
    assert update.contents() == first
    # And a store without any history gives the same as one with much.
    assert update(request_of) == Counts(wanted=36, computed=0)
    update(request_of, "fresh")
    assert update.contents() == update.contents("fresh")


def test_float16_first_is_the_same_float16_and_float32_is_computed(
    tmp_path: Path, request_of: Request, update: Extraction
) -> None:
    half = replace(request_of, dtype="float16")
    assert update(half).computed == 36
    schema = pl.read_parquet_schema(tmp_path / "store-out/features.parquet")
    assert schema["feature"] == pl.Array(pl.Float16, 128)
    coarse = update.contents()
    assert update(request_of).computed == 36
    assert update(half).computed == 0 and update.contents() == coarse
    update(request_of, "exact")
    update(half, "exact")
    assert update.contents("exact") == coarse


def test_features_without_patches_are_computed_again_only_for_the_mosaic(
    tmp_path: Path, request_of: Request, update: Extraction
) -> None:
    assert update(replace(request_of, patches=False)).computed == 36
    patches = pl.read_parquet(tmp_path / "store-out/patches.parquet")
    assert patches.height == 36 * 49 and patches["feature"].null_count() == patches.height
    assert patches.schema["feature"] == pl.Array(pl.Float32, 128)
    before = set(update.parts())
    assert update(request_of).computed == 36
    rows = pl.read_parquet([path for path in update.parts() if path not in before])
    assert set(rows["view"]) == {"mosaic"} and rows.height == 36
    update(request_of, "at-once")
    assert update.contents() == update.contents("at-once")


def test_many_buckets_give_the_same_rows(
    tmp_path: Path, request_of: Request, update: Extraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(request_of)
    whole = [pl.read_parquet(tmp_path / "store-out" / f"{name}.parquet") for name in ("features", "patches")]
    monkeypatch.setattr(merge, "WHOLE", 10_000)
    monkeypatch.setattr(merge, "BUCKET", 10_000)
    monkeypatch.setattr(gather, "GATHERED", 1)
    monkeypatch.setattr(merge, "SLICE", 5_000)
    assert update(request_of).computed == 0
    for name, rows in zip(("features", "patches"), whole, strict=True):
        assert pl.read_parquet(tmp_path / "store-out" / f"{name}.parquet").equals(rows)


def test_prune_deletes_what_nobody_asks_for_and_nothing_else(
    tmp_path: Path, request_of: Request, update: Extraction, backbone: Backbone
) -> None:
    update(replace(request_of, test=[JPEG]))
    update(update.some(request_of, GENERATORS[:1]))
    store, everything = tmp_path / "store", set(pl.read_parquet(request_of.images)["image_id"])
    assert list(stale_paths(store, backbone.id, [CLEAN.id, JPEG.id], everything)) == []
    assert list(stale_paths(store, backbone.id, [CLEAN.id], everything)) == [store / backbone.id / JPEG.id]
    assert list(stale_paths(store, "other", [CLEAN.id], everything)) == [store / backbone.id]
    (store / ".plan.1").mkdir()
    update.parts()[0].write_bytes(b"")
    for path in list(stale_paths(store, backbone.id, [CLEAN.id], everything)):
        delete(path)
    assert not (store / ".plan.1").exists() and not list(store.rglob("*.damaged"))
    few = update.some(request_of, GENERATORS[:1])
    gone = list(stale_paths(store, backbone.id, [CLEAN.id], set(pl.read_parquet(few.samples)["image_id"])))
    assert gone and all(GENERATORS[0] not in path.parts for path in gone)


def test_the_reader_gives_matrices_in_order_and_says_what_is_missing(
    tmp_path: Path, request_of: Request, update: Extraction, backbone: Backbone
) -> None:
    table = tmp_path / "store-out/features.parquet"
    with pytest.raises(ValueError, match=re.escape(f"{table} does not exist: run `dvc repro features`")):
        FeatureReader(table).matrix(backbone.id, "clean", "crop", 0, ["a"])
    update(replace(request_of, dtype="float16"))
    rows = pl.read_parquet(table).filter(view="crop")
    image_ids = [*rows["image_id"].reverse(), rows["image_id"][0]]
    found = FeatureReader(table).matrix(backbone.id, "clean", "crop", 0, image_ids)
    assert found.dtype == np.float32 and found.shape == (37, 128)
    expected = rows["feature"].to_numpy().astype(np.float32)
    assert (found == np.concatenate([expected[::-1], expected[:1]])).all()
    cases: tuple[dict[str, object], ...] = (
        {"view": "mosaik"},
        {"draw": 1},
        {"condition": "jpeg50"},
        {"image_ids": ["0" * 64]},
        {"image_ids": []},
    )
    for changes in cases:
        asked = {"backbone_id": backbone.id, "condition": "clean", "view": "crop", "draw": 0, "image_ids": image_ids}
        with pytest.raises(ValueError, match=r"holds: backbone [0-9a-f]{12}, condition clean, view crop, draw 0; "):
            FeatureReader(table).matrix(**{**asked, **changes})  # type: ignore[arg-type]


def test_duckdb_reads_fixed_lists(tmp_path: Path, request_of: Request, update: Extraction) -> None:
    for dtype in ("float32", "float16"):
        update(replace(request_of, dtype=dtype))
        for name, kind in (("features", Features), ("patches", Patches)):
            path = tmp_path / "store-out" / f"{name}.parquet"
            kind.validate(pl.read_parquet(path), lazy=True)
            norm = f"SELECT min(array_cosine_similarity(feature::FLOAT[128], feature::FLOAT[128])) FROM '{path}'"
            assert duckdb.connect().execute(norm).fetchall()[0][0] == pytest.approx(1, abs=1e-5)  # float32


def test_contracts_refuse_other_kinds_of_features(tmp_path: Path, request_of: Request, update: Extraction) -> None:
    from nsnet.core.contracts import check

    update(request_of)
    rows = pl.read_parquet(tmp_path / "store-out/features.parquet")
    assert check(Features, rows).height == rows.height
    for kind in (pl.List(pl.Float32), pl.Array(pl.Float64, 128)):
        with pytest.raises(ValueError, match="feature"):
            check(Features, rows.with_columns(pl.col("feature").cast(kind)))


def test_draws_are_of_the_mosaic_alone(params: Params) -> None:
    settings = params.features.model_copy(update={"draws": 2, "views": ["crop", "mosaic"]})
    assert keys_of(settings) == (("crop", 0), ("mosaic", 0), ("mosaic", 1))
