"""The lab: forty simulators, a planted bias, the same bytes from any number of workers."""

from __future__ import annotations

import hashlib
import inspect
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from nsnet.core.origin import LAB_SUITE
from nsnet.lab import scenes
from nsnet.lab.camera import photograph
from nsnet.lab.corpus import BIASED, POOL, UNBIASED, make_picture, plan, render_corpus
from nsnet.lab.portable import Image
from nsnet.lab.settings import Lab
from nsnet.lab.simulators import simulator, simulators
from nsnet.params import Params
from nsnet.studies import calibration
from nsnet.suites import suite


@pytest.fixture(scope="module")
def photo() -> Image:
    rng = np.random.default_rng(11)
    return photograph(scenes.render(scenes.draw_scene(rng), rng), rng)


def test_forty_simulators_in_five_families() -> None:
    families = Counter(maker.family for maker in simulators().values())
    assert families == {"upsampling": 8, "codecs": 8, "denoisers": 8, "splices": 8, "platforms": 8}


@pytest.mark.parametrize("key", list(simulators()))
def test_simulator(key: str, photo: Image) -> None:
    maker = simulator(key)
    one, two = (maker.apply(photo, np.random.default_rng(3), maker.strength) for _ in range(2))
    assert one.shape == photo.shape and one.dtype == np.float32 and np.isfinite(one).all()
    assert (one == two).all()
    assert np.abs(one - photo).mean() > 0.5 / 255  # an artefact that survives rounding to eight bits
    # Local edits and turned pictures move content; the picture as a whole stays.
    assert np.abs(one.mean() - photo.mean()) < 0.05
    assert 0 < maker.strength <= 1
    documented = inspect.getdoc(maker.apply)
    assert documented and len(documented) > 40


def test_the_suite_is_what_the_code_renders() -> None:
    lab = suite(LAB_SUITE)
    assert list(lab.generators) == list(simulators())
    for key, maker in simulators().items():
        found = lab.generators[key]
        assert (found.name, found.family, found.folders) == (key, maker.family, [key])
        assert (found.native_size, found.real_pool) == (scenes.SIZE, POOL)
        assert found.note == (inspect.getdoc(maker.apply) or "").partition("\n")[0]
        assert found.in_domain_for in ([], [BIASED, UNBIASED])
    assert {key: pool.folders for key, pool in lab.pools.items()} == {POOL: [POOL]}
    assert list(lab.training_sets) == [BIASED, UNBIASED]
    for training_set in lab.training_sets.values():
        for source in training_set.sources:
            own = lab.generators[source.generator]
            assert (source.family, source.folders) == (own.family, own.folders) and own.in_domain_for


def test_unknown_simulator_gets_near_names() -> None:
    with pytest.raises(ValueError, match="did you mean copy_move"):
        simulator("copymove")


def test_camera_noise_is_a_sensors(photo: Image) -> None:
    """Shot noise grows with the light, and the mosaic leaves green sharper than red and blue."""
    rng = np.random.default_rng(0)
    dark, light = (photograph(np.full((224, 224, 3), level, np.float32), rng) ** 2.2 for level in (0.05, 0.5))
    assert light.std() > 2 * dark.std()
    detail = [np.abs(np.diff(light[..., channel], axis=1)).mean() for channel in range(3)]
    assert detail[1] > detail[0] and detail[1] > detail[2]


@pytest.mark.parametrize("bias", [1.0, 0.75, 0.5])
def test_bias_is_the_share_of_training_pictures_whose_content_predicts_the_label(params: Params, bias: float) -> None:
    pictures = plan(params.lab.model_copy(update={"bias": bias}))
    for split, count in (("train", 800), ("validation", 200)):
        for name, share in ((BIASED, bias), (UNBIASED, 0.5)):
            members = [p for p in pictures if p.split == split and name in p.training_sets]
            for fake in (False, True):
                own = [p.side == int(fake) for p in members if bool(p.simulator) == fake]
                assert len(own) == count and np.mean(own) == share
    assert len({p.path for p in pictures}) == len(pictures)


def test_content_follows_the_side() -> None:
    words: dict[int | None, set[str]] = {side: set() for side in (0, 1, None)}
    for side, found in words.items():
        for number in range(200):
            scene = scenes.draw_scene(np.random.default_rng(number), side)
            found |= {scene.shape, scene.colour, scene.texture}
    assert not words[0] & words[1]
    assert words[None] == words[0] | words[1] == {*scenes.SHAPES, *scenes.COLOURS, *scenes.TEXTURES}


def test_test_pictures_are_unbiased_and_enough(params: Params) -> None:
    test = [picture for picture in plan(params.lab) if picture.split == "test"]
    counts = Counter(picture.simulator for picture in test)
    assert {picture.side for picture in test} == {None}
    assert counts.pop(None) >= 500
    assert len(counts) == 40 and min(counts.values()) >= 100


def test_the_caption_pool_is_of_fresh_scenes_without_bias(params: Params) -> None:
    pictures = plan(params.lab)
    pool = [picture for picture in pictures if picture.split == "semantics"]
    assert len(pool) == params.lab.caption_pool == 1000
    assert {(picture.simulator, picture.side, picture.training_sets) for picture in pool} == {(None, None, ())}
    assert len({picture.path for picture in pictures}) == len(pictures)


def test_container_says_nothing_of_the_label(params: Params) -> None:
    qualities: dict[bool, list[int]] = {False: [], True: []}
    for picture in plan(params.lab)[::25]:
        qualities[picture.simulator is not None].append(make_picture(picture, 0)[2])
    # Uniform on ten values: the standard error of each mean is below 0.3.
    assert abs(np.mean(qualities[True]) - np.mean(qualities[False])) < 1.2


def test_workers_do_not_change_a_byte(tmp_path: Path, params: Params) -> None:
    small = {"train_per_class": 4, "validation_per_class": 2, "test_real": 3, "test_fakes": 1}
    digests = []
    for workers in (1, 2):
        settings = Lab.model_validate({**params.lab.model_dump(), **small, "workers": workers})
        folder = tmp_path / str(workers)
        render_corpus(settings, folder)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        digests.append({str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files})
    assert digests[0] == digests[1]
    assert len(digests[0]) == len(plan(settings)) + 1
    assert len(set(digests[0].values())) == len(digests[0])  # no two pictures alike


def test_training_on_an_unknown_simulator_fails_before_rendering(tmp_path: Path, params: Params) -> None:
    settings = params.lab.model_copy(update={"train_simulators": ["bilinear"]})
    with pytest.raises(ValueError, match="did you mean bilinear_decoder"):
        render_corpus(settings, tmp_path / "lab")
    assert not (tmp_path / "lab").exists()


@pytest.mark.parametrize("threshold", [0.01, 0.05, 0.33, 0.35, 0.97, 1.0, 2.0])
def test_weakest_strength_is_the_least_step_that_is_learned(
    params: Params, monkeypatch: pytest.MonkeyPatch, threshold: float
) -> None:
    asked: list[float] = []

    def learned(key: str, strength: float, params: Params, per_class: int) -> float:
        asked.append(strength)
        return 0.99 if strength >= threshold else 0.6

    monkeypatch.setattr(calibration, "learnability", learned)
    expected = next((step / 20 for step in range(1, 21) if step / 20 >= threshold), 1.0)
    assert calibration.weakest_strength("copy_move", params, 400) == expected
    assert len(asked) <= 5
