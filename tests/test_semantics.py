"""Semantic basis and null space against a plain SVD."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from typing import Any

import numpy as np
import polars as pl
import pytest

from nsnet.core.contracts import make
from nsnet.semantics.contracts import Captions, ImageBasis, SemanticBasis
from nsnet.semantics.null_space import load_bases, load_text_directions, no_directions, orthonormal, random_directions
from nsnet.semantics.settings import CaptionPool, Semantics
from nsnet.semantics.spectrum import CaptionGram, Spectrum, choose_rank, rank_one_warning
from nsnet.stages.semantics import caption_counts, spectra, spectrum_rows
from tests.training import sample_rows, samples

CAPTIONS = np.random.default_rng(3).standard_normal((400, 24)) @ np.diag(0.6 ** np.arange(24)) + 0.3


def spectrum(batches: Iterable[np.ndarray], normalise: bool, centre: bool) -> Spectrum:
    gram = CaptionGram(normalise)
    for batch in batches:
        gram.add(batch, np.ones(len(batch), np.int64))
    return gram.spectrum(centre)


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
    projection = orthonormal(basis).projection
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
    basis = random_directions(5, 24, 1).vectors
    np.testing.assert_allclose(basis @ basis.T, np.eye(5), atol=1e-12)
    assert (basis == random_directions(5, 24, 1).vectors).all()
    assert not np.allclose(basis, random_directions(5, 24, 2).vectors)
    assert random_directions(0, 24, 1).vectors.shape == (0, 24)


@pytest.mark.parametrize("centre", [True, False])
def test_a_caption_of_many_pictures_counts_for_each(centre: bool) -> None:
    counts = np.random.default_rng(1).integers(0, 5, len(CAPTIONS))
    gram = CaptionGram(True)
    for part in np.array_split(np.arange(len(CAPTIONS)), 3):
        gram.add(CAPTIONS[part], counts[part])
    repeated = spectrum([np.repeat(CAPTIONS, counts, axis=0)], True, centre)
    found = gram.spectrum(centre)
    # Sums in another order: small singular values keep half of float64's digits.
    np.testing.assert_allclose(found.values, repeated.values, atol=1e-7 * repeated.values[0])
    np.testing.assert_allclose(found.vectors[:8], repeated.vectors[:8], atol=1e-6)


def test_rank_one_is_warned_of() -> None:
    same = spectrum([np.ones((50, 1)) * CAPTIONS[:1].astype(np.float32)], True, False)
    told = rank_one_warning(same, choose_rank(same, 0.99, None, None), False)
    assert told is not None and "captions are the same" in told and "nothing that differs between pictures" in told
    common = spectrum([CAPTIONS], True, False)
    assert "in common" in str(rank_one_warning(common, 1, False)) and rank_one_warning(common, 2, False) is None
    with pytest.raises(ValueError, match="captions are the same"):
        spectrum([np.ones((50, 1)) * CAPTIONS[:1].astype(np.float32)], True, True)


def captions(rows: pl.DataFrame) -> pl.DataFrame:
    return make(Captions, rows.filter(split="train").unique("image_id").iter_rows(named=True))


def encode_texts(asked: list[list[str]]) -> Any:
    def encode(texts: list[str]) -> Any:
        asked.append(texts)
        return np.array([np.random.default_rng(list(text.encode())).standard_normal(8) for text in texts], np.float32)

    return encode


POOL = CaptionPool(rank=None, ranks=[1, 2], content=["thing"])
SETTINGS = Semantics(text=None, normalise=True, centre=False, energy=0.9, tolerance=None, rank=None, batch=2, pool=POOL)


def test_each_training_set_has_the_spectrum_of_its_own_training_captions() -> None:
    table = samples(sample_rows("a", 6, 4, 5), sample_rows("b", 3, 2))
    table = pl.concat([table, table.filter(training_set="a", split="train").head(3)])  # listed twice: counts once
    counts = caption_counts(table, captions(table))
    assert dict(zip(counts["caption"], counts["a"], strict=True)) == {
        f"a photo of thing {number}": 2 * (2 if number == 0 else 1) for number in range(5)
    }
    assert counts["b"].to_list() == [2, 2, 2, 0, 0]
    asked: list[list[str]] = []
    found = spectra(counts, encode_texts(asked), SETTINGS)
    told = [text for texts in asked for text in texts]
    assert sorted(told) == sorted(set(told)) and len(told) == 5  # every distinct caption once
    for name in "ab":
        texts = [text for text, count in counts.select("caption", name).iter_rows() for _ in range(count)]
        alone = spectrum([encode_texts([])(texts)], True, False)
        np.testing.assert_allclose(found[name].values, alone.values, atol=1e-6)  # zeros lose half the digits
    rows = [row for name in "ab" for row in spectrum_rows(name, found[name], 2)]
    basis = make(SemanticBasis, rows)
    bases = load_bases(basis, make(ImageBasis, []))
    assert (bases.of("text", "b", "clean", "crop").vectors == found["b"].vectors[:2]).all()
    assert (load_text_directions(basis, "a").vectors == found["a"].vectors).all()
    for load in (load_text_directions, lambda _, name: bases.of("text", name, "clean", "crop")):
        with pytest.raises(ValueError, match="unknown training set 'c'"):
            load(basis, "c")


def test_training_sets_without_captions_are_named() -> None:
    table = samples(sample_rows("a", 6, 4), sample_rows("b", 3, 2))
    known = captions(table.filter(training_set="a"))
    with pytest.raises(ValueError, match="training set b: 6 pictures without a caption"):
        caption_counts(table, known)
    with pytest.raises(ValueError, match="no training pictures"):
        caption_counts(table.filter(split="test"), known)


def test_rank_zero_leaves_features_alone() -> None:
    basis = make(SemanticBasis, spectrum_rows("a", spectrum([CAPTIONS], True, False), 0))
    found = load_bases(basis, make(ImageBasis, [])).of("text", "a", "clean", "crop")
    assert found.vectors.shape == (0, 24)
    assert (found.projection == np.eye(24)).all() and (no_directions(24).projection == np.eye(24)).all()
