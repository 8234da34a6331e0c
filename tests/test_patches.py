"""Patch selection against a per-patch float64 loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from nsnet.corpus.images import Pixels, decode_rgb
from nsnet.features import patches
from nsnet.features.views import ViewSettings, make_view
from tests.conftest import REALSET

SETTINGS = ViewSettings(size=112, patch_size=16, grid=7, lowest=24, interpolation="bicubic")


def entropy_loop(pixels: Pixels, size: int) -> npt.NDArray[np.float64]:
    """The definition, one patch at a time: full complex FFT, normalised power, -sum p log2 p."""
    rows, columns = pixels.shape[0] // size, pixels.shape[1] // size
    entropy = np.zeros((rows, columns))
    for row in range(rows):
        for column in range(columns):
            block = pixels[row * size : (row + 1) * size, column * size : (column + 1) * size].astype(np.float64)
            grey = (0.299 * block[..., 0] + 0.587 * block[..., 1] + 0.114 * block[..., 2]) / 255
            power = np.abs(np.fft.fft2(grey)) ** 2
            if power.sum() > 0:
                p = power / power.sum()
                p = p[p > 0]
                entropy[row, column] = -(p * np.log2(p)).sum()
    return entropy


@pytest.mark.parametrize("size", [16, 32])
def test_entropy_equals_the_loop(picture: Pixels, size: int) -> None:
    expected = entropy_loop(picture, size)
    found = patches.spectral_entropy(picture, size)
    # Both are float64 sums of some hundred terms of magnitude up to ten.
    np.testing.assert_allclose(found, expected, atol=1e-10)
    assert found.max() > 1  # the picture has both flat and noisy patches
    assert (patches.rank(found) == patches.rank(expected)).all()


def test_flat_patches_rank_in_raster_order() -> None:
    flat = np.full((64, 64, 3), 77, np.uint8)
    assert patches.rank(patches.spectral_entropy(flat, 16)).tolist() == list(range(16))


def test_black_patch_has_no_entropy() -> None:
    assert patches.spectral_entropy(np.zeros((32, 32, 3), np.uint8), 32).item() == 0


@pytest.mark.skipif(not REALSET.exists(), reason="the real pictures are not part of the project")
def test_ranking_equals_the_loop_on_every_real_file() -> None:
    files = sorted(path for kind in ("real", "fake") for path in (REALSET / kind).rglob("*") if path.is_file())
    different = [file.name for file in files if not _same_ranking(file)]
    assert len(files) >= 147
    assert different == []


def _same_ranking(file: Path) -> bool:
    pixels = decode_rgb(file.read_bytes())
    found, expected = patches.spectral_entropy(pixels, 32), entropy_loop(pixels, 32)
    return bool((patches.rank(found) == patches.rank(expected)).all())


def test_selection_takes_both_ends_and_shuffles_by_seed(rng: np.random.Generator) -> None:
    pixels = (rng.normal(128, np.linspace(1, 60, 224)[None, :, None], (224, 224, 3)).clip(0, 255)).astype(np.uint8)
    order = patches.rank(patches.spectral_entropy(pixels, 16))
    one, same, other = (patches.select(pixels, 16, 7, 24, seed) for seed in (1, 1, 2))
    chosen = (one.rows * 14 + one.cols).tolist()
    assert sorted(chosen) == sorted([*order[:24].tolist(), *order[-25:].tolist()])
    assert chosen == (same.rows * 14 + same.cols).tolist()
    assert chosen != (other.rows * 14 + other.cols).tolist()
    assert sorted(chosen) == sorted((other.rows * 14 + other.cols).tolist())
    stitched = patches.mosaic(pixels, one.rows, one.cols, 16)
    for slot in (0, 6, 48):
        row, column = divmod(slot, 7)
        source = pixels[one.rows[slot] * 16 :, one.cols[slot] * 16 :][:16, :16]
        assert (stitched[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16] == source).all()


@pytest.mark.parametrize(
    ("height", "width", "mosaic_rule", "crop_rule"),
    [(224, 224, "native", "native"), (64, 48, "cyclic", "upscaled"), (9, 40, "upscaled", "upscaled")],
)
def test_small_images_follow_a_stated_rule(height: int, width: int, mosaic_rule: str, crop_rule: str) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    mosaic, crop, full = (make_view(name, pixels, "id", 0, SETTINGS) for name in ("mosaic", "crop", "full"))
    assert (mosaic.rule, crop.rule, full.rule) == (mosaic_rule, crop_rule, "native")
    assert {view.pixels.shape for view in (mosaic, crop, full)} == {(112, 112, 3)}
    if mosaic_rule == "cyclic":
        assert mosaic.selection is not None
        used = np.bincount(mosaic.selection.rows * (width // 16) + mosaic.selection.cols)
        assert used.min() >= 49 // 12 and used.max() <= 49 // 12 + 1  # every patch, as evenly as 49 slots allow


def test_too_small_for_a_patch_is_an_error() -> None:
    with pytest.raises(ValueError, match="smaller than one 16 pixel patch"):
        patches.select(np.zeros((8, 40, 3), np.uint8), 16, 7, 24, 0)
