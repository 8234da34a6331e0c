"""Up-sampling decoders: the last layers of GANs and cascades that double the canvas."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from nsnet.lab.portable import Image, normal, settle, smooth
from nsnet.lab.simulators.operations import Resampling, mix, resize, shrink


def nearest_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Nearest-neighbour doubling and a 3x3 convolution: replicated spectrum (Zhang et al., AutoGAN, 2019)."""
    doubled = resize(shrink(image, 2), image.shape, Resampling.NEAREST)
    return mix(image, smooth(doubled, np.array([0.12])), strength)


def bilinear_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Bilinear doubling: periodic variance and a spectral hole (StyleGAN; Durall et al., 2020)."""
    return mix(image, resize(shrink(image, 2), image.shape, Resampling.BILINEAR), strength)


def bicubic_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Bicubic doubling with its overshoot: super-resolution heads (Wang et al., ESRGAN, 2018)."""
    return mix(image, resize(shrink(image, 2), image.shape, Resampling.BICUBIC), strength)


def transposed_convolution(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Stride-2 transposed convolution of odd size: checkerboards from uneven overlap (Odena et al., 2016)."""
    canvas = np.zeros_like(image)
    canvas[::2, ::2] = shrink(image, 2)
    kernel = settle(np.outer([0.45, 1.0, 0.53], [0.53, 1.0, 0.45]))
    return mix(image, ndimage.correlate(canvas, kernel[..., None], mode="nearest"), strength)


def subpixel_convolution(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Pixel shuffle: each of the four phases has filters of its own (Shi et al., 2016; Aitken et al., 2017)."""
    half = shrink(image, 2)
    fake = np.empty_like(image)
    for phase, gain in enumerate((1.015, 0.985, 0.99, 1.01)):
        dy, dx = divmod(phase, 2)
        offset = ((0.5 - dy) * 0.5, (0.5 - dx) * 0.5, 0.0)
        fake[dy::2, dx::2] = ndimage.shift(half, offset, order=1, mode="nearest") * np.float32(gain)
    return mix(image, fake, strength)


def alias_free_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Ideal low-pass doubling: no replica, an empty upper band (Karras et al., StyleGAN3, 2021)."""
    spectrum = fft.rfft2(image.astype(np.float64), axes=(0, 1))
    rows, columns = np.abs(fft.fftfreq(image.shape[0])), fft.rfftfreq(image.shape[1])
    keep = (rows[:, None] <= 0.25) & (columns[None, :] <= 0.25)
    fake = fft.irfft2(spectrum * keep[..., None], image.shape[:2], axes=(0, 1))
    return mix(image, settle(fake), strength)


def super_resolution_cascade(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Two Lanczos stages of ratio 4/3 and 3/2, as text-to-image cascades do (Saharia et al., Imagen, 2022)."""
    height, width = image.shape[:2]
    middle = resize(shrink(image, 2, Resampling.LANCZOS), (height * 2 // 3, width * 2 // 3), Resampling.LANCZOS)
    return mix(image, resize(middle, (height, width), Resampling.LANCZOS), strength)


def noise_injection_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Bilinear doubling, then white noise without a sensor's mosaic (noise inputs, Karras et al., 2019)."""
    doubled = resize(shrink(image, 2), image.shape, Resampling.BILINEAR)
    noise = normal(rng, image.shape[:2])[..., None]
    lost = np.float32((image - doubled).std(dtype=np.float64))
    return mix(image, doubled + lost * noise, strength)
