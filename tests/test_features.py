"""The feature store: content-addressed, persistent, the same bytes whatever the history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from nsnet.core.parquet import SHARDS
from nsnet.core.provenance import file_sha256
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.contracts import Features, Patches
from nsnet.features.store import Counts, shard_path, update_features
from nsnet.params import Params

VIEWS = ["mosaic", "crop", "full"]


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("images")
    found = {}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        path = folder / f"{seed}.png"
        Image.fromarray(rng.integers(0, 255, (130 + seed, 140, 3), dtype=np.uint8)).save(path)
        found[file_sha256(path)] = path
    return found


def update(folder: Path, images: dict[str, Path], backbone: Backbone, views: list[str] = VIEWS) -> Counts:
    return update_features(folder, images, backbone, views, batch=8, workers=0)


def contents(folder: Path) -> list[bytes]:
    return [shard_path(folder, table, shard).read_bytes() for table in (Features, Patches) for shard in SHARDS]


def test_history_does_not_show(tmp_path: Path, images: dict[str, Path], backbone: Backbone) -> None:
    """A generator added later costs its own images only, and ends in the same bytes."""
    items = list(images.items())
    assert update(tmp_path / "whole", images, backbone) == Counts(cached=0, computed=40)
    assert update(tmp_path / "grown", dict(items[:25]), backbone) == Counts(cached=0, computed=25)
    assert update(tmp_path / "grown", images, backbone) == Counts(cached=25, computed=15)
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")
    assert update(tmp_path / "whole", dict(items[:25]), backbone) == Counts(cached=25, computed=0)
    update(tmp_path / "small", dict(items[:25]), backbone)
    assert contents(tmp_path / "whole") == contents(tmp_path / "small")


def test_a_view_less_costs_nothing_and_a_new_one_is_computed(
    tmp_path: Path, images: dict[str, Path], backbone: Backbone
) -> None:
    few = dict(list(images.items())[:6])
    update(tmp_path, few, backbone)
    assert update(tmp_path, few, backbone, ["crop"]) == Counts(cached=6, computed=0)
    assert update(tmp_path, few, backbone, ["crop", "full"]) == Counts(cached=0, computed=6)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path: Path, images: dict[str, Path], backbone: Backbone) -> None:
    done = 0

    def stop(count: int) -> None:
        nonlocal done
        done += count
        if done >= 24:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        update_features(tmp_path / "a", images, backbone, VIEWS, 8, 0, stop)
    assert list((tmp_path / "a").glob(".*")) == []
    counts = update(tmp_path / "a", images, backbone)
    assert counts.cached > 0 and counts.cached + counts.computed == 40
    update(tmp_path / "b", images, backbone)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_feature_does_not_depend_on_its_batch(backbone: Backbone, rng: np.random.Generator) -> None:
    pixels = list(rng.integers(0, 255, (8, 112, 112, 3), dtype=np.uint8))
    together = backbone.encode_images(stack(pixels, 8))
    for place in range(8):
        alone = backbone.encode_images(stack([pixels[place]], 8))[0]
        assert (alone == together[place]).all()


def test_another_backbone_shares_nothing(
    tmp_path: Path, images: dict[str, Path], backbone: Backbone, params: Params
) -> None:
    few = dict(list(images.items())[:4])
    other = load_backbone(params.backbone.model_copy(update={"lowest": 10}))
    assert other.id != backbone.id
    update(tmp_path, few, backbone)
    assert update(tmp_path, few, other) == Counts(cached=0, computed=4)
    kept = pl.read_parquet(tmp_path / "features-*.parquet")
    assert set(kept["backbone_id"]) == {other.id}
