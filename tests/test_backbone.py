"""The backbone record: what changes it, what must not, and the shipped CLIP."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from nsnet.corpus.images import Pixels
from nsnet.features import weights
from nsnet.features.backbone import load_backbone, stack
from nsnet.features.recorded import RecordedBackbone, record
from nsnet.features.settings import Backbone
from nsnet.features.towers import overlaps, slot_means
from nsnet.features.views import VIEWS_VERSION, make_view
from nsnet.params import Params

# What VIEWS_VERSION 2 makes of the fixture `picture`. If this fails and the change is meant,
# raise VIEWS_VERSION: stored features were made by the older code.
PINNED_VIEWS = "a3f219973b0ea98f"


def test_views_are_pinned(picture: Pixels, params: Params) -> None:
    views = load_backbone(params.backbone).views
    total = hashlib.sha256()
    for name in ("mosaic", "crop", "full"):
        total.update(make_view(name, picture, "0" * 64, 0, views).pixels.tobytes())
    assert (VIEWS_VERSION, total.hexdigest()[:16]) == (2, PINNED_VIEWS)


@pytest.mark.parametrize(("field", "value"), [("lowest", 20), ("interpolation", "bilinear"), ("precision", "bfloat16")])
def test_what_changes_the_features_changes_the_id(params: Params, field: str, value: object) -> None:
    changed = load_backbone(params.backbone.model_copy(update={field: value}))
    assert changed.id != load_backbone(params.backbone).id


def test_mosaic_must_fit_the_input(params: Params) -> None:
    with pytest.raises(ValueError, match=r"7 x 32 = 224, but lab-clip takes 112"):
        load_backbone(params.backbone.model_copy(update={"patch_size": 32}))


def test_changed_weights_are_refused(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "open_clip_model.safetensors"
    other.write_bytes(b"other")
    monkeypatch.setattr(weights, "LAB_WEIGHTS", other)
    with pytest.raises(ValueError, match="restore the shipped file"):
        load_backbone(params.backbone)


def test_features_equal_open_clips_own(params: Params, picture: Pixels) -> None:
    """Our preprocessing of the view `full` is open_clip's transform, and the space is the projected one."""
    import open_clip

    ours = load_backbone(params.backbone)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{weights.LAB_CLIP}")
    with torch.inference_mode():
        expected = model.eval().encode_image(transform(Image.fromarray(picture))[None]).numpy()
    view = make_view("full", picture, "id", 0, ours.views).pixels
    # The same arithmetic in another order, float32.
    np.testing.assert_allclose(ours.encode_images(view[None]), expected, atol=2e-4)
    assert ours.encode_texts(["a red plain circle on a gray background"]).shape == expected.shape


def random_vit(**changes: Any) -> Backbone:
    values = {
        "model": "ViT-B-32-quickgelu",
        "weights": "random",
        "precision": "float32",
        "patch_size": 32,
        "sha256": None,
    }
    return Backbone.model_validate({**values, "grid": 7, "lowest": 24, "interpolation": "bicubic", **changes})


def test_paper_shape_runs_with_random_weights(picture: Pixels) -> None:
    """The paper's path on a public architecture: 224 pixels, 32-pixel patches, projected features."""
    found = load_backbone(random_vit())
    view = make_view("mosaic", picture, "id", 0, found.views)
    assert (view.pixels.shape, view.rule) == ((224, 224, 3), "cyclic")
    pooled, patches = found.encode_patches(view.pixels[None])
    assert (pooled == found.encode_images(view.pixels[None])).all()
    assert found.width == pooled.shape[1] == 512 and patches.shape == (1, 49, 512)
    assert found.record["space"] == "projected" and found.record["weights"] == "random"
    assert found.id == load_backbone(random_vit()).id  # random, but the same random
    # The class token through the last layers is the picture's feature, so a patch token through them is what is meant.
    visual = found.model.visual
    visual.output_tokens = True
    with torch.inference_mode():
        _, tokens = visual(found.normalised(torch.from_numpy(view.pixels[None])))
        np.testing.assert_array_equal((tokens @ visual.proj).numpy(), patches)


def test_patch_tokens_of_the_lab_clip_pool_to_its_feature(params: Params, rng: np.random.Generator) -> None:
    """The tower's head is linear and its norm comes after the mean: both are redone here by hand, in float64."""
    found = load_backbone(params.backbone)
    pixels = rng.integers(0, 255, (2, 112, 112, 3), dtype=np.uint8)
    pooled, patches = found.encode_patches(pixels)
    assert (pooled == found.encode_images(pixels)).all()
    trunk, head = found.model.visual.trunk, found.model.visual.head
    with torch.inference_mode():
        tokens = trunk.forward_features(found.normalised(torch.from_numpy(pixels))).double().numpy()
    weight, bias = (getattr(trunk.fc_norm, name).double().numpy() for name in ("weight", "bias"))
    projection = head.proj.weight.double().numpy()

    def joint(values: np.ndarray) -> np.ndarray:
        centred = values - values.mean(-1, keepdims=True)
        return (centred / np.sqrt(values.var(-1, keepdims=True) + trunk.fc_norm.eps) * weight + bias) @ projection.T

    # float32 against float64 on sums of 128 terms of magnitude up to ten.
    np.testing.assert_allclose(patches, joint(tokens), atol=1e-4)
    np.testing.assert_allclose(pooled, joint(tokens.mean(1)), atol=1e-4)


@pytest.mark.parametrize(("tokens", "slots"), [(16, 7), (14, 7), (3, 7)])
def test_slots_are_means_by_area(tokens: int, slots: int, rng: np.random.Generator) -> None:
    """Against a picture in which each token is a square of `slots` pixels, and each slot one of `tokens`."""
    values = rng.normal(size=(tokens, tokens))
    fine = np.kron(values, np.ones((slots, slots)))
    expected = fine.reshape(slots, tokens, slots, tokens).mean(axis=(1, 3))
    found = slot_means(torch.from_numpy(values.reshape(1, -1, 1)), slots)[0, :, 0].numpy()
    np.testing.assert_allclose(found, expected.ravel(), atol=1e-12)  # float64 means of numbers about 1
    np.testing.assert_allclose(overlaps(tokens, slots).sum(1), 1)


def test_a_tower_without_tokens_says_so() -> None:
    found = load_backbone(random_vit(model="RN50"))
    assert not found.has_patches
    with pytest.raises(ValueError, match=r"RN50 has no patch tokens: set features.patches to false"):
        found.encode_patches(np.zeros((1, 224, 224, 3), np.uint8))


def test_bfloat16_is_near_float32(params: Params, picture: Pixels) -> None:
    exact = load_backbone(params.backbone)
    coarse = load_backbone(params.backbone.model_copy(update={"precision": "bfloat16"}))
    view = make_view("full", picture, "id", 0, exact.views).pixels[None]
    one, other = exact.encode_images(view)[0], coarse.encode_images(view)[0]
    assert (one != other).any()
    # Eight bits of mantissa through four layers: a per cent or two of the length.
    assert np.linalg.norm(one - other) < 0.05 * np.linalg.norm(one)


def test_a_feature_does_not_depend_on_its_batch(params: Params, rng: np.random.Generator) -> None:
    found, pixels = load_backbone(params.backbone), list(rng.integers(0, 255, (8, 112, 112, 3), dtype=np.uint8))
    together = found.encode_images(stack(pixels, 8))
    for place in range(8):
        assert (found.encode_images(stack([pixels[place]], 8))[0] == together[place]).all()


@pytest.mark.parametrize(
    ("model", "tag", "told"),
    [
        ("ViT-B-33", None, "backbone.model: unknown model 'ViT-B-33'; did you mean ViT-B-32"),
        ("lab-clap", None, "did you mean lab-clip"),
        ("ViT-B-32", None, "ViT-B-32 needs weights.\nTwo ways to weights: a tag of ViT-B-32 (openai, "),
        ("ViT-B-32", "opnai", "'opnai' is no tag of ViT-B-32 and no file; did you mean openai?\nTwo ways"),
        ("ViT-B-32", "openai", "cannot load ViT-B-32: Failed to download weights for tag 'openai'"),
        ("lab-clip", "openai", "lab-clip brings its own, set null (got 'openai')"),
        ("local-dir:/nowhere", None, "cannot load local-dir:/nowhere: Directory specified"),
        ("ViT-B-32", __file__, "cannot load ViT-B-32: "),
    ],
)
def test_weights_that_cannot_be_had_fail_at_once(
    monkeypatch: pytest.MonkeyPatch, model: str, tag: str | None, told: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError) as error:
        load_backbone(random_vit(model=model, weights=tag))
    assert told in str(error.value)


def test_a_file_of_weights_is_known_by_its_contents(tmp_path: Path) -> None:
    """The path of a file is no part of the record; SigLIP's file gets SigLIP's mean, not OpenAI's."""
    from safetensors.torch import save_file

    made = load_backbone(random_vit())
    ids = []
    for name in ("a.safetensors", "b.safetensors"):
        save_file({key: value.contiguous() for key, value in made.model.state_dict().items()}, tmp_path / name)
        ids.append(load_backbone(random_vit(weights=str(tmp_path / name))))
    assert ids[0].id == ids[1].id != made.id
    assert ids[0].record["weights_sha256"] == made.record["weights_sha256"]
    siglip = weights._preprocessing("ViT-B-16-SigLIP", ["webli"])
    assert siglip == {"image_mean": (0.5, 0.5, 0.5), "image_std": (0.5, 0.5, 0.5)}


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("tokens", [True, False])
def test_a_recorded_pass_gives_the_same_bits(params: Params, tokens: bool, precision: str) -> None:
    eager = load_backbone(params.backbone.model_copy(update={"precision": precision}))
    recorded = record(eager, 8, tokens)
    assert (recorded.id, recorded.views) == (eager.id, eager.views)
    # A processor whose graphs differ in a bit goes without.
    assert recorded is eager or isinstance(recorded, RecordedBackbone)
    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 112, 112, 3), dtype=np.uint8)
        assert np.array_equal(recorded.encode_images(pixels), eager.encode_images(pixels))
        for ours, theirs in zip(recorded.encode_patches(pixels), eager.encode_patches(pixels), strict=True):
            assert np.array_equal(ours, theirs)


def test_a_recorded_pass_that_differs_is_not_used(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    eager = load_backbone(params.backbone)
    traced = torch.jit.trace

    def other(*given: object, **options: object) -> object:
        graph = traced(*given, **options)
        return lambda pixels: graph(pixels) * (1 + 1e-6)

    monkeypatch.setattr(torch.jit, "trace", other)
    assert record(eager, 8, tokens=False) is eager
