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

from nsnet.lab.portable import Image, cosine, settle, sine, uniform, uniforms

SIZE = 224
RELIEF, GRAIN, VEINS = range(3)

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
    """Draw a scene; `side` 0 or 1 restricts shape, colour and texture to that half, None does not.

    Args:
        rng: draws the words.
        side: 0, 1 or None; see `sides`.

    Returns:
        The scene.
    """

    def pick(words: tuple[str, ...]) -> str:
        pool = words if side is None else sides(words)[side]
        return pool[int(rng.integers(len(pool)))]

    backdrop = tuple(BACKDROPS)[int(rng.integers(len(BACKDROPS)))]
    return Scene(pick(SHAPES), pick(tuple(COLOURS)), pick(TEXTURES), backdrop)


def render(scene: Scene, rng: np.random.Generator) -> Image:
    """Render the scene's radiance.

    Args:
        scene: its words.
        rng: draws place, size, angle, texture, colours, light and relief.

    Returns:
        float32 (SIZE, SIZE, 3), linear light in [0, 1].

    Raises:
        ValueError: unknown shape or texture.
    """
    radius = uniform(rng, 58, 88)
    angle = np.deg2rad(uniform(rng, -18, 18))
    across, along = settle(np.array([np.cos(angle), np.sin(angle)]))
    cx, cy = SIZE / 2 + uniforms(rng, -20, 20, 2)
    ys, xs = np.arange(SIZE, dtype=np.float32)[:, None], np.arange(SIZE, dtype=np.float32)
    x = ((xs - cx) * across + (ys - cy) * along).astype(np.float32)
    y = ((ys - cy) * across - (xs - cx) * along).astype(np.float32)
    mask = np.clip(0.5 - _distance(scene.shape, x, y, np.float32(radius)), 0, 1)
    pattern = _pattern(scene.texture, x, y, rng)

    colour = np.asarray(COLOURS[scene.colour], np.float32) * uniforms(rng, 0.85, 1.1, 3).astype(np.float32)
    ground = np.asarray(BACKDROPS[scene.backdrop], np.float32) * uniforms(rng, 0.8, 1.15, 3).astype(np.float32)
    slope = uniforms(rng, -0.25, 0.25, 2).astype(np.float32)
    light = 1 + slope[0] * (xs / SIZE - 0.5) + slope[1] * (ys / SIZE - 0.5)

    # Natural surfaces have detail at every scale: without it smooth regions would betray any resampling.
    ground_relief = 1 + 0.28 * _noise_tile(rng, RELIEF) + 0.10 * _noise_tile(rng, GRAIN)
    object_relief = (1 + 0.10 * _noise_tile(rng, GRAIN)) * pattern
    lit = mask * light * object_relief
    unlit = (1 - mask) * light * ground_relief
    image = lit[..., None] * colour + unlit[..., None] * ground
    return np.clip(image, 0, 1, out=image)


@functools.cache
def _noise_tiles() -> list[Image]:
    """Tileable 512 x 512 fields of unit variance with spectra 1/f (relief), 1/f^0.5 (grain), 1/f^2 (veins)."""
    rng = np.random.default_rng(20250801)
    fx, fy = np.fft.rfftfreq(512)[None, :], np.fft.fftfreq(512)[:, None]
    frequency = np.sqrt(fx * fx + fy * fy)
    frequency[0, 0] = 1
    tiles = []
    for exponent in (1.0, 0.5, 2.0):
        spectrum = np.fft.rfft2(rng.standard_normal((512, 512))) / frequency**exponent
        spectrum[0, 0] = 0
        field = np.fft.irfft2(spectrum)
        tiles.append(settle(field / field.std()))
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
        shifted = np.sqrt(np.square(x - 0.5 * radius) + y * y)
        return np.maximum(r - radius, 0.8 * radius - shifted)
    if shape == "star":
        c = np.divide(
            -y, np.maximum(r, np.float32(1e-6))
        )  # cosine of the angle from the upright; next, of five times it
        five = c * (5 + c * c * (16 * c * c - 20))
        return r - radius * (0.72 + 0.33 * five)
    raise ValueError(f"unknown shape {shape!r}; expected one of {', '.join(SHAPES)}")


def _pattern(texture: str, x: Image, y: Image, rng: np.random.Generator) -> Image:
    """Reflectance factor in about [0.3, 1.1] drawn on the object, float32 (SIZE, SIZE)."""
    period = uniform(rng, 14, 22)
    if texture == "plain":
        return np.ones_like(x)
    u, v = x / np.float32(period), y / np.float32(period)
    if texture == "striped":
        wave = sine(u)
    elif texture == "wavy":
        wave = sine(v + 6 / np.float32(period) * sine(0.5 * u))
    elif texture == "checkered":
        wave = sine(0.7 * u) * sine(0.7 * v) * 3
    elif texture == "dotted":
        wave = 6 * (cosine(u) * cosine(v) - 0.45)
    elif texture == "marbled":
        wave = sine(0.3 * u + 1.432 * _noise_tile(rng, VEINS))
    else:
        raise ValueError(f"unknown texture {texture!r}; expected one of {', '.join(TEXTURES)}")
    return 0.72 + 0.38 * np.clip(2 * wave, -1, 1)
