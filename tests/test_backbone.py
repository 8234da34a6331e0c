"""The backbone record: what changes it, what must not, and the shipped CLIP."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from nsnet.corpus.images import Pixels
from nsnet.corpus.settings import Harmonise
from nsnet.features import backbone as backbones
from nsnet.features.backbone import load_backbone
from nsnet.features.settings import Backbone
from nsnet.features.views import make_view, read_pixels
from nsnet.params import Params

# What VIEWS_VERSION 2 makes of the fixture `picture`. If this fails and the change is meant,
# raise VIEWS_VERSION: stored features were made by the older code.
PINNED_VIEWS = "a3f219973b0ea98f"


def test_views_are_pinned(picture: Pixels, params: Params) -> None:
    views = load_backbone(params.backbone).views
    total = hashlib.sha256()
    for name in ("mosaic", "crop", "full"):
        total.update(make_view(name, picture, "0" * 64, 0, views).pixels.tobytes())
    assert (backbones.VIEWS_VERSION, total.hexdigest()[:16]) == (2, PINNED_VIEWS)


def test_harmonised_pictures_are_cropped_and_saved_alike(tmp_path: Path, params: Params, picture: Pixels) -> None:
    backbone = load_backbone(params.backbone)
    harmonise = Harmonise(size=120, jpeg_quality=75)
    found = backbones.under_conditions(backbone, harmonise)
    assert list(found) == ["clean", "harmonised"] and found["clean"].id == backbone.id
    assert len({found["harmonised"].id, backbone.id, _harmonised_id(backbone, size=121)}) == 3
    assert list(backbones.under_conditions(backbone, None)) == ["clean"]
    views = found["harmonised"].views
    Image.fromarray(picture).save(tmp_path / "large.png")
    Image.fromarray(picture[:60, :50]).save(tmp_path / "small.png")
    large, small = (read_pixels(tmp_path / f"{name}.png", views) for name in ("large", "small"))
    assert large.shape == small.shape == (120, 120, 3)
    # Cut from the middle and saved once at the quality asked for, as Pillow does it by itself.
    top, left = (picture.shape[0] - 120) // 2, (picture.shape[1] - 120) // 2
    Image.fromarray(picture[top : top + 120, left : left + 120]).save(tmp_path / "again.jpg", quality=75)
    with Image.open(tmp_path / "again.jpg") as again:
        assert (np.asarray(again.convert("RGB")) == large).all()
    # Without the option nothing is touched.
    assert (read_pixels(tmp_path / "large.png", backbone.views) == picture).all()


def _harmonised_id(backbone: backbones.Backbone, size: int) -> str:
    return backbones.under_conditions(backbone, Harmonise(size=size, jpeg_quality=75))["harmonised"].id


@pytest.mark.parametrize(("field", "value"), [("lowest", 20), ("interpolation", "bilinear")])
def test_what_changes_the_features_changes_the_id(params: Params, field: str, value: object) -> None:
    changed = load_backbone(params.backbone.model_copy(update={field: value}))
    assert changed.id != load_backbone(params.backbone).id


def test_mosaic_must_fit_the_input(params: Params) -> None:
    with pytest.raises(ValueError, match=r"7 x 32 = 224, but lab-clip takes 112"):
        load_backbone(params.backbone.model_copy(update={"patch_size": 32}))


def test_changed_weights_are_refused(params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "open_clip_model.safetensors"
    other.write_bytes(b"other")
    monkeypatch.setattr(backbones, "LAB_WEIGHTS", other)
    with pytest.raises(ValueError, match="restore the shipped file"):
        load_backbone(params.backbone)


def test_features_equal_open_clips_own(params: Params, picture: Pixels) -> None:
    """Our preprocessing of the view `full` is open_clip's transform, and the space is the projected one."""
    import open_clip
    from PIL import Image

    ours = load_backbone(params.backbone)
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{backbones.LAB_CLIP}")
    with torch.inference_mode():
        expected = model.eval().encode_image(transform(Image.fromarray(picture))[None]).numpy()
    view = make_view("full", picture, "id", 0, ours.views).pixels
    # The same arithmetic in another order, float32.
    np.testing.assert_allclose(ours.encode_images(view[None]), expected, atol=2e-4)
    assert ours.encode_texts(["a red plain circle on a gray background"]).shape == expected.shape


def test_paper_shape_runs_with_random_weights(picture: Pixels) -> None:
    """The paper's path on a public architecture: 224 pixels, 32-pixel patches, projected features."""
    settings = Backbone(
        model="ViT-B-32-quickgelu", weights="random", patch_size=32, grid=7, lowest=24, interpolation="bicubic"
    )
    found = load_backbone(settings)
    view = make_view("mosaic", picture, "id", 0, found.views)
    assert (view.pixels.shape, view.rule) == ((224, 224, 3), "cyclic")
    assert found.encode_images(view.pixels[None]).shape == (1, 512)
    assert found.record["space"] == "projected"
    assert found.id == load_backbone(settings).id  # random, but the same random


def test_missing_weights_fail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    settings = Backbone(model="ViT-B-32", weights=None, patch_size=32, grid=7, lowest=24, interpolation="bicubic")
    with pytest.raises(RuntimeError, match="pretrained"):
        load_backbone(settings)
