"""Does the lab CLIP know content, and does it see texture? Both, on scenes it never saw."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from scipy.special import logsumexp

from nsnet.corpus.images import Pixels
from nsnet.features.backbone import Backbone, stack
from nsnet.lab.camera import photograph
from nsnet.lab.quality import WORDS, degrade, recompress, to_uint8
from nsnet.lab.scenes import BACKDROPS, COLOURS, SHAPES, TEXTURES, Scene, draw_scene, render

UNSEEN_SEED = 2
VOCABULARY = {"shape": SHAPES, "colour": tuple(COLOURS), "texture": TEXTURES, "backdrop": tuple(BACKDROPS)}
RETRIEVED_AMONG = 128
BATCH = 128


@dataclass(frozen=True)
class Unseen:
    """One picture of a scene the CLIP was not trained on: whole (resized), and a degraded native crop."""

    scene: Scene
    quality: str
    whole: Pixels
    crop: Pixels


def zero_shot(backbone: Backbone, count: int) -> dict[str, float]:
    """Measure the lab CLIP on `count` unseen pictures.

    Args:
        backbone: the lab CLIP.
        count: pictures, at least 128.

    Returns:
        Top-1 accuracy of shape, colour, texture and backdrop: a word's score is the softmax
        over all captions, summed over those that use the word. `quality`: the same over the
        quality words, on native crops. `retrieval_128`: picture to caption among 128.

    Raises:
        ValueError: `count` below 128.
    """
    if count < RETRIEVED_AMONG:
        raise ValueError(f"retrieval is among {RETRIEVED_AMONG} pictures: ask for at least as many, not {count}")
    pictures = [_unseen(number, backbone.views.size) for number in range(count)]
    whole, crops = (
        _encode_images(backbone, [getattr(picture, view) for picture in pictures]) for view in ("whole", "crop")
    )
    scenes = [Scene(*words) for words in itertools.product(*VOCABULARY.values())]
    captions = [scene.caption for scene in scenes]
    logits = whole @ _encode_texts(backbone, captions).T
    figures = {}
    for attribute, words in VOCABULARY.items():
        uses = np.array([getattr(scene, attribute) for scene in scenes])
        scores = np.stack([logsumexp(logits[:, uses == word], axis=1) for word in words], axis=1)
        figures[attribute] = _top1(scores, words, [getattr(picture.scene, attribute) for picture in pictures])
    scores = np.stack(
        [
            logsumexp(crops @ _encode_texts(backbone, [f"a {word} photo of {c}" for c in captions]).T, axis=1)
            for word in WORDS
        ],
        axis=1,
    )
    figures["quality"] = _top1(scores, WORDS, [picture.quality for picture in pictures])
    own = _encode_texts(backbone, [picture.scene.caption for picture in pictures])
    hits = []
    for start in range(0, count - RETRIEVED_AMONG + 1, RETRIEVED_AMONG):
        part = slice(start, start + RETRIEVED_AMONG)
        best = (whole[part] @ own[part].T).argmax(axis=1)
        hits += [pictures[start + i].scene == pictures[start + j].scene for i, j in enumerate(best)]
    figures["retrieval_128"] = float(np.mean(hits))
    return figures


def _unseen(number: int, size: int) -> Unseen:
    rng = np.random.default_rng([UNSEEN_SEED, number])
    scene = draw_scene(rng)
    photo = PILImage.fromarray(to_uint8(photograph(render(scene, rng), rng)))
    word = WORDS[int(rng.integers(len(WORDS)))]
    margin = (photo.width - size) // 2
    crop = recompress(degrade(photo, word, rng), 95).crop((margin, margin, margin + size, margin + size))
    whole = photo.resize((size, size), PILImage.Resampling.BICUBIC)
    return Unseen(scene, word, np.asarray(whole), np.asarray(crop))


def _top1(scores: npt.NDArray[np.float32], words: tuple[str, ...], truth: list[str]) -> float:
    return float(np.mean([words[best] == word for best, word in zip(scores.argmax(axis=1), truth, strict=True)]))


def _encode_images(backbone: Backbone, pixels: list[Pixels]) -> npt.NDArray[np.float32]:
    parts = [pixels[start : start + BATCH] for start in range(0, len(pixels), BATCH)]
    return _unit(np.concatenate([backbone.encode_images(stack(part, BATCH))[: len(part)] for part in parts]))


def _encode_texts(backbone: Backbone, captions: list[str]) -> npt.NDArray[np.float32]:
    """Unit text features times the model's inverse temperature."""
    return _unit(backbone.encode_texts(captions)) * float(backbone.model.logit_scale.exp())


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
