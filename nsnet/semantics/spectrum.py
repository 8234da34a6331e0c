"""Text semantics: the spectrum of caption features and the projection onto its null space.

NS-Net, arXiv 2508.01248, section on NULL-space decoupling: the rows of V are caption
features; f_null = f P with P = N N^T, N the right singular vectors of V that carry
(nearly) no energy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Spectrum:
    """All singular values, largest first, and their right singular vectors.

    Attributes:
        values: float64 (d,), singular values of the n x d caption matrix.
        vectors: float64 (d, d), row k is the k-th right singular vector, unit length,
            its largest component positive.
    """

    values: Matrix
    vectors: Matrix

    @property
    def energy(self) -> Matrix:
        """Cumulative share of the squared singular values, float64 (d,), ends at 1."""
        squares = self.values**2
        return np.cumsum(squares) / squares.sum()


def spectrum(batches: Iterable[npt.NDArray[np.floating]], normalise: bool, centre: bool) -> Spectrum:
    """Spectrum of the caption matrix V, from its d x d Gram matrix, in float64.

    The rows are streamed: memory is O(d^2) whatever the number of captions.

    Args:
        batches: arrays (b, d) of caption features.
        normalise: L2-normalise each row first.
        centre: subtract the mean row.

    Raises:
        ValueError: if there is no caption at all.
    """
    gram, total, count = np.zeros((0, 0)), np.zeros(0), 0
    for batch in batches:
        rows = np.asarray(batch, np.float64)
        if normalise:
            rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        if count == 0:
            gram, total = np.zeros((rows.shape[1],) * 2), np.zeros(rows.shape[1])
        gram += rows.T @ rows
        total += rows.sum(axis=0)
        count += len(rows)
    if count == 0:
        raise ValueError("no captions: the training samples of this corpus have none, so there is no semantic basis")
    if centre:
        gram -= np.outer(total, total) / count
    squares, vectors = np.linalg.eigh(gram)
    order = np.argsort(squares)[::-1]
    vectors = vectors[:, order].T
    largest = np.abs(vectors).argmax(axis=1)
    signs = np.sign(vectors[np.arange(len(vectors)), largest])
    return Spectrum(np.sqrt(np.maximum(squares[order], 0)), vectors * signs[:, None])


def choose_rank(found: Spectrum, energy: float | None, tolerance: float | None, number: int | None) -> int:
    """Semantic rank r: the smallest that reaches `energy`, or the values above `tolerance` x largest, or `number`.

    An absolute tolerance is not offered: many captions make V numerically of full rank,
    and the null space empty.

    Raises:
        ValueError: unless exactly one rule is given, or if it leaves no null space.
    """
    if sum(rule is not None for rule in (energy, tolerance, number)) != 1:
        raise ValueError("semantics: set exactly one of energy, tolerance and rank; leave the others null")
    if energy is not None:
        rank = int(np.searchsorted(found.energy, min(energy, found.energy[-1]) - 1e-12)) + 1
    elif tolerance is not None:
        rank = int((found.values > tolerance * found.values[0]).sum())
    else:
        rank = int(number or 0)
    if rank >= len(found.values):
        raise ValueError(f"semantic rank {rank} of {len(found.values)} dimensions leaves no null space: ask for less")
    return rank


def null_projection(basis: Matrix) -> Matrix:
    """P = I - B^T B = N N^T for an orthonormal semantic basis B (r, d): float64 (d, d), symmetric, idempotent."""
    return np.eye(basis.shape[1]) - basis.T @ basis


def random_basis(rank: int, dimension: int, seed: int) -> Matrix:
    """Orthonormal random directions (rank, dimension): the control for "any projection would do"."""
    columns, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, max(rank, 1))))
    return columns.T[:rank]
