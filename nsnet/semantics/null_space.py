"""Directions that a null space removes, and the projection that does it: f_null = f P (NS-Net, arXiv 2508.01248).

The paper's directions come from text (`spectrum`); `image_basis` has those of pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float64

from nsnet.core.names import unknown


@dataclass(frozen=True)
class Directions:
    """What is taken away of a feature x: for each k its part (x . dual_k) vector_k.

    Attributes:
        vectors: float64 (r, d), most important first.
        duals: float64 (r, d), with duals vectors^T = I. Where they are the vectors
            themselves, the projection is orthogonal; else it is oblique.
    """

    vectors: Float64[np.ndarray, "r d"]
    duals: Float64[np.ndarray, "r d"]

    def __len__(self) -> int:
        return len(self.vectors)

    def first(self, rank: int) -> Directions:
        """The `rank` most important ones."""
        return Directions(self.vectors[:rank], self.duals[:rank])

    @property
    def projection(self) -> Float64[np.ndarray, "d d"]:
        """P with f_null = f P, float64 (d, d): I - duals^T vectors, idempotent; symmetric if it is orthogonal."""
        return np.eye(self.vectors.shape[1]) - self.duals.T @ self.vectors


def orthonormal(vectors: Float64[np.ndarray, "r d"]) -> Directions:
    """Directions that are orthonormal rows."""
    return Directions(vectors, vectors)


def no_directions(width: int) -> Directions:
    """Nothing is removed: P = I of dimension `width`."""
    return orthonormal(np.zeros((0, width)))


def random_directions(rank: int, width: int, seed: int) -> Directions:
    """Orthonormal random directions: the control for "any projection would do".

    Args:
        rank: r, how many directions; 0 gives none.
        width: dimension d.
        seed: each training seed draws its own.

    Returns:
        Orthonormal rows.
    """
    columns, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((width, max(rank, 1))))
    return orthonormal(columns.T[:rank])


class Bases:
    """The directions of every null space of a project, by what they were estimated on."""

    def __init__(self, text: Mapping[str, Directions], image: Mapping[tuple[str, str, str], Directions]) -> None:
        """Take what is known.

        Args:
            text: by training set.
            image: by kind of null space, condition and view.
        """
        self._text, self._image = text, image

    def of_control(self, training_set: str, condition: str, view: str) -> Directions:
        """What the control draws as many directions as: the text's, or the cross-modal ones where there are none.

        Args:
            training_set, condition, view: as `of`.

        Returns:
            As `of`.

        Raises:
            ValueError: as `of`.
        """
        return self.of("text" if self._text else "cross-modal", training_set, condition, view)

    def of(self, null_space: str, training_set: str, condition: str, view: str) -> Directions:
        """The directions that a null space removes.

        Args:
            null_space: text, or a kind of `image_basis`.
            training_set: whose captions the text directions are of.
            condition, view: what pictures are shown as, for directions of pictures.

        Returns:
            Its retained directions.

        Raises:
            ValueError: there are none of that kind, with what to do.
        """
        if null_space == "text":
            if not self._text:
                raise ValueError(
                    "no directions for null_space text: the backbone has no text tower in its space. Set null_space:"
                    " cross-modal, leace or image-pca"
                )
            if training_set not in self._text:
                raise ValueError(f"table semantic_basis: {unknown('training set', training_set, self._text)}")
            return self._text[training_set]
        key = null_space, condition, view
        if key not in self._image:
            known = ", ".join(" ".join(each) for each in sorted(self._image)) or "nothing"
            raise ValueError(
                f"no directions for null_space {null_space}, condition {condition}, view {view}; the table image_basis"
                f" has {known}. They are estimated on a caption pool: captioned real pictures of the split semantics,"
                " in a view of features.views. Add some to the corpus, or set null_space: text"
            )
        return self._image[key]


def load_text_directions(frame: pl.DataFrame, training_set: str) -> Directions:
    """All directions of a training set's captions, semantic ones first, orthonormal.

    Args:
        frame: table semantic_basis.
        training_set: samples.training_set.

    Returns:
        d directions.

    Raises:
        ValueError: the table has no such training set.
    """
    if frame.is_empty():
        raise ValueError("table semantic_basis is empty: the backbone has no text tower, so no directions of texts")
    rows = frame.filter(pl.col("training_set") == training_set).sort("k")
    if rows.is_empty():
        known = frame["training_set"].unique().to_list()
        raise ValueError(f"table semantic_basis: {unknown('training set', training_set, known)}; run `dvc repro`")
    return orthonormal(np.array(rows["vector"].to_list(), np.float64))


def load_bases(semantic_basis: pl.DataFrame, image_basis: pl.DataFrame) -> Bases:
    """The retained directions of both tables.

    Args:
        semantic_basis, image_basis: the tables.

    Returns:
        The null spaces that a detector may ask for.
    """
    text = {
        name: load_text_directions(semantic_basis, name).first(
            int(semantic_basis.filter(training_set=name)["retained"].sum())
        )
        for name in semantic_basis["training_set"].unique().sort()
    }
    image = {
        (str(kind), str(condition), str(view)): Directions(
            *(np.array(rows[name].to_list(), np.float64).reshape(rows.height, -1) for name in ("vector", "dual"))
        )
        for (kind, condition, view), rows in image_basis.filter("retained")
        .sort("k")
        .group_by("null_space", "condition", "view")
    }
    return Bases(text, image)
