"""The tables of features and of the patches behind them."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract

VIEWS = ("mosaic", "crop", "full")
DTYPES = (pl.Float32, pl.Float16)


class FeatureTable(Table):
    """A table whose column `feature` is a fixed-size list; its width and precision are the backbone's and params'."""

    @pa.dataframe_check(error="feature is a fixed-size list of float32 or float16")
    def _feature_type(cls, data: pa.PolarsData) -> bool:
        kind = data.lazyframe.collect_schema().get("feature")
        return not isinstance(kind, pl.Array) or kind.inner in DTYPES  # that it is an array, the field says


@contract("features", stage="features")
class Features(FeatureTable):
    """Image feature per image, backbone, condition, view and draw: CLIP's projected one. Not L2-normalised."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    condition: str = pa.Field(description="what was done to the picture first: a name in params.yaml")
    view: str = pa.Field(isin=VIEWS, description="mosaic (patch selection), crop (native size) or full (resized)")
    draw: pl.Int32 = pa.Field(ge=0, description="which shuffle of the mosaic; 0 for the other views")
    rule: str = pa.Field(description="native, or how an image too small for the view was treated: cyclic, upscaled")
    feature: pl.Array = pa.Field(description="joint-space image feature, not normalised")


@contract("patches", stage="features")
class Patches(FeatureTable):
    """Patches that Patch Selection put into the mosaic of an image (draw 0)."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record, which holds patch size and grid")
    condition: str = pa.Field(description="what was done to the picture first: a name in params.yaml")
    slot: pl.Int32 = pa.Field(ge=0, description="place in the mosaic, raster order")
    row: pl.Int32 = pa.Field(ge=0, description="patch row in the image, in patches")
    col: pl.Int32 = pa.Field(ge=0, description="patch column in the image, in patches")
    entropy: pl.Float64 = pa.Field(ge=0, description="spectral entropy in bits")
    feature: pl.Array = pa.Field(
        nullable=True,
        description="the tower's token of this slot in the joint space; null where features.patches is off",
    )


@contract("condition_settings", stage="features")
class AppliedConditions(Table):
    """What is done to pictures before views are made of them, for training or for testing."""

    condition: str = pa.Field(description="name in params.yaml; features.condition")
    condition_id: str = pa.Field(description="hash of what is done: part of the key of every feature and score")
    operations: str = pa.Field(description="in order, JSON; an empty list leaves pictures as they are")
    published: str = pa.Field(nullable=True, description="setting of the literature that it is the same as")
    trained: bool = pa.Field(description="in train.conditions")
    tested: bool = pa.Field(description="in evaluate.conditions")
