"""Passes in eight bits: near those of torch, the same for any batch and thread, and known as other features."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nsnet.corpus.images import Pixels
from nsnet.features import int8
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.calibration import drawn_views
from nsnet.features.int8 import Int8Passes
from nsnet.features.quantisation import graph_of, openvino, quantise, weighted
from nsnet.features.recorded import record
from nsnet.features.settings import Backbone as Settings
from nsnet.features.views import ViewSettings
from nsnet.params import Params
from nsnet.prediction import loading
from tests.conftest import ROOT, environment
from tests.stores import Extraction, make_corpus, request_for

VIEWS = ViewSettings(size=8, patch_size=4, grid=2, lowest=2, interpolation="bicubic")


def eight_bits(section: Settings) -> Backbone:
    """The tower of a section in eight bits, where this machine can."""
    pytest.importorskip("openvino", reason="the extra nsnet[int8] is not installed")
    try:
        return load_backbone(section.model_copy(update={"runtime": "int8"}))
    except ValueError as error:
        pytest.skip(str(error))  # the processor's fault: the section is sound


@pytest.fixture(scope="module")
def exact(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.fixture(scope="module")
def coarse(params: Params) -> Backbone:
    return eight_bits(params.backbone)


class Toy:
    """What passes are made of, at a size whose arithmetic is done again below."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.views = model, VIEWS

    def whole(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features: torch.Tensor = self.model(pixels.permute(0, 3, 1, 2).float() - 100)
        return (features,)


@pytest.mark.parametrize("kind", ["product", "convolution"])
def test_weights_and_pixels_are_whole_numbers(coarse: Backbone, rng: np.random.Generator, kind: str) -> None:
    """Against int64: pixels and weights on their levels, sums of products, and the two scales at the end."""
    torch.manual_seed(0)
    pixels = rng.integers(0, 256, (4, 8, 8, 3), dtype=np.uint8)
    given = pixels.astype(np.int64).transpose(0, 3, 1, 2) - 100
    layer: Any = nn.Linear(192, 16) if kind == "product" else nn.Conv2d(3, 16, 3, stride=2, padding=1)
    module = nn.Sequential(nn.Flatten(), layer) if kind == "product" else nn.Sequential(layer, nn.Flatten(2))
    graph = graph_of(int8._Pass(Toy(module.requires_grad_(False))).eval(), torch.from_numpy(pixels))
    assert len(weighted(graph)) == 1
    quantise(graph, np.array([[-100.0, 127.0]]))  # a level is 1; above, values are cut off
    found = openvino().Core().compile_model(graph, "CPU", int8._OPTIONS)({0: pixels})[0]
    if kind == "product":
        rows = given.reshape(4, 1, 192)
    else:
        padded = np.pad(given, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
        rows = windows.transpose(0, 2, 3, 1, 4, 5).reshape(4, 16, 27)
    weights = layer.weight.numpy().reshape(16, -1).astype(np.float64)
    step = np.abs(weights).max(axis=1, keepdims=True) / 127
    sums = np.minimum(rows, 127) @ np.round(weights / step).astype(np.int64).T
    expected = (sums * step.T + layer.bias.numpy()).swapaxes(1, 2)
    # Whole numbers are exact; float32 has the scales and the bias, of sums up to some hundreds.
    np.testing.assert_allclose(found.reshape(expected.shape), expected, rtol=1e-5, atol=1e-4)
    assert np.abs(expected - (rows @ weights.T + layer.bias.numpy()).swapaxes(1, 2)).max() > 0.1  # eight bits it is


def test_features_are_near_those_of_torch(exact: Backbone, coarse: Backbone, rng: np.random.Generator) -> None:
    """Less than 2 % of what differs between pictures; slots by the same pass; cosines, since features have no scale."""
    pixels = np.stack([picture(rng) for _ in range(16)])
    pooled, slots = coarse.encode_patches(pixels)
    assert (pooled == coarse.encode_images(pixels)).all()
    for ours, theirs, floor in zip((pooled, slots), exact.encode_patches(pixels), (0.998, 0.99), strict=True):
        ours, theirs = (values.reshape(-1, coarse.width) for values in (ours, theirs))
        ours, theirs = ours - ours.mean(0), theirs - theirs.mean(0)
        assert ours.shape == theirs.shape and int8._cosine(ours, theirs) > floor
        assert (ours != theirs).any()


def picture(rng: np.random.Generator) -> Pixels:
    """Another than those that ranges are measured by: blocks of colours, and noise."""
    blocks = rng.integers(0, 256, (14, 14, 3)).repeat(8, axis=0).repeat(8, axis=1)
    return np.clip(blocks * 0.7 + rng.normal(0, rng.uniform(1, 60), (112, 112, 3)), 0, 255).astype(np.uint8)


def test_a_feature_depends_on_no_mate_and_on_no_size(coarse: Backbone, rng: np.random.Generator) -> None:
    pixels = list(rng.integers(0, 256, (8, 112, 112, 3), dtype=np.uint8))
    together, slots = coarse.encode_patches(stack(pixels, 8))
    for place in (0, 5):
        alone = coarse.encode_patches(stack([pixels[place]], 8))
        assert (alone[0][0] == together[place]).all() and (alone[1][0] == slots[place]).all()
    assert (coarse.encode_images(stack(pixels[:3], 3)) == together[:3]).all()


def test_a_store_is_the_same_for_one_thread_and_two(
    exact: Backbone, coarse: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And eight bits have a folder of their own in it, so that neither is taken for the other."""
    request = request_for(make_corpus(tmp_path))
    update = Extraction(tmp_path, coarse)
    assert record(coarse, 8, tokens=True) is coarse
    update(request, "few")
    monkeypatch.setattr("nsnet.features.extraction.SMALL_PART", 8)  # as for many pictures: in two threads
    update(request, "many")
    assert update.contents("few") == update.contents("many")
    assert update(request, "many", tower=exact).computed == update(request, "few").wanted == 36
    assert {folder.name for folder in (tmp_path / "many").iterdir()} == {exact.id, coarse.id}


def test_the_record_says_so_and_that_of_torch_says_nothing(params: Params, exact: Backbone, coarse: Backbone) -> None:
    """Features that torch made before there was a choice keep their key."""
    older = Settings.model_validate({k: v for k, v in params.backbone.model_dump().items() if k != "runtime"})
    assert older == params.backbone and "runtime" not in exact.record
    assert coarse.record == exact.record | {"runtime": "int8", "int8_version": 1}
    assert coarse.id != exact.id and (coarse.device, coarse.width) == ("cpu", exact.width)
    found = loading._backbone(coarse.record, ROOT, "cpu")  # as a detector that was trained on it is loaded
    assert found.id == coarse.id and found.passes is not None


@pytest.mark.parametrize("model", ["timm:test_vit", "timm:test_efficientnet"])
def test_towers_of_timm(params: Params, model: str, rng: np.random.Generator) -> None:
    """With tokens and without; random weights, a convolution of each channel by itself left in float32."""
    values = {"model": model, "weights": "random", "patch_size": 16, "grid": 4, "lowest": 8}
    found = eight_bits(params.backbone.model_copy(update=values))
    pixels = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8)
    ours, theirs = found.encode_images(pixels), replace(found, passes=None).encode_images(pixels)
    assert int8._cosine(ours - ours.mean(0), theirs - theirs.mean(0)) > 0.95  # of weights without meaning
    if not found.has_patches:
        with pytest.raises(ValueError, match="has no patch tokens"):
            found.encode_patches(pixels)


def test_what_is_missing_is_said_before_any_work(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    section = params.backbone.model_copy(update={"runtime": "int8"})
    with pytest.raises(ValueError, match="runtime int8 rounds float32: set precision to float32"):
        Settings.model_validate(section.model_dump() | {"precision": "bfloat16"})
    with pytest.raises(ValueError, match=r"torch.*int8"):
        Settings.model_validate(section.model_dump() | {"runtime": "int4"})
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"cpu_name": "Old One", "architecture": "x86_64"})
    with pytest.raises(ValueError, match=r"eight-bit dot products .*which Old One \(x86_64\) lacks: set torch"):
        load_backbone(section)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'nsnet\[int8\]', or set torch"):
        load_backbone(section)


class Unknown(nn.Module):
    """With an operation that OpenVINO has not."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.linalg.eigvalsh(pixels.mean(1) + pixels.mean(1).transpose(1, 2))


class Thresholds(nn.Module):
    """Whose features are nothing but the rounding of a sum."""

    def __init__(self) -> None:
        super().__init__()
        self.sums = nn.Linear(192, 16)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.sin(1000 * self.sums(pixels.flatten(1)))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (Unknown, r"OpenVINO cannot run toy \(No conversion rule found for operations: aten::linalg_eigvalsh\): set"),
        (Thresholds, r"eight bits are too few for toy: the cosine .* expected 0\.98 or more: set torch"),
    ],
)
def test_a_tower_that_cannot_is_named(coarse: Backbone, model: Any, told: str) -> None:
    passes = Int8Passes(Toy(model().requires_grad_(False)), "toy")
    with pytest.raises(ValueError, match=told):
        passes(np.zeros((8, 8, 8, 3), np.uint8))


def test_drawn_views_are_many_and_the_same(rng: np.random.Generator) -> None:
    views = drawn_views(32, 64)
    assert (views == drawn_views(32, 64)).all() and (views[:8] == drawn_views(8, 64)).all()
    spread = views.std(axis=(1, 2, 3))
    assert spread.min() < 15 and spread.max() > 60 and views.min() == 0 and views.max() == 255


def test_nobody_is_told(coarse: Backbone, tmp_path: Path) -> None:
    """OpenVINO reports its own import to its makers, and keeps a number for that in the home folder."""
    code = "from nsnet.features.quantisation import openvino; openvino().Core(); import sys; print(sorted(sys.modules))"
    settings = environment(ROOT) | {"HOME": str(tmp_path)}
    told = subprocess.run([sys.executable, "-c", code], env=settings, capture_output=True, text=True, check=True).stdout
    assert "'openvino'" in told and "openvino_telemetry." not in told
    assert not list(tmp_path.iterdir())
