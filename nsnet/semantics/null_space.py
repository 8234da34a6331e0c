"""The projection onto the null space of text: f_null = f P, P = N N^T (NS-Net, arXiv 2508.01248)."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float64

from nsnet.core.names import unknown


def load_directions(frame: pl.DataFrame, training_set: str) -> Float64[np.ndarray, "d d"]:
    """All directions of a training set's spectrum, semantic ones first: float64 (d, d), orthonormal rows.

    Args:
        frame: table semantic_basis.
        training_set: samples.training_set.

    Returns:
        float64 (d, d).

    Raises:
        ValueError: the table has no such training set.
    """
    rows = frame.filter(pl.col("training_set") == training_set).sort("k")
    if rows.is_empty():
        known = frame["training_set"].unique().to_list()
        raise ValueError(f"table semantic_basis: {unknown('training set', training_set, known)}; run `dvc repro`")
    return np.array(rows["vector"].to_list(), np.float64)


def load_basis(frame: pl.DataFrame, training_set: str) -> Float64[np.ndarray, "r d"]:
    """The semantic directions of a training set, which the null space removes: float64 (r, d), orthonormal rows.

    Args:
        frame: table semantic_basis; directions are ordered by singular value, the retained ones first.
        training_set: samples.training_set.

    Returns:
        float64 (r, d).

    Raises:
        ValueError: as `load_directions`.
    """
    retained = frame.filter(pl.col("training_set") == training_set)["retained"]
    return load_directions(frame, training_set)[: int(retained.sum())]


def null_projection(basis: Float64[np.ndarray, "r d"]) -> Float64[np.ndarray, "d d"]:
    """P = I - B^T B = N N^T for an orthonormal semantic basis B (r, d): symmetric, idempotent, float64 (d, d)."""
    return np.eye(basis.shape[1]) - basis.T @ basis


def random_basis(rank: int, dimension: int, seed: int) -> Float64[np.ndarray, "r d"]:
    """Orthonormal random directions: the control for "any projection would do".

    Args:
        rank: r, how many directions; 0 gives none.
        dimension: d.
        seed: each training seed draws its own.

    Returns:
        float64 (rank, dimension), orthonormal rows.
    """
    columns, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((dimension, max(rank, 1))))
    return columns.T[:rank]
