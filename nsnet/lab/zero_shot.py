"""Does the lab CLIP know content, and does it see texture? Both, on scenes it never saw."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage

from nsnet.backbone import Backbone
from nsnet.lab.camera import photograph
from nsnet.lab.quality import WORDS, degrade, recompress, to_uint8
from nsnet.lab.scenes import BACKDROPS, COLOURS, SHAPES, TEXTURES, Scene, draw_scene, render

UNSEEN_SEED = 2
VOCABULARY = {"shape": SHAPES, "colour": tuple(COLOURS), "texture": TEXTURES, "backdrop": tuple(BACKDROPS)}


def zero_shot(backbone: Backbone, count: int) -> dict[str, float]:
    """Top-1 accuracy by attribute, and 128-way retrieval, on `count` unseen pictures.

    A word's classifier is the mean text feature of all captions that use it (prompt
    ensembling, Radford et al., 2021), against the whole picture resized. `quality` is
    judged on native crops; `retrieval` is picture to caption among 128.
    """
    size = backbone.views.size
    scenes, whole, crops, qualities = [], [], [], []
    for number in range(count):
        rng = np.random.default_rng([UNSEEN_SEED, number])
        scene = draw_scene(rng)
        photo = PILImage.fromarray(to_uint8(photograph(render(scene, rng), rng)))
        word = WORDS[int(rng.integers(len(WORDS)))]
        margin = (photo.width - size) // 2
        crop = recompress(degrade(photo, word, rng), 95).crop((margin, margin, margin + size, margin + size))
        scenes.append(scene)
        qualities.append(word)
        whole.append(np.asarray(photo.resize((size, size), PILImage.Resampling.BICUBIC)))
        crops.append(np.asarray(crop))
    seen, textured = (_unit(_encode(backbone, pictures)) for pictures in (whole, crops))
    figures = {}
    for attribute, words in VOCABULARY.items():
        truth = np.array([words.index(getattr(scene, attribute)) for scene in scenes])
        classifier = np.stack([_prompt(backbone, attribute, word) for word in words])
        figures[attribute] = float(((seen @ classifier.T).argmax(axis=1) == truth).mean())
    classifier = np.stack(
        [_unit(backbone.encode_texts([f"a {w} photo of {s.caption}" for s in scenes[:200]])).mean(0) for w in WORDS]
    )
    truth = np.array([WORDS.index(word) for word in qualities])
    figures["quality"] = float(((textured @ _unit(classifier).T).argmax(axis=1) == truth).mean())
    captions = _unit(backbone.encode_texts([scene.caption for scene in scenes]))
    hits = []
    for start in range(0, count - 127, 128):
        similarity = seen[start : start + 128] @ captions[start : start + 128].T
        # Two scenes may share a caption; the first of equals counts as found.
        hits.append([scenes[start + i] == scenes[start + j] for i, j in enumerate(similarity.argmax(axis=1))])
    figures["retrieval_128"] = float(np.mean(hits))
    return figures


def _prompt(backbone: Backbone, attribute: str, word: str) -> npt.NDArray[np.float32]:
    others = {name: words for name, words in VOCABULARY.items() if name != attribute}
    fills = itertools.islice(itertools.product(*others.values()), 0, None, 3)
    captions = [Scene(**{attribute: word, **dict(zip(others, fill, strict=True))}).caption for fill in fills]
    return _unit(_unit(backbone.encode_texts(captions)).mean(axis=0))


def _encode(backbone: Backbone, pictures: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    return np.concatenate(
        [backbone.encode_images(np.stack(pictures[i : i + 128])) for i in range(0, len(pictures), 128)]
    )


def _unit(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)
