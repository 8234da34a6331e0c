"""Captioned procedural scenes: one shaped, coloured, textured object before a backdrop.

The semantics of a scene are exactly the four words of its caption, so a text
encoder can name them and a null space can remove them. Shapes, colours and
textures are split in two *sides*; a planted semantic bias draws real and fake
training pictures from different sides (`nsnet.lab.corpus`).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIZE = 224
RELIEF, GRAIN, VEINS = range(3)
Image = npt.NDArray[np.float32]

SHAPES = ("circle", "triangle", "ring", "bar", "square", "star", "cross", "crescent")
COLOURS = {
    "red": (0.75, 0.06, 0.05),
    "yellow": (0.85, 0.72, 0.05),
    "pink": (0.90, 0.35, 0.55),
    "orange": (0.88, 0.33, 0.03),
    "green": (0.06, 0.50, 0.08),
    "blue": (0.05, 0.14, 0.75),
    "cyan": (0.08, 0.65, 0.75),
    "purple": (0.32, 0.06, 0.50),
}
TEXTURES = ("plain", "striped", "dotted", "checkered", "wavy", "marbled")
BACKDROPS = {
    "gray": (0.30, 0.30, 0.31),
    "sandy": (0.55, 0.43, 0.27),
    "grassy": (0.20, 0.30, 0.12),
    "cloudy": (0.62, 0.66, 0.72),
    "wooden": (0.30, 0.18, 0.09),
    "rocky": (0.16, 0.15, 0.15),
}


@dataclass(frozen=True)
class Scene:
    """The words that describe one picture."""

    shape: str
    colour: str
    texture: str
    backdrop: str

    @property
    def caption(self) -> str:
        """Content-only caption, as an image captioner would write it."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.texture} {self.shape} on a {self.backdrop} background"


def sides(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The two halves of a vocabulary between which the planted bias chooses."""
    half = len(words) // 2
    return words[:half], words[half:]


def draw_scene(rng: np.random.Generator, side: int | None = None) -> Scene:
    """Draw a scene; `side` 0 or 1 restricts shape, colour and texture to that half, None does not."""

    def pick(words: tuple[str, ...]) -> str:
        pool = words if side is None else sides(words)[side]
        return pool[int(rng.integers(len(pool)))]

    backdrop = tuple(BACKDROPS)[int(rng.integers(len(BACKDROPS)))]
    return Scene(pick(SHAPES), pick(tuple(COLOURS)), pick(TEXTURES), backdrop)


def render(scene: Scene, rng: np.random.Generator) -> Image:
    """Render the scene's radiance: float32 (SIZE, SIZE, 3), linear light in [0, 1]."""
    radius = rng.uniform(58, 88)
    angle = np.deg2rad(rng.uniform(-18, 18))
    cx, cy = SIZE / 2 + rng.uniform(-20, 20, size=2)
    ys, xs = _grid()
    x = ((xs - cx) * np.cos(angle) + (ys - cy) * np.sin(angle)).astype(np.float32)
    y = ((ys - cy) * np.cos(angle) - (xs - cx) * np.sin(angle)).astype(np.float32)
    mask = np.clip(0.5 - _distance(scene.shape, x, y, np.float32(radius)), 0, 1)
    pattern = _pattern(scene.texture, x, y, rng)

    colour = np.asarray(COLOURS[scene.colour], np.float32) * rng.uniform(0.85, 1.1, 3).astype(np.float32)
    ground = np.asarray(BACKDROPS[scene.backdrop], np.float32) * rng.uniform(0.8, 1.15, 3).astype(np.float32)
    slope = rng.uniform(-0.25, 0.25, 2).astype(np.float32)
    light = 1 + slope[0] * (xs / SIZE - 0.5) + slope[1] * (ys / SIZE - 0.5)

    # Natural surfaces have detail at every scale: without it smooth regions would betray any resampling.
    ground_relief = 1 + 0.28 * _noise_tile(rng, RELIEF) + 0.10 * _noise_tile(rng, GRAIN)
    object_relief = (1 + 0.10 * _noise_tile(rng, GRAIN)) * pattern
    lit = mask * light * object_relief
    unlit = (1 - mask) * light * ground_relief
    image = lit[..., None] * colour + unlit[..., None] * ground
    return np.clip(image, 0, 1, out=image)


@functools.cache
def _grid() -> tuple[Image, Image]:
    ys, xs = np.mgrid[0:SIZE, 0:SIZE].astype(np.float32)
    return ys, xs


@functools.cache
def _noise_tiles() -> list[Image]:
    """Tileable 512 x 512 fields of unit variance with spectra 1/f (relief), 1/f^0.5 (grain), 1/f^2 (veins)."""
    rng = np.random.default_rng(20250801)
    fx, fy = np.fft.rfftfreq(512)[None, :], np.fft.fftfreq(512)[:, None]
    frequency = np.sqrt(fx**2 + fy**2)
    frequency[0, 0] = 1
    tiles = []
    for exponent in (1.0, 0.5, 2.0):
        spectrum = np.fft.rfft2(rng.standard_normal((512, 512))) / frequency**exponent
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum)
        tiles.append((field / field.std()).astype(np.float32))
    return tiles


def _noise_tile(rng: np.random.Generator, kind: int) -> Image:
    tile = _noise_tiles()[kind]
    top, left = rng.integers(0, 512 - SIZE, size=2)
    return tile[top : top + SIZE, left : left + SIZE][:: rng.choice((-1, 1)), :: rng.choice((-1, 1))]


def _distance(shape: str, x: Image, y: Image, radius: np.float32) -> Image:
    """Signed distance in pixels to the shape's outline (negative inside), exact near the outline."""
    ax, ay = np.abs(x), np.abs(y)
    if shape == "square":
        return np.maximum(ax, ay) - 0.85 * radius
    if shape == "bar":
        return np.maximum(ax - 1.1 * radius, ay - 0.3 * radius)
    if shape == "cross":
        upright, level = np.maximum(ax - 0.3 * radius, ay - radius), np.maximum(ay - 0.3 * radius, ax - radius)
        return np.minimum(upright, level)
    if shape == "triangle":
        return np.maximum(0.866 * ax - 0.5 * y, y) - 0.55 * radius
    r = np.sqrt(x * x + y * y)
    if shape == "circle":
        return r - radius
    if shape == "ring":
        return np.abs(r - 0.75 * radius) - 0.25 * radius
    if shape == "crescent":
        shifted = np.sqrt((x - 0.5 * radius) ** 2 + y * y)
        return np.maximum(r - radius, 0.8 * radius - shifted)
    if shape == "star":
        return r - radius * (0.72 + 0.33 * np.cos(5 * np.arctan2(x, -y)))
    raise ValueError(f"unknown shape {shape!r}; expected one of {', '.join(SHAPES)}")


def _pattern(texture: str, x: Image, y: Image, rng: np.random.Generator) -> Image:
    """Reflectance factor in about [0.3, 1.1] drawn on the object, float32 (SIZE, SIZE)."""
    period = rng.uniform(14, 22)
    k = np.float32(2 * np.pi / period)
    if texture == "plain":
        return np.ones_like(x)
    if texture == "striped":
        wave = np.sin(k * x)
    elif texture == "wavy":
        wave = np.sin(k * (y + 6 * np.sin(k * 0.5 * x)))
    elif texture == "checkered":
        wave = np.sin(0.7 * k * x) * np.sin(0.7 * k * y) * 3
    elif texture == "dotted":
        wave = 6 * (np.cos(k * x) * np.cos(k * y) - 0.45)
    elif texture == "marbled":
        wave = np.sin(0.3 * k * x + 9 * _noise_tile(rng, VEINS))
    else:
        raise ValueError(f"unknown texture {texture!r}; expected one of {', '.join(TEXTURES)}")
    return 0.72 + 0.38 * np.clip(2 * wave, -1, 1)
