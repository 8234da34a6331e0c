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
