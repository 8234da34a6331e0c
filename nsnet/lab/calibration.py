"""Are the simulators learnable? Strengths are set by this, and by nothing that compares detectors."""

from __future__ import annotations

import numpy as np

from nsnet import config
from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.protocol import Split, accuracy
from nsnet.lab.corpus import Picture, make_picture
from nsnet.lab.quality import recompress
from nsnet.lab.simulators import simulator
from nsnet.views import ViewSettings, make_view

REQUIRED = 0.95
# Not the corpus's seed: strengths are set on pictures that no detector ever meets.
SEED_OFFSET = 1000
CHECKED = 200


def learnability(key: str, params: config.Params, per_class: int) -> float:
    """Accuracy of the CLIP-free control on fresh pictures of the one simulator it was trained on.

    Scenes are unbiased. Trains on `per_class` reals and as many fakes, checks on 200 of each.
    """
    maker = simulator(key)
    settings = params.backbone
    views = ViewSettings(
        settings.patch_size * settings.grid, settings.patch_size, settings.grid, settings.lowest, settings.interpolation
    )

    def split(name: str, count: int) -> Split:
        mosaics, labels = [], []
        for label, made_by in ((0, None), (1, maker.key)):
            for number in range(count):
                picture = Picture(name, made_by, None, number, ())
                image, _, quality = make_picture(picture, params.lab.seed + SEED_OFFSET)
                pixels = np.asarray(recompress(image, quality))
                mosaics.append(make_view("mosaic", pixels, picture.path, 0, views).pixels)
                labels.append(label)
        return Split(np.stack(mosaics), np.array(labels, np.int64))

    train, check = split("train", per_class), split("validation", CHECKED)
    detector = CnnDetector(params.train.fitting)
    detector.fit(train, check, params.train.seed)
    return accuracy(detector.score(check.inputs), check.labels)
