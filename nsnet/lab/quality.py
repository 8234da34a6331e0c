"""Photographic quality as words: how the lab CLIP learns to see local texture.

Captions on the web say "blurry" or "pixelated"; those words taught CLIP to look at
texture as well as content. Each word here is a generic degradation and none is a
generator: the simulators are never shown to the lab CLIP.
"""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image as PILImage
from PIL import ImageFilter

from nsnet.lab.portable import normal, uniform

WORDS = ("clear", "grainy", "blurry", "pixelated", "oversharpened", "compressed")


def degrade(image: PILImage.Image, word: str, rng: np.random.Generator) -> PILImage.Image:
    """Apply the quality a word names, at a random strength, to an 8-bit RGB image.

    Args:
        image: 8-bit RGB.
        word: of WORDS.
        rng: draws the strength.

    Returns:
        8-bit RGB, of the same size.

    Raises:
        ValueError: an unknown word.
    """
    width, height = image.size
    if word == "clear":
        return image
    if word == "grainy":
        pixels = np.asarray(image, np.float32)
        pixels = pixels + normal(rng, pixels.shape) * np.float32(uniform(rng, 4, 30))
        return PILImage.fromarray(np.clip(pixels + 0.5, 0, 255).astype(np.uint8))
    if word == "blurry":
        return image.filter(ImageFilter.GaussianBlur(uniform(rng, 0.5, 2.5)))
    if word == "pixelated":
        factor = uniform(rng, 1.2, 4.0)
        small = image.resize((round(width / factor), round(height / factor)), PILImage.Resampling.BOX)
        return small.resize((width, height), PILImage.Resampling.NEAREST)
    if word == "oversharpened":
        return image.filter(ImageFilter.UnsharpMask(uniform(rng, 0.8, 2.0), int(rng.integers(60, 400)), 0))
    if word == "compressed":
        return recompress(image, int(rng.integers(15, 75)))
    raise ValueError(f"unknown quality {word!r}; expected one of {', '.join(WORDS)}")


def recompress(image: PILImage.Image, quality: int) -> PILImage.Image:
    """Save as JPEG at an IJG quality and read back.

    Args:
        image: 8-bit RGB.
        quality: 1 to 100, as libjpeg counts.

    Returns:
        8-bit RGB, of the same size.
    """
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return PILImage.open(buffer).convert("RGB")


def to_uint8(image: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    """Display-referred float [0, 1] to 8 bits, rounded and clipped."""
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)
