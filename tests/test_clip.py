"""The shipped lab CLIP: it knows the content of unseen scenes, and it sees local texture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from nsnet.core.provenance import file_sha256
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.views import make_view
from nsnet.features.weights import LAB_SHA256, LAB_WEIGHTS
from nsnet.lab.corpus import Picture, make_picture
from nsnet.lab.quality import recompress
from nsnet.params import Params
from nsnet.studies.clip_training import CaptionedScenes, train_clip
from nsnet.studies.zero_shot import zero_shot


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


def test_weights_are_small_and_pinned() -> None:
    assert LAB_WEIGHTS.stat().st_size <= 20e6
    assert file_sha256(LAB_WEIGHTS) == LAB_SHA256.read_text().split()[0]


def test_it_knows_shape_colour_and_texture_of_unseen_scenes(backbone: Backbone) -> None:
    figures = zero_shot(backbone, 384)
    assert min(figures[name] for name in ("shape", "colour", "texture")) >= 0.8
    assert figures["retrieval_128"] > 0.84  # the trial's


def probe(backbone: Backbone, view: str, maker: str) -> float:
    """Held-out accuracy of a linear probe that tells one simulator's fakes from photographs, by one view."""

    def split(name: str, count: int) -> tuple[np.ndarray, np.ndarray]:
        views = []
        for made_by in (None, maker):
            for number in range(count):
                picture = Picture(name, made_by, None, number, ())
                image, _, quality = make_picture(picture, seed=77)
                pixels = np.asarray(recompress(image, quality))
                views.append(make_view(view, pixels, picture.path, 0, backbone.views).pixels)
        return backbone.encode_images(np.stack(views)), np.repeat([0, 1], count)

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=2000))
    return float(model.fit(*split("train", 200)).score(*split("test", 100)))


@pytest.mark.parametrize("maker", ["bilinear_decoder", "guided_denoiser"])
def test_it_sees_local_texture(backbone: Backbone, maker: str) -> None:
    """Content is the same for both classes; chance is 0.5, a ViT on raw 16-pixel patches stayed there."""
    assert probe(backbone, "crop", maker) >= 0.85


def test_training_resumes_to_the_same_weights(tmp_path: Path) -> None:
    """Four steps in one go, or two and two: the same checkpoint."""
    import shutil

    from nsnet.features.weights import LAB_CLIP
    from nsnet.studies.clip_training import CONFIG

    states = []
    for name, first in (("whole", (2, 1, 1)), ("broken", (2,))):
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(LAB_CLIP / CONFIG, folder / CONFIG)
        train_clip(folder, folder, first, batch=4, workers=0)
        assert torch.load(folder / "train_clip.pt", weights_only=True)["step"] == sum(first)
        train_clip(folder, folder, (2, 1, 1), batch=4, workers=0)
        states.append(torch.load(folder / "train_clip.pt", weights_only=True)["model"])
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_an_album_picture_does_not_depend_on_who_asks() -> None:
    whole, part = CaptionedScenes(1, 0, 64, 8, 16), CaptionedScenes(1, 20, 64, 8, 16)
    pixels, caption = whole[25]
    again, same = part[5]
    assert caption == same and torch.equal(pixels, again)
    assert pixels.shape == (3, 112, 112) and pixels.dtype == torch.uint8
    look_alikes = {whole[i][1].split(" on ")[1] for i in range(24, 32)}
    assert len(look_alikes) <= 2 < len({whole[i][1].split(" on ")[1] for i in range(16)})


def test_degraded_pictures_keep_their_size() -> None:
    from nsnet.lab.quality import WORDS, degrade

    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 80, 3), dtype=np.uint8))
    for word in WORDS:
        assert degrade(image, word, np.random.default_rng(1)).size == (80, 60)
    with pytest.raises(ValueError, match="unknown quality"):
        degrade(image, "pretty", np.random.default_rng(1))
