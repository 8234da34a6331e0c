"""Short passes are made where they give the bits of whole ones, and nowhere else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nsnet import _is_intel
from nsnet.core.device import threads
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.int8 import Int8Passes
from nsnet.features.settings import Backbone as Settings
from nsnet.features.short_passes import encode_together, remembered
from nsnet.params import Params
from tests.stores import BATCH, Extraction, make_corpus, request_for

TOWERS = {
    "lab-clip": {},
    "vit": {"model": "timm:vit_tiny_patch16_224", "weights": "random", "grid": 7},
    "cnn": {"model": "timm:test_efficientnet", "weights": "random", "grid": 10},
}


def drawn(tower: Backbone, count: int, seed: int) -> list[np.ndarray]:
    shape = count, tower.views.size, tower.views.size, 3
    return list(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


def watched(tower: Backbone, change: Callable[[np.ndarray], np.ndarray] = lambda values: values) -> list[int]:
    """The sizes of all passes from now on, whose features are changed."""
    sizes: list[int] = []
    images, patches = tower.encode_images, tower.encode_patches

    def encode_images(pixels: np.ndarray) -> np.ndarray:
        sizes.append(len(pixels))
        return change(images(pixels))

    def encode_patches(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sizes.append(len(pixels))
        features, slots = patches(pixels)
        return change(features), slots

    object.__setattr__(tower, "encode_images", encode_images)
    object.__setattr__(tower, "encode_patches", encode_patches)
    return sizes


def zeros(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of all passes from now on, all of whose features are 0."""
    sizes: list[int] = []

    def encode_images(self: Backbone, pixels: np.ndarray) -> np.ndarray:
        sizes.append(len(pixels))
        return np.zeros((len(pixels), 2), np.float32)

    monkeypatch.setattr(Backbone, "encode_images", encode_images)
    return sizes


@pytest.fixture
def tower(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.mark.parametrize("kind", TOWERS)
def test_bits_are_those_of_a_whole_pass(params: Params, kind: str) -> None:
    """Also of other pictures than those that a length was tried with."""
    tower = load_backbone(Settings.model_validate(params.backbone.model_dump() | TOWERS[kind]))
    for tokens in sorted({False, tower.has_patches}):
        for count in (1, 3, 6, 7, 8):
            for seed in range(2):
                pixels = drawn(tower, BATCH, seed)
                whole = tower.encode_patches(np.stack(pixels)) if tokens else (tower.encode_images(np.stack(pixels)),)
                ours = encode_together(tower, pixels[:count], BATCH, tokens)
                assert len(ours) == len(whole)
                for one, other in zip(ours, whole, strict=True):
                    assert np.array_equal(one, other[:count])
    assert bool(tower.short_passes) == tower.has_patches


@pytest.mark.skipif(not _is_intel(), reason="MKL's strict mode is for Intel's processors")
def test_a_row_has_the_same_bits_in_any_product() -> None:
    """The widest of ViT-B/32, of one picture's three views and of a whole pass, by threads of any number."""
    generator = torch.Generator().manual_seed(0)
    rows, weights = (torch.randn(count, 3072, generator=generator) for count in (1200, 768))
    whole = rows @ weights.T
    for count in (1, 2):
        with threads(count):
            assert torch.equal(rows[:150].clone() @ weights.T, whole[:150])


def test_a_length_is_tried_once_and_then_short(tower: Backbone) -> None:
    sizes = watched(tower)
    for _ in range(3):
        encode_together(tower, drawn(tower, 3, 0), BATCH, tokens=True)
    (same,) = tower.short_passes.values()
    assert sizes == ([8, 3, 3, 3] if same else [8, 3, 8, 8])


def test_where_a_bit_differs_all_passes_are_whole(tower: Backbone) -> None:
    first = tower.encode_images(stack(drawn(tower, 3, 0), BATCH))[:3]
    sizes = watched(tower, lambda values: values if len(values) == BATCH else values * np.float32(1 + 1e-6))
    for _ in range(2):
        assert np.array_equal(encode_together(tower, drawn(tower, 3, 0), BATCH, tokens=False)[0], first)
    assert sizes == [8, 3, 8] and set(tower.short_passes.values()) == {False}


def test_lengths_are_few_whatever_the_batch(tower: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = zeros(monkeypatch)
    for count in range(1, 25):
        encode_together(tower, drawn(tower, count, 0), 24, tokens=False)
    assert set(sizes) == set(range(3, 25, 3)) and len(tower.short_passes) == 7


@pytest.mark.parametrize("where", ["cuda", "int8"])
def test_elsewhere_passes_are_whole(tower: Backbone, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    facts: dict[str, Any] = {"device": where} if where == "cuda" else {"passes": Int8Passes(tower, "lab-clip")}
    sizes = zeros(monkeypatch)
    (found,) = encode_together(replace(tower, **facts), drawn(tower, 3, 0), BATCH, tokens=False)
    assert (sizes, found.shape) == ([8], (3, 2))


def test_a_note_is_for_this_machine(tower: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "backbone" / "short_passes.json"
    with remembered(tower, note):
        pass
    assert not note.exists()  # nothing was tried
    with remembered(tower, note):
        encode_together(tower, drawn(tower, 3, 0), BATCH, tokens=True)
    found, tower = dict(tower.short_passes), replace(tower, short_passes={})
    assert list(found) == [f"3 of 8, {torch.get_num_threads()} threads, tokens"]
    with remembered(tower, note):
        assert tower.short_passes == found
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")  # other kernels
    tower = replace(tower, short_passes={})
    with remembered(tower, note):
        assert tower.short_passes == {}


@pytest.mark.parametrize("damage", ["", "[]", "\x00\xff", '{"checksum": 3}', "false", "true"])
def test_a_damaged_note_says_nothing_and_is_written_again(tower: Backbone, tmp_path: Path, damage: str) -> None:
    note = tmp_path / "short_passes.json"
    with remembered(tower, note):
        encode_together(tower, drawn(tower, 3, 0), BATCH, tokens=False)
    whole, tower = note.read_text(encoding="utf-8"), replace(tower, short_passes={})
    flipped = whole.replace("true" if damage == "false" else "false", damage)  # finite garbage
    content = flipped if damage in ("true", "false") else damage
    note.write_text(content, encoding="latin-1")
    with remembered(tower, note):
        assert tower.short_passes == {} or content == whole
        encode_together(tower, drawn(tower, 3, 0), BATCH, tokens=False)
    assert note.read_text(encoding="utf-8") == whole


def test_a_picture_alone_has_the_features_that_it_has_among_all(tower: Backbone, tmp_path: Path) -> None:
    """In the first run of a machine, which tries lengths, and in the second, which knows."""
    (tmp_path / "corpus").mkdir()
    whole, corpus = Extraction(tmp_path, tower), make_corpus(tmp_path / "corpus")
    whole(request_for(corpus))
    together = pl.read_parquet(whole.out("features"))
    picture = together["image_id"][7]
    one = tmp_path / "one.parquet"
    pl.read_parquet(corpus / "samples.parquet").filter(image_id=picture).write_parquet(one)
    request = replace(request_for(corpus), samples=one)
    for name in ("first", "second"):
        whole(request, name, replace(tower, short_passes={}))
        assert pl.read_parquet(whole.out("features", name)).equals(together.filter(image_id=picture))
    note = tmp_path / "second" / tower.id / "short_passes.json"
    # A single picture is encoded with all cores, whatever torch would take.
    assert set(json.loads(note.read_text())["same bits"]) == {f"3 of 8, {os.cpu_count()} threads, tokens"}
