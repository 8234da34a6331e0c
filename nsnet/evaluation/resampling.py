"""Bootstrap weights of images, clusters of images, training seeds and generators.

Every draw depends on a seed and a name only, so two detectors asked for the same name
see the same resamples: their differences are paired.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64


def resamples(count: int, draws: int, seed: int, name: str) -> Float32[np.ndarray, "rows count"]:
    """Bootstrap counts of `count` images.

    Args:
        count: number of images, at least 1.
        draws: number of resamples, at least 0.
        seed, name: what the draws depend on, besides `count`.

    Returns:
        float32 (1 + draws, count), whole numbers; row 0 is all ones, the sample itself.

    Raises:
        ValueError: no image, or negative `draws`.
    """
    return _with_sample(_counts(count, count, draws, seed, name))


@dataclass(frozen=True)
class Clusters:
    """Clusters of one side of a suite, real or fake: all that are there, sorted; and the name of their draws."""

    names: tuple[str, ...]
    draws: str


def clustered_resamples(
    clusters: Sequence[str | None], among: Clusters, draws: int, seed: int, name: str
) -> Float32[np.ndarray, "rows count"]:
    """Bootstrap counts of images of which some come in clusters, such as those that were made of one prompt.

    Whole clusters are drawn, as many as the suite has (Davison & Hinkley 1997, section 3.8;
    Field & Welsh 2007), and an image counts as often as its cluster: one draw for all
    generators, since a prompt that is easy for one is easy for others. Images without a
    cluster are drawn one by one beside them, as by `resamples`. A row sums to the number
    of images on average only, so whoever uses it divides by the row's own sum.

    A generator that has few of the clusters may have none of those drawn: about one draw in
    exp(k) for k clusters. Such a row is drawn again, from its own k clusters alone.

    Args:
        clusters: of each image, None for an image by itself; at least one image.
        among: clusters of all generators, which the draw is shared by.
        draws: number of resamples, at least 0.
        seed: what the draws depend on, besides names and numbers.
        name: of the images, for what is drawn for them alone.

    Returns:
        float32 (1 + draws, count), whole numbers; row 0 is all ones, no row is all zeros.

    Raises:
        ValueError: no image, negative `draws`, or a cluster that is not among the suite's.
    """
    alone = np.flatnonzero([cluster is None for cluster in clusters])
    if len(alone) == len(clusters):
        return resamples(len(clusters), draws, seed, name)
    known = {cluster: place for place, cluster in enumerate(among.names)}
    if unknown := sorted({cluster for cluster in clusters if cluster is not None} - known.keys()):
        raise ValueError(f"{name}: cluster {unknown[0]!r} is not among the {len(known)} of {among.draws}")
    together = np.flatnonzero([cluster is not None for cluster in clusters])
    places = np.array([known[cluster] for cluster in clusters if cluster is not None])
    weights = np.empty((1 + draws, len(clusters)), np.float32)
    weights[:, together] = _shared(len(known), draws, seed, among.draws)[:, places]
    if len(alone):
        weights[:, alone] = resamples(len(alone), draws, seed, name)
    empty = np.flatnonzero(weights.sum(axis=1) == 0)
    if len(empty):
        own, position = np.unique(places, return_inverse=True)
        again = resamples(len(own), draws, seed, f"{name}/clusters")[empty]
        weights[np.ix_(empty, together)] = again[:, position]
    return weights


# One for the reals and one for the fakes of a suite: its generators come one after the other.
@functools.lru_cache(2)
def _shared(count: int, draws: int, seed: int, name: str) -> Float32[np.ndarray, "rows count"]:
    return resamples(count, draws, seed, name)


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
