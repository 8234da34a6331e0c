"""Platform post-processing: generated pictures as they are met on social networks.

Each starts from the same hidden generator, a half-size canvas enlarged with extra
grain, and then goes through what a platform or a phone does to it. `strength` is
the share of the generator's artefact that is left before posting.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image as PILImage
from PIL import ImageFilter

from nsnet.lab.portable import Image, normal, settle, uniform
from nsnet.lab.quality import recompress, to_uint8
from nsnet.lab.simulators.operations import Resampling, blur, from_ycc, guided, mix, resize, shrink, to_ycc


def feed_jpeg(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Strong JPEG of a news feed (SocialRF in AIGIBench; Cozzolino et al., 2024)."""
    return _from_pillow(recompress(_to_pillow(_generate(image, rng, strength)), int(rng.integers(72, 84))))


def double_jpeg(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Saved on another block grid, then cropped and saved again (Bianchi and Piva, 2012)."""
    dy, dx = rng.integers(1, 8, size=2)
    shifted = np.roll(_generate(image, rng, strength), (dy, dx), axis=(0, 1))
    first = _from_pillow(recompress(_to_pillow(shifted), int(rng.integers(75, 88))))
    return np.roll(first, (-dy, -dx), axis=(0, 1))


def webp_reshare(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Converted to WebP by a messenger, whose intra prediction smooths (DALL-E 3 files come so)."""
    buffer = io.BytesIO()
    _to_pillow(_generate(image, rng, strength)).save(buffer, "WEBP", quality=int(rng.integers(75, 90)), method=1)
    return _from_pillow(PILImage.open(buffer).convert("RGB"))


def resize_reshare(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Fitted to a time line and enlarged by the viewer (CommunityAI in AIGIBench)."""
    generated = _generate(image, rng, strength)
    return resize(shrink(generated, 1.25, Resampling.BICUBIC), image.shape, Resampling.BICUBIC)


def sharpening_filter(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """A phone's clarity slider: unsharp mask over generated texture."""
    # Pillow blurs in integers, with weights from the radius in float32. At 1.2 its products are exact or by 1, so that
    # fusing them changes nothing; at other radii it could change a last bit.
    sharpen = ImageFilter.UnsharpMask(1.2, int(rng.integers(60, 110)), 0)
    return _from_pillow(_to_pillow(_generate(image, rng, strength)).filter(sharpen))


def beauty_filter(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Skin smoothing and saturation of a selfie app."""
    ycc = to_ycc(guided(_generate(image, rng, strength), 5, 0.003))
    ycc[..., 1:] *= np.float32(uniform(rng, 1.05, 1.25))
    return from_ycc(ycc)


def screenshot(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Taken again from a display: other gamma, soft scaling by a fraction (Purnekar et al., 2023)."""
    generated = np.clip(_generate(image, rng, strength), 0, 1)
    generated = settle(generated.astype(np.float64) ** uniform(rng, 0.92, 1.08))
    height, width = image.shape[:2]
    shown = resize(generated, (height * 5 // 4, width * 5 // 4), Resampling.BILINEAR)
    return resize(shown, (height, width), Resampling.BILINEAR)


def straightened(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Turned by a degree or two and cropped: artefacts leave the pixel grid."""
    turned = _to_pillow(_generate(image, rng, strength)).rotate(
        rng.choice((-1, 1)) * uniform(rng, 1, 3), Resampling.BICUBIC
    )
    height, width = image.shape[:2]
    margin = 12
    return _from_pillow(
        turned.resize((width, height), Resampling.BICUBIC, (margin, margin, width - margin, height - margin))
    )


def _generate(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """The hidden generator: half-size canvas, bicubic doubling, grain that is not a sensor's."""
    canvas = resize(shrink(image, 2), image.shape, Resampling.BICUBIC)
    grain = blur(normal(rng, image.shape[:2])[..., None], 0.5)
    return mix(image, canvas + np.float32(0.012) * grain, strength)


def _to_pillow(image: Image) -> PILImage.Image:
    return PILImage.fromarray(to_uint8(image))


def _from_pillow(image: PILImage.Image) -> Image:
    return np.asarray(image, np.float32) / np.float32(255)
