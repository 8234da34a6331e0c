"""What a part of a picture adds to its score: found exactly where a detector is made to look, and drawn."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from matplotlib import cm
from PIL import Image
from scipy.special import expit, logit

import nsnet
from nsnet.core.files import safe_path
from nsnet.core.provenance import file_sha256
from nsnet.corpus.images import decode_rgb
from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.protocol import Needs
from nsnet.features.patches import rank, spectral_entropy
from nsnet.features.views import ViewSettings, make_view
from nsnet.prediction.explanations import Explanation
from nsnet.prediction.plots import SHOWN, explanation_plot
from nsnet.prediction.predictor import Predictor
from nsnet.prediction.scorer import Scorer
from nsnet.training.exports import SHIPPED
from tests.predictors import nsnet as command
from tests.predictors import shipped
from tests.trees import draw

SIDE = 16
SETTINGS = ViewSettings(size=112, patch_size=SIDE, grid=7, lowest=24, interpolation="bicubic")
Pixels = npt.NDArray[np.uint8]
load = partial(nsnet.load, detectors=SHIPPED.root)


class Looking(CnnDetector):
    """A detector whose log-odds are 2 for each red cell of the view, and -1.5 for each blue one."""

    def __init__(self) -> None:
        """Nothing is set, and nothing learned."""

    def score(self, batches: Iterable[torch.Tensor]) -> npt.NDArray[np.float64]:
        views = torch.cat(list(batches)).numpy().astype(int)
        grid = views.shape[1] // SIDE
        cells = views.reshape(-1, grid, SIDE, grid, SIDE, 3).mean(axis=(2, 4))
        red = (cells[..., 0] > 200) & (cells[..., 1] < 60)
        blue = (cells[..., 2] > 200) & (cells[..., 1] < 60)
        return expit(2 * red.sum(axis=(1, 2)) - 1.5 * blue.sum(axis=(1, 2)))


def looking(view: str, draws: int = 3) -> Predictor:
    scorer = Scorer(Looking(), Needs("pixels", view), SETTINGS, None, "cpu")  # type: ignore[arg-type]  # its Settings are narrower
    return Predictor(scorer, shipped(), draws)


def scene(rows: int, columns: int, red: Sequence[tuple[int, int]], blue: Sequence[tuple[int, int]]) -> Pixels:
    """Green noise of many strengths, with flat red patches and noisy blue ones: lowest and highest entropy."""
    rng = np.random.default_rng(3)
    pixels = np.zeros((rows * SIDE, columns * SIDE, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            patch = np.s_[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
            pixels[patch] = np.clip(rng.normal(128, rng.uniform(1, 40), (SIDE, SIDE, 1)), 0, 255) * [0.2, 1, 0.2]
            if (row, column) in red:
                pixels[patch] = (250, 10, 10)
            if (row, column) in blue:
                pixels[patch] = rng.integers((0, 0, 205), (90, 90, 255), (SIDE, SIDE, 3))
    return pixels


def by_place(found: Explanation) -> dict[tuple[float, ...], float]:
    return {tuple(place): value for place, value in zip(found.places.tolist(), found.contributions, strict=True)}


def corners(row: int, column: int, side: float = SIDE, top: float = 0, left: float = 0) -> tuple[float, ...]:
    return (row * side + top, column * side + left, (row + 1) * side + top, (column + 1) * side + left)


def check(found: Explanation, red: set[tuple[float, ...]], blue: set[tuple[float, ...]], times: int = 1) -> None:
    """Exactly the red and the blue parts count, with the weights that the detector gives them."""
    known = by_place(found)
    assert red | blue <= set(known)
    for place, value in known.items():
        # Log-odds of at most 14 from probabilities in float64: half of eps, over 1 - p = 8e-7, and as much again.
        assert value == pytest.approx(times * (2.0 if place in red else -1.5 if place in blue else 0), abs=3e-10)


def test_the_patches_that_a_detector_looks_at_are_found() -> None:
    red, blue = [(0, 3), (5, 11), (9, 0)], [(2, 2), (8, 12)]
    found = looking("mosaic").explain(Image.fromarray(scene(10, 13, red, blue)))
    assert (found.shown, found.instead, len(found.places)) == ("mosaic", "next patch", 49)
    check(found, {corners(*place) for place in red}, {corners(*place) for place in blue})
    assert found.prediction.score == pytest.approx(expit(2 * 3 - 1.5 * 2)) and found.prediction.draws == 3
    # Each cell of the mosaic that is shown holds the part that it is said to.
    for row, column in np.ndindex(7, 7):
        top, left, bottom, right = found.places[found.cells[row, column]].astype(int)
        cell = found.view[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        assert (cell == found.picture[top:bottom, left:right]).all()


def test_a_patch_gives_way_to_the_next_of_its_kind() -> None:
    red = [(row, 0) for row in range(10)] + [(row, 1) for row in range(10)] + [(row, 2) for row in range(6)]
    picture = scene(10, 13, red, ())
    found = looking("mosaic", draws=1).explain(Image.fromarray(picture))
    # 26 flat patches, of which the first 24 are chosen: for each that goes, the 25th comes, as red as it was.
    assert found.contributions.tolist() == [0] * 49
    chosen = {tuple(place) for place in found.places.tolist()}
    assert sum(corners(*place) in chosen for place in red) == 24


def test_where_no_patch_is_to_spare_parts_are_painted_in_the_mean_colour() -> None:
    red, blue = [(1, 2)], [(0, 0)]
    found = looking("mosaic").explain(Image.fromarray(scene(7, 7, red, blue)))
    assert found.instead == "mean colour" and len(found.places) == 49
    check(found, {corners(1, 2)}, {corners(0, 0)})
    # Few patches fill several cells each, all of which are painted: 49 cells of 7 patches.
    few = looking("mosaic").explain(Image.fromarray(scene(1, 7, [(0, 4)], ())))
    assert few.instead == "mean colour" and np.bincount(few.cells.ravel()).tolist() == [7] * 7
    check(few, {corners(0, 4)}, set(), times=7)


def test_cells_of_crop_and_full_are_found() -> None:
    picture = scene(9, 11, [(2, 3)], [(5, 6)])
    crop = looking("crop", draws=8).explain(Image.fromarray(picture))
    assert (crop.shown, crop.instead, crop.prediction.draws) == ("crop", "mean colour", 1)
    check(crop, {corners(2, 3)}, {corners(5, 6)})  # the crop begins at patch (1, 2)
    whole = np.kron(scene(7, 7, [(2, 3)], [(5, 6)]), np.ones((3, 2, 1), np.uint8))
    full = looking("full").explain(Image.fromarray(whole))
    stretched = [(row * 48.0, column * 32.0, (row + 1) * 48.0, (column + 1) * 32.0) for row, column in ((2, 3), (5, 6))]
    check(full, {stretched[0]}, {stretched[1]})


def test_small_pictures_are_explained_as_they_are_enlarged() -> None:
    found = looking("crop").explain(Image.fromarray(scene(3, 4, [(1, 1)], ())))
    assert found.picture.shape == (112, 149, 3) and found.places[:, 1].min() == (149 - 112) // 2
    tiny = looking("mosaic").explain(Image.new("RGB", (9, 8), "red"))
    assert tiny.picture.shape == (16, 18, 3) and tiny.places.tolist() == [[0, 0, 16, 16]]
    assert tiny.contributions.tolist() == [0]  # its mean colour is itself


def test_the_prediction_is_that_of_predict_and_the_sum_a_loop(tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", 1)
    detector = load("cnn-control", draws=2)
    found, said = detector.explain(path), detector.predict(path)
    assert {**vars(found.prediction), **dict.fromkeys(("score", "low", "high"))} == {
        **vars(said),
        **dict.fromkeys(("score", "low", "high")),
    }
    # 50 views in a pass in place of 2: sums in another order, some 1e-6 of a logit.
    assert [found.prediction.score, found.prediction.low] == pytest.approx([said.score, said.low], abs=1e-6)
    pixels, name = decode_rgb(path.read_bytes()), file_sha256(path)
    order = rank(spectral_entropy(pixels, SIDE))
    assert len(order) == 72
    for part in (0, 20, 48):
        top, left = found.places[part, :2].astype(int)
        number = top // SIDE * 9 + left // SIDE
        other = order[24] if number in order[:24] else order[-26]
        fell = []
        for shuffle in range(2):
            view = make_view("mosaic", pixels, name, shuffle, SETTINGS)
            assert view.selection is not None
            without, rows, columns = view.pixels.copy(), view.selection.rows, view.selection.cols
            [slot] = np.flatnonzero((rows == top // SIDE) & (columns == left // SIDE))
            y, x = slot // 7 * SIDE, slot % 7 * SIDE
            row, column = other // 9 * SIDE, other % 9 * SIDE
            without[y : y + SIDE, x : x + SIDE] = pixels[row : row + SIDE, column : column + SIDE]
            scores = detector._scorer.detector.score([torch.from_numpy(np.stack([view.pixels, without]))])
            fell.append(logit(scores[0]) - logit(scores[1]))
        assert found.contributions[part] == pytest.approx(np.mean(fell), abs=1e-4)  # logits near 10 in float32


def test_bad_pictures_are_named_and_the_rest_explained(tmp_path: Path) -> None:
    good, bad = draw(tmp_path / "a.png", 1), tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    detector = load("univfd")
    with pytest.raises(ValueError, match=r"1 of 1 pictures cannot be scored:\n.*bad.png: cannot be decoded"):
        detector.explain(bad)
    first, second = detector.explanations([bad, good])
    assert isinstance(first, nsnet.Rejection) and isinstance(second, nsnet.Explanation)
    assert second.contributions.dtype == np.float64 and second.prediction.path == str(good)


@pytest.fixture(scope="module")
def explained() -> Explanation:
    return looking("mosaic").explain(Image.fromarray(scene(10, 13, [(0, 3)], [(2, 2)])))


def shades(path: Path) -> set[tuple[int, ...]]:
    with Image.open(path) as image:
        return set(map(tuple, np.asarray(image.convert("RGB")).reshape(-1, 3).tolist()))


def test_a_plot_has_the_same_bytes_and_colours_from_blue_to_red(explained: Explanation, tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        explanation_plot(explained, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (1440, 768) and "Software" not in image.info
    # 2 at one end of the scale; -1.5 is three quarters of the way to the other: centred at 0.
    frames = [tuple(round(255 * part) for part in cm.RdBu_r((1 + value / 2) / 2)[:3]) for value in (2, -1.5)]  # type: ignore[attr-defined]
    assert set(frames) <= shades(tmp_path / "a.png")


def test_nothing_is_left_of_a_plot_that_fails(
    explained: Explanation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OSError("no room")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", fail)
    with pytest.raises(OSError, match="no room"):
        explanation_plot(explained, tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_large_flat_and_oddly_named_ones_are_drawn(tmp_path: Path) -> None:
    flat = looking("full").explain(Image.new("RGB", (SHOWN * 2, 40), "green"))
    assert not flat.contributions.any()
    odd = Explanation(**{**vars(flat), "prediction": nsnet.Prediction(**{**vars(flat.prediction), "detector": "$x^"})})
    explanation_plot(odd, tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 10_000


def test_the_command_draws_each_picture_under_a_name_of_its_own(tmp_path: Path) -> None:
    names = ["a.png", "a.jpg", "more/a.png", "more%2Fa.png"]
    for seed, name in enumerate(names):
        draw(tmp_path / "photos" / name, seed)
    (tmp_path / "photos/bad.jpg").write_bytes(b"no picture")
    words = ["predict", "photos", "--detector", "univfd", "--format", "json"]
    finished = command(tmp_path, *words, "--explain", "out")
    assert finished.exit_code == 3
    drawn = sorted((tmp_path / "out").iterdir())
    shown = [row["path"] for row in json.loads(finished.stdout) if row["reason"] is None]
    expected = [safe_path(tmp_path / "out", name, suffix=".explained.png") for name in shown]
    assert drawn == sorted(expected) and len(set(expected)) == len(names)
    assert (tmp_path / "out/photos%2Fmore%2Fa.png.explained.png").exists()
    assert "4 explanations in out" in finished.stderr
    plain = json.loads(command(tmp_path, *words).stdout)
    for row, before in zip(json.loads(finished.stdout), plain, strict=True):
        assert row["score"] == (before["score"] and pytest.approx(before["score"], abs=1e-6))
    both = command(tmp_path, *words, "--explain", "out", "--redeliver")
    assert both.exit_code == 2 and "expected one of them" in both.stderr
