"""The spectrum of caption features: which directions of the joint space hold what captions say.

NS-Net, arXiv 2508.01248, section on NULL-space decoupling: the rows of V are caption
features, and its right singular vectors of (nearly) no energy span the null space.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64, Int

# Below this share of the largest, a singular value is rounding of float32 features.
ROUNDING = 1e-5


@dataclass(frozen=True)
class Spectrum:
    """All singular values, largest first, and their right singular vectors.

    Attributes:
        values: float64 (d,), singular values of the n x d caption matrix.
        vectors: float64 (d, d), row k is the k-th right singular vector, unit length,
            its largest component positive.
    """

    values: Float64[np.ndarray, " d"]
    vectors: Float64[np.ndarray, "d d"]

    @property
    def energy(self) -> Float64[np.ndarray, " d"]:
        """Cumulative share of the squared singular values, float64 (d,), ends at 1."""
        squares = self.values**2
        return np.cumsum(squares) / squares.sum()


class CaptionGram:
    """The d x d Gram matrix of a training set's captions, in float64, fed batch by batch.

    Memory is O(d^2) whatever the number of captions; a caption of many pictures comes once, with its count.
    """

    def __init__(self, normalise: bool) -> None:
        """Start without captions; `normalise` gives each caption's feature unit length first."""
        self.normalise = normalise
        self.count = 0
        self._gram = np.zeros((0, 0))
        self._total = np.zeros(0)

    def add(self, features: Float[np.ndarray, "b d"], counts: Int[np.ndarray, " b"]) -> None:
        """Add caption features, each as often as its count says.

        Args:
            features: (b, d), any scale.
            counts: pictures with that caption, (b,); 0 leaves it out.
        """
        rows = np.asarray(features, np.float64)
        if self.normalise:
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        if not len(self._total):
            self._gram, self._total = np.zeros((rows.shape[1],) * 2), np.zeros(rows.shape[1])
        self._gram += rows.T @ (rows * counts[:, None])
        self._total += counts @ rows
        self.count += int(counts.sum())

    def spectrum(self, centre: bool) -> Spectrum:
        """Spectrum of the caption matrix V; `centre` subtracts its mean row.

        Raises:
            ValueError: there is no caption, or nothing is left of them once centred.
        """
        if self.count == 0:
            raise ValueError("no captions: without them there is no semantic basis")
        gram = self._gram - np.outer(self._total, self._total) / self.count if centre else self._gram
        squares, vectors = np.linalg.eigh(gram)
        if squares[-1] <= ROUNDING**2 * np.trace(self._gram):
            raise ValueError("all captions are the same, so nothing is left of them: set semantics.centre: false")
        order = np.argsort(squares)[::-1]
        vectors = vectors[:, order].T
        largest = np.abs(vectors).argmax(axis=1)
        signs = np.sign(vectors[np.arange(len(vectors)), largest])
        return Spectrum(np.sqrt(np.maximum(squares[order], 0)), vectors * signs[:, None])


def choose_rank(spectrum: Spectrum, energy: float | None, tolerance: float | None, number: int | None) -> int:
    """Semantic rank r: the smallest that reaches `energy`, or the values above `tolerance` x largest, or `number`.

    An absolute tolerance is not offered: many captions make V numerically of full rank,
    and the null space empty.

    Args:
        spectrum: of one training set.
        energy: share of the squared singular values to be held.
        tolerance: share of the largest singular value.
        number: the rank itself.

    Returns:
        r, from 1 to d - 1.

    Raises:
        ValueError: unless exactly one rule is given, or if it leaves no null space.
    """
    if sum(rule is not None for rule in (energy, tolerance, number)) != 1:
        raise ValueError("semantics: set exactly one of energy, tolerance and rank; leave the others null")
    if energy is not None:
        rank = int(np.searchsorted(spectrum.energy, min(energy, spectrum.energy[-1]) - 1e-12)) + 1
    elif tolerance is not None:
        rank = int((spectrum.values > tolerance * spectrum.values[0]).sum())
    else:
        rank = int(number or 0)
    if rank >= len(spectrum.values):
        raise ValueError(
            f"semantic rank {rank} of {len(spectrum.values)} dimensions leaves no null space: ask for less"
        )
    return rank


def rank_one_warning(spectrum: Spectrum, rank: int, centre: bool) -> str | None:
    """What a null space of one text direction means, or None for any other rank.

    Args:
        spectrum: of one training set.
        rank: the semantic rank that was chosen.
        centre: the mean caption was subtracted first.

    Returns:
        A sentence to print, or None.
    """
    if rank != 1:
        return None
    if len(spectrum.values) == 1 or spectrum.values[1] <= ROUNDING * spectrum.values[0]:
        return (
            "all captions are the same: the one direction that the null space removes is that caption's, and it"
            " removes nothing that differs between pictures; give the pictures captions of their own"
        )
    share = f"one direction holds {spectrum.energy[0]:.2%} of the captions' energy"
    if centre:
        return f"{share}: the null space removes that one difference between captions and leaves all others"
    return (
        f"{share}, and that is what they have in common: the null space removes next to nothing that differs"
        " between pictures; raise semantics.energy, or set semantics.centre: true"
    )
