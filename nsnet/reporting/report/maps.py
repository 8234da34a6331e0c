"""Two-dimensional maps of features, before and after each null space, to be coloured by label and by content."""

from __future__ import annotations

import numpy as np
import polars as pl
from jaxtyping import Float64
from sklearn.decomposition import PCA

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.corpus.content import has_content
from nsnet.corpus.contracts import Samples
from nsnet.features.conditions import CLEAN
from nsnet.features.contracts import Features
from nsnet.semantics.contracts import ImageBasis, SemanticBasis
from nsnet.semantics.null_space import load_bases

NULL_SPACES = ("none", "text", "cross-modal", "leace", "image-pca")
VIEWS = ("mosaic", "crop", "full")


def feature_maps(paths: Paths, training_set: str, words: list[str], size: int) -> pl.DataFrame:
    """Two main directions of test pictures' features under each null space that the project has.

    Features are projected, brought to length 1 and laid out by PCA of what is shown, so that maps of different null
    spaces share no axes.

    Args:
        paths: of the project.
        training_set: whose captions the text null space is of.
        words: of semantics.pool.content: a picture whose caption has one shows that content.
        size: pictures of each label, spread evenly over those of the test split in the order of their hashes.

    Returns:
        Columns null_space, view, x, y, label, content and generator; content is unknown without a caption.
    """
    samples = read_table(Samples, paths.table(Samples)).filter(split="test").unique("image_id").sort("image_id")
    parts = [part.gather_every(max(1, part.height // size)).head(size) for part in samples.partition_by("label")]
    shown = pl.concat(parts) if parts else samples
    features = pl.scan_parquet(paths.table(Features)).filter(condition=CLEAN.name, draw=0).select("view")
    views = set(features.unique().collect()["view"])
    if not views or shown.is_empty():
        return pl.DataFrame()
    view = next(name for name in VIEWS if name in views)
    stored = pl.scan_parquet(paths.table(Features)).filter(
        pl.col("image_id").is_in(shown["image_id"].implode()), condition=CLEAN.name, view=view, draw=0
    )
    rows = shown.join(stored.select("image_id", "feature").collect(), on="image_id", maintain_order="left")
    matrix = rows["feature"].to_numpy().astype(np.float64)
    captions = rows["caption"]
    content = np.where(has_content(captions.fill_null("").to_list(), words), "with", "without")
    facts = rows.select("generator", label=pl.when(label=1).then(pl.lit("fake")).otherwise(pl.lit("real")))
    facts = facts.with_columns(
        content=pl.when(captions.is_null()).then(pl.lit("unknown")).otherwise(pl.Series(content))
    )
    maps = []
    for null_space, projection in _projections(paths, training_set, view, matrix.shape[1]).items():
        points = _laid_out(matrix @ projection.T)
        columns = {"x": points[:, 0], "y": points[:, 1]}
        maps.append(facts.with_columns(null_space=pl.lit(null_space), view=pl.lit(view), **_series(columns)))
    return pl.concat(maps)


def _series(columns: dict[str, np.ndarray]) -> dict[str, pl.Series]:
    return {name: pl.Series(values) for name, values in columns.items()}


def _projections(paths: Paths, training_set: str, view: str, width: int) -> dict[str, Float64[np.ndarray, "d d"]]:
    """By null space; those that were not estimated are left out."""
    bases = load_bases(*(read_table(kind, paths.table(kind)) for kind in (SemanticBasis, ImageBasis)))
    found = {"none": np.eye(width)}
    for null_space in NULL_SPACES[1:]:
        try:
            found[null_space] = bases.of(null_space, training_set, CLEAN.name, view).projection
        except ValueError:  # of a kind that this backbone or corpus does not have
            continue
    return found


def _laid_out(features: Float64[np.ndarray, "n d"]) -> Float64[np.ndarray, "n 2"]:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    unit = np.divide(features, lengths, out=np.zeros_like(features), where=lengths > 0)
    return np.asarray(PCA(2, svd_solver="full").fit_transform(unit))
