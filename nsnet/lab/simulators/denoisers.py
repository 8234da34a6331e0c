"""Iterative denoisers: what diffusion samplers leave when they walk from noise to a picture."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

from nsnet.lab.portable import Image, normal, settle
from nsnet.lab.simulators.operations import blur, box, guided, mix


def ancestral_sampler(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Noise and denoise by turns; the last noise stays a little (Ho et al., DDPM, 2020)."""
    fake = image
    for level in (0.06, 0.03, 0.015):
        noisy = fake + np.float32(level) * normal(rng, image.shape)
        fake = guided(noisy, 3, 2 * level * level)
    return mix(image, fake, strength)


def guided_denoiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Edge-preserving mean estimate, flat surfaces left waxy (Dhariwal and Nichol, guided diffusion, 2021)."""
    return mix(image, guided(guided(image, 5, 0.004), 3, 0.002), strength)


def total_variation_denoiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Gradient steps on total variation: staircases (Rudin et al., 1992; score distillation, Poole et al., 2023)."""
    fake = image
    for _ in range(6):
        dy, dx = np.diff(fake, axis=0, append=fake[-1:]), np.diff(fake, axis=1, append=fake[:, -1:])
        size = np.sqrt(dy * dy + dx * dx + np.float32(1e-4))
        down, across = dy / size, dx / size
        divergence = down - np.roll(down, 1, 0) + across - np.roll(across, 1, 1)
        fake = (fake + np.float32(0.008) * divergence).astype(np.float32, copy=False)
    return mix(image, fake, strength)


def wavelet_shrinkage(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Soft threshold on undecimated details at two scales (Donoho, 1995; few-step samplers)."""
    fine, coarse = blur(image, 0.8), blur(image, 1.6)
    details = [np.sign(band) * np.maximum(np.abs(band) - 0.03, 0) for band in (image - fine, fine - coarse)]
    return mix(image, coarse + details[0] + details[1], strength)


def wiener_denoiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Local linear minimum-error estimate: the ideal one-step denoiser of Gaussian texture (Lee, 1980)."""
    mean = box(image, 3)
    variance = np.maximum(box(image * image, 3) - mean * mean, 0)
    noise = variance.mean(axis=(0, 1), dtype=np.float64).astype(np.float32) * np.float32(0.8)
    return mix(image, mean + np.maximum(variance - noise, 0) / (variance + np.float32(1e-6)) * (image - mean), strength)


def median_denoiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Median in place of mean, as an L1-trained denoiser gives (Lehtinen et al., Noise2Noise, 2018)."""
    neighbours = [np.roll(image, shift, axis=(0, 1)) for shift in ((0, 0), (0, 1), (0, -1), (1, 0), (-1, 0))]
    return mix(image, np.median(np.stack(neighbours), axis=0), strength)


def anisotropic_diffusion(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Heat flow that stops at edges, five steps (Perona and Malik, 1990; heat dissipation, Rissanen et al., 2023)."""
    fake = image
    for _ in range(5):
        flows = [np.roll(fake, shift, axis) - fake for shift, axis in ((1, 0), (-1, 0), (1, 1), (-1, 1))]
        fake = fake + np.float32(0.15) * sum(flow / (1 + np.square(flow / np.float32(0.08))) for flow in flows)
    return mix(image, fake, strength)


def spectral_shrinkage(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """High frequencies under-estimated along a power law (Ricker et al., 2022; Corvi et al., 2023)."""
    spectrum = fft.rfft2(image.astype(np.float64), axes=(0, 1))
    rows, columns = fft.fftfreq(image.shape[0]), fft.rfftfreq(image.shape[1])
    frequency = np.sqrt(np.square(rows[:, None]) + np.square(columns[None, :]))
    gain = 1 / (1 + np.square(np.square(frequency / 0.22)))
    ringing = ndimage.gaussian_filter1d(gain, 1, axis=1)
    fake = fft.irfft2(spectrum * ringing[..., None], image.shape[:2], axes=(0, 1))
    return mix(image, settle(fake), strength)
