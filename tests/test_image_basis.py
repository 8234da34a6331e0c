"""Null spaces of pictures against plain float64 algebra, and the choice of their rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.decomposition import PCA

from nsnet.core.contracts import make
from nsnet.corpus.content import has_content
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.protocol import Context
from nsnet.semantics.caption_pool import basis_rows, caption_pool, null_spaces, pool_moments
from nsnet.semantics.content_shift import Labelled, ShiftAccuracy, choose_shift_rank, shift_accuracy
from nsnet.semantics.contracts import ImageBasis, SemanticBasis
from nsnet.semantics.image_basis import ESTIMATES, cross_modal, image_pca, leace
from nsnet.semantics.moments import Moments
from nsnet.semantics.null_space import Directions, load_bases, no_directions, orthonormal
from nsnet.semantics.settings import CaptionPool
from tests.training import RECORD, linear, sample_rows, samples

RNG = np.random.default_rng(7)
MEANINGS = RNG.standard_normal((500, 3))
# Pictures in 12 dimensions and captions in 5: the towers share no space.
IMAGES = RNG.standard_normal((500, 12)) * np.linspace(2, 0.2, 12) + MEANINGS @ RNG.standard_normal((3, 12)) + 1.5
TEXTS = MEANINGS @ RNG.standard_normal((3, 5)) + 0.1 * RNG.standard_normal((500, 5)) - 0.7


def unit(rows: np.ndarray) -> np.ndarray:
    return np.array([row / np.sqrt(sum(value**2 for value in row)) for row in rows])


def moments(batches: int = 7) -> Moments:
    found = Moments()
    for images, texts in zip(np.array_split(IMAGES, batches), np.array_split(TEXTS, batches), strict=True):
        found.add(images, texts)
    return found


X, T = unit(IMAGES), unit(TEXTS)
CENTRED = X - X.mean(axis=0)
CROSS = CENTRED.T @ (T - T.mean(axis=0)) / len(X)


def test_moments_are_those_of_all_rows_at_once() -> None:
    found = moments()
    assert found.count == 500
    # Sums of 500 products of unit vectors in another order.
    np.testing.assert_allclose(found.covariance, np.cov(X.T, bias=True), atol=1e-14)
    np.testing.assert_allclose(found.cross_covariance, CROSS, atol=1e-14)


def test_cross_modal_directions_are_the_left_singular_vectors() -> None:
    found = cross_modal(moments())
    left, values, _ = np.linalg.svd(CROSS, full_matrices=False)
    np.testing.assert_allclose(found.values, values, atol=1e-13)
    np.testing.assert_allclose(np.abs((found.directions.vectors * left.T).sum(axis=1)), 1, atol=1e-9)
    assert (found.directions.vectors.max(axis=1) >= -found.directions.vectors.min(axis=1)).all()
    assert (
        found.directions.duals is found.directions.vectors or (found.directions.duals == found.directions.vectors).all()
    )
    after = CENTRED @ found.directions.projection
    np.testing.assert_allclose(after.T @ T / len(X), 0, atol=1e-14)
    assert found.energy[-1] == pytest.approx(1)


def test_leace_is_the_published_formula_and_changes_least() -> None:
    """Theorem 4.2 of Belrose et al.: P = I - W^+ (W C)(W C)^+ W, by eigenvectors one at a time."""
    variances, axes = np.linalg.eigh(np.cov(X.T, bias=True))
    whiten = sum(np.outer(a, a) / np.sqrt(v) for v, a in zip(variances, axes.T, strict=True))
    unwhiten = sum(np.outer(a, a) * np.sqrt(v) for v, a in zip(variances, axes.T, strict=True))
    erased = whiten @ CROSS
    reference = np.eye(12) - unwhiten @ erased @ np.linalg.pinv(erased) @ whiten
    found = leace(moments()).directions
    # Ours acts on rows, the paper's on columns; the condition number of W is some tens.
    np.testing.assert_allclose(found.projection, reference.T, atol=1e-9)
    np.testing.assert_allclose(found.duals @ found.vectors.T, np.eye(len(found)), atol=1e-10)
    np.testing.assert_allclose(found.projection @ found.projection, found.projection, atol=1e-10)
    after = CENTRED @ found.projection
    np.testing.assert_allclose(after.T @ T / len(X), 0, atol=1e-13)  # no linear trace of the captions
    orthogonal = CENTRED @ cross_modal(moments()).directions.projection
    assert ((after - CENTRED) ** 2).sum() < ((orthogonal - CENTRED) ** 2).sum()


def test_leace_leaves_alone_what_does_not_vary() -> None:
    flat = IMAGES.copy()
    flat[:, 4] = 0
    sums = Moments()
    sums.add(flat, TEXTS)
    found = leace(sums).directions
    assert np.isfinite(found.projection).all()
    np.testing.assert_allclose(found.projection[4], np.eye(12)[4], atol=1e-12)


def test_image_pca_is_scikit_learns() -> None:
    found, reference = image_pca(moments()), PCA().fit(X)
    # scikit-learn divides by n - 1.
    np.testing.assert_allclose(found.values**2, reference.explained_variance_ * 499 / 500, atol=1e-14)
    np.testing.assert_allclose(found.energy, np.cumsum(reference.explained_variance_ratio_), atol=1e-10)
    aligned = np.abs((found.directions.vectors * reference.components_).sum(axis=1))
    np.testing.assert_allclose(aligned, 1, atol=1e-8)


def cells(count: int, seed: int) -> Labelled:
    """Content shows loudly in dimension 0, the trace of a fake softly in dimension 1, the rest is noise."""
    rng = np.random.default_rng(seed)
    labels, content = rng.integers(0, 2, count), rng.integers(0, 2, count).astype(bool)
    features = 0.3 * rng.standard_normal((count, 6))
    features[:, 0] += 3 * content
    features[:, 1] += labels
    features[:, 2] += 4
    return Labelled(features, labels.astype(np.int64), content)


def test_content_shift_sees_what_a_probe_has_learned() -> None:
    train, validation = cells(2000, 0), cells(1000, 1)
    axes = orthonormal(np.eye(6))
    before, content, all_but_noise = (shift_accuracy(train, validation, axes.first(rank)) for rank in (0, 1, 2))
    assert before.accuracy < 0.1  # content alone decided, and content has changed sides
    assert content.accuracy > 0.85
    assert all_but_noise.accuracy == pytest.approx(0.5, abs=4 * all_but_noise.error)
    # Binomial, of four shares p of some 250 pictures each: at most where every p is a half.
    assert 0.7 < all_but_noise.error / (0.5 / np.sqrt(1000)) < 1.05
    assert [one.rank for one in (before, content, all_but_noise)] == [0, 1, 2]
    pairs = train.paired(True)
    assert (train.content[pairs] == (train.labels[pairs] == 0)).all() and (train.paired(False) == ~pairs).all()


def test_the_smallest_rank_within_an_error_of_the_best_is_chosen() -> None:
    tried = [ShiftAccuracy(*each) for each in ((1, 0.90, 0.01), (4, 0.945, 0.02), (8, 0.95, 0.01), (14, 0.95, 0.01))]
    assert choose_shift_rank(tried) == 4
    assert choose_shift_rank([ShiftAccuracy(2, 0.9, 0.0), ShiftAccuracy(1, 0.9, 0.0)]) == 1


def pooled(count: int = 300) -> tuple[pl.DataFrame, dict[str, Any]]:
    """A table samples whose captions name the content, and the features of its pictures."""
    rows: list[dict[str, Any]] = []
    features = {}
    for split, size in (("train", 400), ("validation", 400), ("semantics", count)):
        part = cells(size, len(rows))
        for number, (feature, label, content) in enumerate(zip(part.features, part.labels, part.content, strict=True)):
            image_id = f"{split}{number:04}"
            label = 0 if split == "semantics" else int(label)
            row = sample_rows("a", 1, 1)[0] | {"image_id": image_id, "split": split, "label": label}
            row |= {"caption": "a Ring, red" if content else "a star, blue"}
            rows.append(row | {"training_set": None if split == "semantics" else "a"})
            features[image_id] = feature
    return samples(rows), features


def encode(texts: list[str]) -> np.ndarray:
    return np.array([[1.0, 0.2] if "Ring" in text else [0.1, 1.0] for text in texts], np.float32)


def test_null_spaces_of_a_pool_and_their_ranks() -> None:
    table, features = pooled()

    def read(shown: tuple[str, str], image_ids: list[str]) -> np.ndarray:
        assert shown == ("clean", "crop")
        return np.array([5 * features[image_id] for image_id in image_ids], np.float32)

    pool = caption_pool(table)
    assert pool.height == 300 and set(pool.columns) == {"image_id", "caption"}
    sums = pool_moments(pool, [("clean", "crop")], read, encode, 64)
    settings = CaptionPool(rank=None, ranks=[1, 2, 50], content=["ring", "bar"])
    found: dict[str, Any] = {kind: tuple(rest) for kind, _, *rest in null_spaces(sums, table, read, settings)}
    assert list(found) == list(ESTIMATES)
    spectrum, rank, tried = found["cross-modal"]
    assert rank == 1 and [one.rank for one in tried] == [1]  # captions of two words span one direction of two
    assert abs(spectrum.directions.vectors[0, 0]) > 0.9  # where the content is
    assert [one.rank for one in found["image-pca"][2]] == [1, 2, 5]
    fixed = CaptionPool(rank=2, ranks=[1], content=[])
    assert [(rank, tried) for *_, rank, tried in null_spaces(sums, table, read, fixed)] == [(1, []), (1, []), (2, [])]
    rows = [row for kind in found for row in basis_rows(kind, ("clean", "crop"), *found[kind][:2])]
    bases = load_bases(make(SemanticBasis, []), make(ImageBasis, rows))
    removed = bases.of("leace", "a", "clean", "crop")
    np.testing.assert_array_equal(removed.duals, found["leace"][0].directions.duals[:1])
    with pytest.raises(ValueError, match=r"null_space leace, .* view full; .* leace clean crop.*split semantics"):
        bases.of("leace", "a", "clean", "full")


def test_a_rank_that_cannot_be_chosen_says_so() -> None:
    table, features = pooled()

    def read(shown: tuple[str, str], image_ids: list[str]) -> np.ndarray:
        return np.array([features[image_id] for image_id in image_ids], np.float32)

    sums = pool_moments(caption_pool(table), [("clean", "crop")], read, encode, 512)
    settings = CaptionPool(rank=None, ranks=[1], content=["square"])
    with pytest.raises(ValueError, match=r"split train has fewer than 10 .* set semantics.pool.rank"):
        list(null_spaces(sums, table, read, settings))


@pytest.mark.parametrize(("images", "texts"), [(X[:1].repeat(30, axis=0), T[:30]), (X[:30], T[:1].repeat(30, axis=0))])
def test_a_pool_of_one_picture_or_one_caption_says_so(images: np.ndarray, texts: np.ndarray) -> None:
    table, _ = pooled()
    sums = Moments()
    sums.add(images.astype(np.float32), texts.astype(np.float32))
    settings = CaptionPool(rank=1, ranks=[1], content=[])
    with pytest.raises(ValueError, match="30 pictures\\) has pictures or captions that are all alike"):
        next(null_spaces({("clean", "crop"): sums}, table, lambda shown, ids: images, settings))


def test_a_pool_is_of_captioned_reals() -> None:
    table, _ = pooled(20)
    assert caption_pool(table.filter(pl.col("split") != "semantics")).is_empty()
    first = pl.col("image_id").is_in(["semantics0000", "semantics0001"])
    bad = table.with_columns(
        label=pl.when(first).then(1).otherwise("label").cast(pl.Int8),
        caption=pl.when(pl.col("image_id") == "semantics0002").then(pl.lit("  ")).otherwise("caption"),
    )
    with pytest.raises(ValueError, match=r"20 pictures\) has 2 fakes and 1 pictures without a caption"):
        caption_pool(bad)


@pytest.mark.parametrize(
    ("caption", "found"),
    [("a red ring", True), ("a RING.", True), ("earring", False), ("", False), ("bar-stool", True)],
)
def test_content_is_whole_words(caption: str, found: bool) -> None:
    assert has_content([caption], ["ring", "Bar"]).tolist() == [found]


def test_a_detector_takes_oblique_directions_away() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((2, 12))
    duals = np.linalg.pinv(vectors).T + 0.1 * (no_directions(12).projection - np.linalg.pinv(vectors) @ vectors)[:2]
    np.testing.assert_allclose(duals @ vectors.T, np.eye(2), atol=1e-12)
    detector = LinearDetector(linear(null_space="leace"), Context(RECORD, 12, Directions(vectors, duals), 0))
    row = X[0]
    expected = row - sum((row @ dual) * vector for dual, vector in zip(duals, vectors, strict=True))
    found = detector.head.project(torch.from_numpy(row[None].astype(np.float32)))[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)  # float32
    needs = LinearDetector.needs(linear(null_space="leace"))
    assert (needs.basis, needs.null_space) == ("directions", "leace")
