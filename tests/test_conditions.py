"""Conditions: what each operation does, against Pillow by itself or a plain loop, and what a condition's id is."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from nsnet.corpus.images import Pixels
from nsnet.features.conditions import CLEAN, Condition, apply, choose, condition
from nsnet.features.deliveries import DELIVERIES
from nsnet.features.settings import ConditionSettings
from nsnet.params import Params

ID = "a" * 64
PINNED = ("ba008b3ff2e6", "53edd786138a", "72f199427cfb")
PINNED_RESIZE = ("fc0fe51616a6", "f4ac1ea4c733")


def made(*operations: dict[str, Any], seed: int = 0, name: str = "x") -> Condition:
    return condition(name, ConditionSettings.model_validate({"operations": operations, "seed": seed}))


def saved(pixels: Pixels, format: str, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def test_clean_changes_nothing(picture: Pixels) -> None:
    assert (apply(CLEAN, picture, ID) == picture).all()


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_saving_is_pillows(picture: Pixels, format: str) -> None:
    found = apply(made({"op": format, "quality": 50}), picture, ID)
    assert (found == saved(picture, format, 50)).all()
    assert (found != saved(picture, format, 80)).any()


def test_blur_equals_a_loop_in_float64(picture: Pixels) -> None:
    sigma, pixels = 1.3, picture[50:80, 50:90]
    radius = round(4 * sigma)  # where the kernel is cut off
    kernel = np.array([math.exp(-(k**2) / (2 * sigma**2)) for k in range(-radius, radius + 1)])
    kernel /= kernel.sum()
    expected = pixels.astype(np.float64)
    for axis in (0, 1):
        padding = [(radius, radius) if a == axis else (0, 0) for a in range(3)]
        padded = np.pad(expected, padding, mode="symmetric")
        length = expected.shape[axis]
        expected = sum(weight * padded.take(range(k, k + length), axis) for k, weight in enumerate(kernel))  # type: ignore[assignment]
    found = apply(made({"op": "blur", "sigma": sigma}), pixels, ID)
    # Rounded to whole grey levels: half a level, and sums in another order.
    assert np.abs(found - expected).max() <= 0.5 + 1e-9


def test_noise_has_its_sigma_and_depends_on_seed_and_picture_alone() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    noise = made({"op": "noise", "sigma": 8}, seed=3)
    found = apply(noise, grey, ID).astype(float) - 128
    # 120,000 draws: the deviation's standard error is 8 / sqrt(240,000) = 0.016; rounding adds 1/12 to the variance.
    assert abs(found.std() - math.sqrt(64 + 1 / 12)) < 0.1 and abs(found.mean()) < 0.1
    assert (apply(noise, grey, ID) == apply(noise, grey, ID)).all()
    for other in (apply(noise, grey, "b" * 64), apply(made({"op": "noise", "sigma": 8}, seed=4), grey, ID)):
        assert (other != apply(noise, grey, ID)).mean() > 0.5


def test_two_noises_of_a_chain_are_not_the_same_draw() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    twice = apply(made({"op": "noise", "sigma": 8}, {"op": "noise", "sigma": 8}), grey, ID).astype(float)
    # Independent draws add in variance: 8 sqrt(2); the same draw twice would be 16. Standard error 0.07.
    assert abs(twice.std() - 8 * math.sqrt(2)) < 0.5


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        ({"scale": 0.5}, (75, 66)),
        ({"side": 65}, (74, 65)),
        ({"side": 262, "kernel": "nearest"}, (300, 262)),
        ({"longest": 100}, (100, 87)),
    ],
)
def test_resize_is_pillows(picture: Pixels, operation: dict[str, Any], size: tuple[int, int]) -> None:
    kernel = Image.Resampling.NEAREST if "kernel" in operation else Image.Resampling.BICUBIC
    expected = np.asarray(Image.fromarray(picture).resize(size, kernel))
    assert (apply(made({"op": "resize", **operation}), picture, ID) == expected).all()


def test_what_is_no_longer_than_the_limit_stays_as_it_is(picture: Pixels) -> None:
    for side in (150, 151, 1080):
        assert apply(made({"op": "resize", "longest": side}), picture, ID) is picture
    upright = apply(made({"op": "resize", "longest": 100}), picture.swapaxes(0, 1), ID)
    assert upright.shape == (100, 87, 3)


@pytest.mark.parametrize("sizes", [{}, {"scale": 0.5, "side": 65}, {"side": 65, "longest": 100}])
def test_a_resize_has_one_rule(sizes: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="set exactly one of scale, side and longest"):
        made({"op": "resize", **sizes})


def test_deliveries_are_those_that_evaluation_knows(params: Params) -> None:
    """Predictions ask no params.yaml; both must mean the same by a name."""
    known = choose([delivery.name for delivery in DELIVERIES], params.conditions)
    assert known == DELIVERIES and len({delivery.id for delivery in DELIVERIES}) == 7


def test_crop_is_central_and_enlarges_what_is_too_small(picture: Pixels) -> None:
    assert (apply(made({"op": "crop", "size": 100}), picture, ID) == picture[15:115, 25:125]).all()
    assert apply(made({"op": "crop", "share": 0.5}), picture, ID).shape == (66, 66, 3)  # of 131
    small = picture[:60, :50]
    larger = np.asarray(Image.fromarray(small).resize((120, 144), Image.Resampling.BICUBIC))
    assert (apply(made({"op": "crop", "size": 120}), small, ID) == larger[12:132]).all()


def test_a_chain_goes_in_order(picture: Pixels) -> None:
    crop, jpeg = {"op": "crop", "size": 96}, {"op": "jpeg", "quality": 75}
    assert (apply(made(crop, jpeg), picture, ID) == saved(picture[17:113, 27:123], "jpeg", 75)).all()
    assert made(crop, jpeg).id != made(jpeg, crop).id


def test_the_id_names_what_is_done_and_nothing_else() -> None:
    jpeg, noise = {"op": "jpeg", "quality": 50}, {"op": "noise", "sigma": 2}
    # Stored features lie under these: if one changes, they are all computed again.
    assert (CLEAN.id, made(jpeg).id, made(noise, seed=1).id) == PINNED
    halved, small = {"op": "resize", "scale": 0.5}, {"op": "resize", "side": 65, "kernel": "nearest"}
    assert (made(halved).id, made(small).id) == PINNED_RESIZE
    assert made(name="other").id == CLEAN.id == made(seed=5).id
    assert made(jpeg, name="other", seed=5).id == made(jpeg).id  # JPEG draws nothing
    assert made({"op": "resize", "scale": 0.5}).id == made({"op": "resize", "scale": 0.5, "kernel": "bicubic"}).id
    assert made({"op": "noise", "sigma": 2.0}).id == made(noise).id
    different = [
        CLEAN, made(jpeg), made({**jpeg, "quality": 51}), made({**jpeg, "op": "webp"}), made(jpeg, jpeg),
        made(noise), made(noise, seed=1), made({"op": "noise", "sigma": 2.5}),
    ]  # fmt: skip
    assert len({each.id for each in different}) == len(different)


def test_unknown_names_are_told_with_near_ones() -> None:
    settings = {"clean": ConditionSettings(), "jpeg50": ConditionSettings()}
    assert [each.name for each in choose(["jpeg50", "clean", "jpeg50"], settings)] == ["jpeg50", "clean"]
    with pytest.raises(ValueError, match="unknown condition 'jpg50'; did you mean jpeg50"):
        choose(["jpg50"], settings)
