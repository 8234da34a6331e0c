"""Bootstrap weights of images, training seeds and generators.

Every draw depends on a seed and a name only, so two detectors asked for the same name
see the same resamples: their differences are paired.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int


def resamples(
    count: int, draws: int, seed: int, name: str, clusters: Int[np.ndarray, " count"] | None = None
) -> Float32[np.ndarray, "rows count"]:
    """Bootstrap counts of `count` images.

    With `clusters` whole clusters are drawn, as many as there are, each with all its
    images (Davison & Hinkley 1997, section 3.8; Field & Welsh 2007). A row then sums to
    `count` on average only, so whoever uses it divides by the row's own sum. Two calls
    with the same name and as many clusters draw the same clusters, in the order of their
    numbers: pictures that several generators made of one prompt come and go together.

    Args:
        count: number of images, at least 1.
        draws: number of resamples, at least 0.
        seed, name: what the draws depend on, besides the number of units.
        clusters: integer label of each image's cluster, (count,); None: each image by itself.

    Returns:
        float32 (1 + draws, count), whole numbers; row 0 is all ones, the sample itself.

    Raises:
        ValueError: no image, negative `draws`, or `clusters` of another shape than (count,).
    """
    if clusters is None:
        return _with_sample(_counts(count, count, draws, seed, name))
    if clusters.shape != (count,):
        raise ValueError(f"clusters has shape {clusters.shape}, expected ({count},): one cluster for each image")
    members, position = np.unique(clusters, return_inverse=True)
    return _with_sample(_counts(len(members), len(members), draws, seed, name)[:, position])


def seed_draws(n_seeds: int, draws: int, seed: int, name: str) -> Float64[np.ndarray, "rows n_seeds"]:
    """Rescaled bootstrap weights of the runs of one detector, one for each training seed.

    The plain bootstrap of n units understates the variance of their mean by (n - 1) / n, a
    third at n = 3. Drawing n - 1 of the n with replacement gives the unbiased s^2 / n
    (Rao & Wu 1988, section 2, with m = n - 1, where their rescaling factor is 1).

    Args:
        n_seeds: number of runs, at least 1; with 1 nothing is resampled.
        draws: number of resamples.
        seed, name: what the draws depend on, besides `n_seeds`.

    Returns:
        float64 (1 + draws, n_seeds); each row sums to 1, row 0 gives all the same.

    Raises:
        ValueError: no seed, or negative `draws`.
    """
    return _rescaled(n_seeds, draws, seed, f"training seeds/{name}")


def generator_draws(n_generators: int, draws: int, seed: int, name: str) -> Float64[np.ndarray, "rows n_generators"]:
    """Rescaled bootstrap weights of the generators of a mean; as `seed_draws`, from a stream of their own.

    Args:
        n_generators: members of the mean.
        draws: number of resamples; the first row is the sample itself.
        seed: of the bootstrap.
        name: of the mean.

    Returns:
        float64 (rows, n_generators).
    """
    return _rescaled(n_generators, draws, seed, f"generators/{name}")


def _rescaled(units: int, draws: int, seed: int, name: str) -> npt.NDArray[np.float64]:
    if units == 1:
        return np.ones((1 + draws, 1))
    counts = _counts(units, units - 1, draws, seed, name)
    return np.concatenate([np.full((1, units), 1 / units), counts / (units - 1)])


def _counts(units: int, drawn: int, draws: int, seed: int, name: str) -> npt.NDArray[np.int64]:
    """How often each of `units` is met when `drawn` of them are drawn with replacement: (draws, units)."""
    if units < 1 or draws < 0:
        raise ValueError(f"{name}: {draws} resamples of {units} units; at least 0 of at least 1 are needed")
    stream = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, stream]).multinomial(drawn, np.full(units, 1 / units), size=draws)


def _with_sample(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    return np.concatenate([np.ones((1, counts.shape[1]), np.float32), counts.astype(np.float32)])
