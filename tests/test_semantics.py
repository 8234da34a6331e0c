"""Semantic basis and null space against a plain SVD."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from nsnet.semantics.spectrum import choose_rank, null_projection, random_basis, spectrum

CAPTIONS = np.random.default_rng(3).standard_normal((400, 24)) @ np.diag(0.6 ** np.arange(24)) + 0.3


@pytest.mark.parametrize("normalise", [True, False])
@pytest.mark.parametrize("centre", [True, False])
def test_spectrum_equals_svd(normalise: bool, centre: bool) -> None:
    rows = CAPTIONS / np.linalg.norm(CAPTIONS, axis=1, keepdims=True) if normalise else CAPTIONS
    rows = rows - rows.mean(axis=0) if centre else rows
    _, values, vectors = np.linalg.svd(rows, full_matrices=False)
    found = spectrum(np.array_split(CAPTIONS, 7), normalise, centre)
    # The Gram matrix squares the condition number: small singular values lose half of float64's digits.
    np.testing.assert_allclose(found.values, values, atol=1e-7 * values[0])
    np.testing.assert_allclose(found.energy, np.cumsum(values**2) / (values**2).sum(), atol=1e-12)
    leading = np.abs(np.einsum("kd,kd->k", found.vectors[:8], vectors[:8]))
    np.testing.assert_allclose(leading, 1, atol=1e-9)
    np.testing.assert_allclose(found.vectors @ found.vectors.T, np.eye(24), atol=1e-12)


@pytest.mark.parametrize("rank", [0, 1, 5, 23])
def test_projection_is_symmetric_idempotent_and_kills_the_semantic_directions(rank: int) -> None:
    found = spectrum([CAPTIONS], True, False)
    basis = found.vectors[:rank]
    projection = null_projection(basis)
    np.testing.assert_allclose(projection, projection.T, atol=1e-15)
    np.testing.assert_allclose(projection @ projection, projection, atol=1e-12)
    np.testing.assert_allclose(basis @ projection, 0, atol=1e-12)
    null = found.vectors[rank:].T  # the paper's N: P = N N^T
    np.testing.assert_allclose(projection, null @ null.T, atol=1e-12)
    assert np.linalg.matrix_rank(projection) == 24 - rank


def test_rank_rules() -> None:
    found = spectrum([CAPTIONS], False, False)
    rank = choose_rank(found, 0.9, None, None)
    assert found.energy[rank - 1] >= 0.9 > found.energy[rank - 2]
    assert choose_rank(found, None, 0.1, None) == (found.values > 0.1 * found.values[0]).sum()
    assert choose_rank(found, None, None, 3) == 3


def test_rank_faults_are_told() -> None:
    found = spectrum([CAPTIONS], False, False)
    with pytest.raises(ValueError, match="exactly one"):
        choose_rank(found, 0.9, 0.1, None)
    with pytest.raises(ValueError, match="leaves no null space"):
        choose_rank(found, None, None, 24)
    with pytest.raises(ValueError, match="no captions"):
        spectrum([], True, False)


def test_memory_does_not_grow_with_the_number_of_captions() -> None:
    def peak(batches: int) -> int:
        tracemalloc.start()
        spectrum((np.ones((100, 64), np.float32) for _ in range(batches)), True, False)
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return highest

    peak(1)
    # Ten batches would hold 10 x 51 KB as float64 rows; the allowance is one such batch.
    assert peak(100) < peak(10) + 100 * 64 * 8


def test_random_basis_is_orthonormal_and_seeded() -> None:
    basis = random_basis(5, 24, 1)
    np.testing.assert_allclose(basis @ basis.T, np.eye(5), atol=1e-12)
    assert (basis == random_basis(5, 24, 1)).all()
    assert not np.allclose(basis, random_basis(5, 24, 2))
    assert random_basis(0, 24, 1).shape == (0, 24)
