"""Are the simulators learnable? Strengths are set by this, and by nothing that compares detectors."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from nsnet.core.settings import validated
from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.protocol import Context
from nsnet.detectors.settings import CnnSettings
from nsnet.detectors.thresholds import balanced_accuracy
from nsnet.features.views import ViewSettings, make_view
from nsnet.lab.corpus import Picture, make_picture
from nsnet.lab.quality import recompress
from nsnet.lab.simulators import simulator
from nsnet.params import Params
from nsnet.semantics.null_space import no_directions
from nsnet.training.examples import PixelExamples
from nsnet.training.runner import Runner, resolve

REQUIRED, STEP = 0.95, 0.05
# Not the corpus's seed: strengths are set on pictures that no detector ever meets.
SEED_OFFSET = 1000
CHECKED = 200


def weakest_strength(key: str, params: Params, per_class: int) -> float:
    """The least strength, in steps of 0.05, that the control still learns to 0.95; 1 if none.

    Bisection: accuracy is taken to grow with strength.

    Args:
        key: of the simulator.
        params: of the project.
        per_class: pictures of each class to train on.

    Returns:
        The strength, in (0, 1].

    Raises:
        ValueError: as `learnability`.
    """
    failed, learned = 0, round(1 / STEP)
    while learned - failed > 1:
        middle = (failed + learned) // 2
        if learnability(key, round(middle * STEP, 2), params, per_class) >= REQUIRED:
            learned = middle
        else:
            failed = middle
    return round(learned * STEP, 2)


def learnability(key: str, strength: float, params: Params, per_class: int) -> float:
    """Accuracy of the CLIP-free control on fresh pictures of the one simulator it was trained on.

    Scenes are unbiased. Trains on `per_class` reals and as many fakes, checks on 200 of each.

    Args:
        key: of the simulator.
        strength: share of the full artefact, in (0, 1].
        params: of the project.
        per_class: pictures of each class to train on.

    Returns:
        Balanced accuracy at 0.5.

    Raises:
        ValueError: unknown simulator, faults in train.defaults.cnn, or cuda is asked for and there is none.
    """
    shown = params.backbone
    views = ViewSettings(shown.patch_size * shown.grid, shown.patch_size, shown.grid, shown.lowest, shown.interpolation)
    maker, seed = simulator(key).key, params.lab.seed + SEED_OFFSET

    def split(name: str, count: int) -> PixelExamples:
        mosaics = [_mosaics(None, None, name, count, seed, views), _mosaics(maker, strength, name, count, seed, views)]
        return PixelExamples([np.concatenate(mosaics)], np.repeat(np.arange(2), count))

    train, check = split("train", per_class), split("validation", CHECKED)
    values = {"view": "mosaic", **params.train.defaults.get("cnn", {})}
    settings = validated(values, CnnSettings, "train.defaults.cnn")
    # As many updates as the control gets in the pipeline, whatever the number of pictures.
    epochs = max(1, settings.epochs * params.lab.train_per_class // per_class)
    settings = settings.model_copy(update={"epochs": epochs})
    detector = CnnDetector(settings, Context({}, 0, no_directions(0), params.train.seeds[0]))
    runner = Runner(resolve(params.train.runtime, detector.needs(settings)), params.train.seeds[0])
    detector.fit(train, check, runner)
    return balanced_accuracy(detector.score(runner.batches(check, CHECKED)), check.labels)


@functools.lru_cache(maxsize=4)  # the reals of both splits serve every simulator
def _mosaics(
    maker: str | None, strength: float | None, split: str, count: int, seed: int, views: ViewSettings
) -> npt.NDArray[np.uint8]:
    mosaics = []
    for number in range(count):
        picture = Picture(split, maker, None, number, ())
        image, _, quality = make_picture(picture, seed, strength)
        pixels = np.asarray(recompress(image, quality))
        mosaics.append(make_view("mosaic", pixels, picture.path, 0, views).pixels)
    return np.stack(mosaics)
