"""The tables of captions and of what they span."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract


@contract("captions", stage="captions")
class Captions(Table):
    """The caption of a training image that the semantic basis is computed from."""

    image_id: str = pa.Field(unique=True, description="images.image_id")
    caption: str = pa.Field(description="what the picture shows, in words")
    caption_source: str = pa.Field(description="scene, manifest, template, blip:MODEL, or the suite's own word")


@contract("semantic_spectrum", stage="semantics")
class SemanticSpectrum(Table):
    """Singular values of the caption features, all of them; retained ones span the semantic space."""

    training_set: str = pa.Field(description="samples.training_set whose captions were encoded")
    k: pl.Int32 = pa.Field(ge=0, description="index, largest singular value first")
    singular_value: pl.Float64 = pa.Field(ge=0, description="singular value of the n x d caption matrix")
    energy: pl.Float64 = pa.Field(ge=0, le=1 + 1e-9, description="cumulative share of the squared singular values")
    retained: bool = pa.Field(description="part of the semantic basis that the null space removes")


@contract("semantic_basis", stage="semantics")
class SemanticBasis(Table):
    """Right singular vectors of the caption features, orthonormal, sign fixed."""

    training_set: str = pa.Field(description="samples.training_set whose captions were encoded")
    k: pl.Int32 = pa.Field(ge=0, description="semantic_spectrum.k")
    retained: bool = pa.Field(description="semantic direction (true) or null-space direction (false)")
    vector: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float64()}, description="unit vector in the joint space")


@contract("image_basis", stage="semantics")
class ImageBasis(Table):
    """Semantic directions of pictures, estimated on the caption pool: x loses its part (x . dual) vector of each."""

    null_space: str = pa.Field(description="cross-modal, leace or image-pca: how they were estimated")
    condition: str = pa.Field(description="what was done to the pool's pictures first: a name in params.yaml")
    view: str = pa.Field(description="what was shown of them: mosaic, crop or full")
    k: pl.Int32 = pa.Field(ge=0, description="index, largest singular value first")
    singular_value: pl.Float64 = pa.Field(
        ge=0, description="of the cross-covariance, of the whitened one, or the standard deviation along the direction"
    )
    energy: pl.Float64 = pa.Field(ge=0, le=1 + 1e-9, description="cumulative share of the squared singular values")
    retained: bool = pa.Field(description="one of the directions that the null space removes")
    vector: pl.List = pa.Field(dtype_kwargs={"inner": pl.Float64()}, description="what is taken away")
    dual: pl.List = pa.Field(
        dtype_kwargs={"inner": pl.Float64()}, description="what measures how much of it; vector itself but for leace"
    )


@contract("rank_validation", stage="semantics")
class RankValidation(Table):
    """Accuracy under content shift on the training simulators' pictures, for each rank that was tried."""

    null_space: str = pa.Field(description="image_basis.null_space")
    condition: str = pa.Field(description="image_basis.condition")
    view: str = pa.Field(description="image_basis.view")
    rank: pl.Int32 = pa.Field(ge=0, description="directions removed")
    accuracy: pl.Float64 = pa.Field(
        ge=0,
        le=1,
        description="balanced accuracy of a probe fitted on one pairing of content and label, judged on the other",
    )
    error: pl.Float64 = pa.Field(ge=0, description="binomial standard error of the accuracy")
    chosen: bool = pa.Field(description="the smallest rank within one standard error of the best")
