"""Learned codecs and vector quantisers: pictures decoded from a compressed latent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

from nsnet.lab.portable import Exact, Image, settle
from nsnet.lab.simulators.operations import (
    Resampling,
    blur,
    from_blocks,
    from_ycc,
    mix,
    resize,
    shrink,
    to_blocks,
    to_ycc,
)


def latent_autoencoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Eightfold latent that keeps the 16 lowest of 64 frequencies (Rombach et al., LDM, 2022)."""
    return mix(image, _on_block_spectrum(image, lambda c: c * _lowest(4)), strength)


def vector_quantiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """One of 64 code words for each 4x4 block (van den Oord et al., VQ-VAE, 2017)."""
    return mix(image, _quantise(image, 4, 64, rng), strength)


def residual_quantiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Two code words for each 4x4 block, the second for the residual (Lee et al., RQ-VAE, 2022)."""
    first = _quantise(image, 4, 64, rng)
    return mix(image, first + _quantise(image - first, 4, 64, rng), strength)


def token_decoder(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """One of 256 code words for each 8x8 block, smoothed by the decoder (Esser et al., VQGAN, 2021)."""
    return mix(image, blur(_quantise(image, 8, 256, rng), 0.8), strength)


def scalar_quantiser(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Latents rounded to a few levels each (Mentzer et al., finite scalar quantisation, 2024)."""
    return mix(image, _on_block_spectrum(image, lambda c: np.round(c / np.float32(0.12)) * np.float32(0.12)), strength)


def wavelet_codec(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Haar details cut to the few that are large (Phung et al., wavelet diffusion, 2023)."""
    even, odd = image[:, ::2], image[:, 1::2]
    low, high = (even + odd) / 2, (even - odd) / 2
    (smooth, column), (row, diagonal) = ((band[::2] + band[1::2], band[::2] - band[1::2]) for band in (low, high))
    bands = [np.where(np.abs(band) > 0.09, band, 0) for band in (column, row, diagonal)]
    top, bottom = np.empty_like(low), np.empty_like(high)
    top[::2], top[1::2] = (smooth + bands[0]) / 2, (smooth - bands[0]) / 2
    bottom[::2], bottom[1::2] = (bands[1] + bands[2]) / 2, (bands[1] - bands[2]) / 2
    fake = np.empty_like(image)
    fake[:, ::2], fake[:, 1::2] = top + bottom, top - bottom
    return mix(image, fake, strength)


def chroma_codec(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """Luma passed through a half-size latent, chroma through an eighth (learned codecs; Balle et al., 2018)."""
    ycc = to_ycc(image)
    height, width = image.shape[:2]
    luma = resize(shrink(ycc[..., :1], 2), (height, width), Resampling.HAMMING)
    chroma = resize(shrink(ycc[..., 1:], 8), (height, width), Resampling.BILINEAR)
    return mix(image, from_ycc(np.concatenate([luma, chroma], axis=-1)), strength)


def patch_basis_codec(image: Image, rng: np.random.Generator, strength: float) -> Image:
    """8x8 blocks from their 12 main components: an autoencoder's linear limit (Bourlard and Kamp, 1988)."""
    blocks = to_blocks(image, 8)
    mean = settle(blocks.mean(axis=0, dtype=np.float64))
    centred = settle(blocks - mean).astype(np.float64)
    basis = _main_components(centred, 12, rng)
    decoded = settle(settle(centred @ basis) @ basis.T) + mean
    return mix(image, from_blocks(decoded, 8, image.shape), strength)


def _main_components(centred: Exact, count: int, rng: np.random.Generator) -> Exact:
    """Orthonormal basis (pixels, count) of the main components (Halko et al., randomised subspaces, 2011).

    No eigenvectors from LAPACK: where two of their values are close, last bits decide the basis. Five steps from a
    given start are a smooth function of the picture instead, and each is rounded.
    """
    covariance = centred.T @ centred  # exact: multiples of 2^-32 below 2^12
    basis = rng.choice((-1.0, 1.0), (len(covariance), count))
    for _ in range(5):
        basis = covariance @ basis
        for column in range(count):  # Gram-Schmidt
            unit = basis[:, column] / np.sqrt(np.square(basis[:, column]).sum())
            basis[:, column + 1 :] -= np.outer(unit, unit @ basis[:, column + 1 :])
            basis[:, column] = unit
        basis = settle(basis).astype(np.float64)
    return basis


def _lowest(count: int) -> Image:
    """Mask (1, 8, 1, 8, 1) of the count x count lowest frequencies."""
    keep = (np.arange(8) < count).astype(np.float32)
    return np.outer(keep, keep)[None, :, None, :, None]


def _on_block_spectrum(image: Image, change: Callable[[Image], Image]) -> Image:
    """Apply `change` to the orthonormal DCT of 8x8 blocks, shape (rows, 8, columns, 8, 3)."""
    height, width, channels = image.shape
    blocks = image.reshape(height // 8, 8, width // 8, 8, channels)
    changed = change(settle(fft.dctn(blocks.astype(np.float64), axes=(1, 3), norm="ortho")))
    return settle(fft.idctn(changed.astype(np.float64), axes=(1, 3), norm="ortho")).reshape(image.shape)


def _quantise(image: Image, size: int, words: int, rng: np.random.Generator) -> Image:
    """Replace each block by the nearest of `words` blocks drawn from the picture, mean kept."""
    blocks = to_blocks(image, size)
    mean = settle(blocks.reshape(len(blocks), -1, 3).mean(axis=1, dtype=np.float64))
    detail = settle(blocks.reshape(len(blocks), -1, 3) - mean[:, None]).reshape(blocks.shape).astype(np.float64)
    book = detail[rng.choice(len(detail), words, replace=False)]
    # Exact: multiples of 2^-32 below 2^12. So ties are ties everywhere, and the first word has them.
    distance = (book * book).sum(axis=1) - 2 * detail @ book.T
    chosen = book[distance.argmin(axis=1)].astype(np.float32).reshape(len(blocks), -1, 3)
    return from_blocks((chosen + mean[:, None]).reshape(blocks.shape), size, image.shape)
