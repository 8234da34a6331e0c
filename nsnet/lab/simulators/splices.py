"""Local splice-and-blend edits: swapped faces, personalised regions, inpainting.

The donor of every splice is the picture itself, changed: self-blended images
(Shiohara and Yamasaki, 2022), so that content never gives the edit away.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nsnet.lab.portable import Image, normal, settle, uniform, uniforms
from nsnet.lab.simulators.operations import Resampling, blur, guided, mix, resize, shrink


def feathered_paste(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A rescaled region under a soft mask: classic face swapping (FaceSwap; Roessler et al., 2019)."""
    return mix(image, _zoom(image, 1.12), _mask(image, rng, feather=6) * strength)


def pyramid_blend(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Donor mixed band by band, wide mask for coarse, narrow for fine (Burt and Adelson, 1983; E4S, 2023)."""
    donor, mask = _zoom(image, 1.2), _mask(image, rng, feather=2)
    fake = np.zeros_like(image)
    for fine, coarse, width in ((0.0, 1.5, 0.8), (1.5, 6.0, 5.0), (6.0, None, 12.0)):
        bands = [_band(picture, fine, coarse) for picture in (image, donor)]
        fake += mix(bands[0], bands[1], blur(mask, width) * strength)
    return fake


def inpainting(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A region painted anew, smooth where the photograph is grainy (Lugmayr et al., RePaint, 2022)."""
    return mix(image, guided(image, 7, 0.02), _mask(image, rng, feather=3) * strength)


def colour_transfer(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Resampled region matched in mean and contrast (Reinhard et al., 2001; BlendFace, Shiohara et al., 2023)."""
    donor = resize(shrink(image, 1.5, Resampling.BICUBIC), image.shape, Resampling.BICUBIC)
    own, other = (settle(picture.mean(axis=(0, 1), dtype=np.float64)) for picture in (image, donor))
    donor = (donor - other) * np.float32(1.15) + own
    return mix(image, donor, _mask(image, rng, feather=4) * strength)


def warped_swap(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Region bent by a smooth field and interpolated linearly (Chen et al., SimSwap, 2020)."""
    rows, columns = (np.arange(side, dtype=np.float32) for side in image.shape[:2])
    phase = uniforms(rng, 0, 2 * np.pi, 2)
    ys = rows[:, None] + settle(2.5 * np.sin(columns / 17 + phase[0]) + 0.5)
    xs = columns + settle(2.5 * np.sin(rows / 19 + phase[1]) + 0.5)[:, None]
    planes = [ndimage.map_coordinates(image[..., c], (ys, xs), order=1, mode="nearest") for c in range(3)]
    return mix(image, np.stack(planes, axis=-1), _mask(image, rng, feather=5) * strength)


def low_resolution_swap(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A region made at half size and enlarged into place (InSwapper works at 128 pixels)."""
    donor = resize(shrink(image, 2), image.shape, Resampling.BICUBIC)
    return mix(image, donor, _mask(image, rng, feather=3) * strength)


def copy_move(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A turned piece of the same picture laid over another place (Christlein et al., 2012)."""
    donor = ndimage.rotate(image, uniform(rng, 8, 20), order=1, reshape=False, mode="mirror")
    return mix(image, donor, _mask(image, rng, feather=1.5) * strength)


def regrained_edit(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A denoised region given white grain to hide it: noise inconsistent with the sensor (Lyu et al., 2014)."""
    grain = np.float32(0.025) * normal(rng, image.shape)
    return mix(image, blur(image, 1.0) + grain, _mask(image, rng, feather=4) * strength)


def _mask(image: Image, rng: np.random.Generator, feather: float) -> Image:
    """Soft ellipse over about half of the picture: float32 (H, W, 1) in [0, 1]."""
    height, width = image.shape[:2]
    ys, xs = np.mgrid[0:height, 0:width].astype(np.float32)
    cy, cx = height * uniform(rng, 0.42, 0.58), width * uniform(rng, 0.42, 0.58)
    ry, rx = height * uniform(rng, 0.36, 0.46), width * uniform(rng, 0.36, 0.46)
    distance = (np.sqrt(np.square((ys - cy) / ry) + np.square((xs - cx) / rx)) - 1) * min(ry, rx)
    return np.clip(0.5 - distance / (2 * feather), 0, 1)[..., None].astype(np.float32)


def _zoom(image: Image, factor: float) -> Image:
    """Enlarge about the centre by `factor`, size kept, bilinear."""
    height, width = image.shape[:2]
    large = resize(image, (round(height * factor), round(width * factor)), Resampling.BILINEAR)
    top, left = (large.shape[0] - height) // 2, (large.shape[1] - width) // 2
    return large[top : top + height, left : left + width]


def _band(image: Image, fine: float, coarse: float | None) -> Image:
    upper = blur(image, fine) if fine else image
    return upper - blur(image, coarse) if coarse else upper
