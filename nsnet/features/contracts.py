"""The tables of features and of the patches behind them."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import FLOATS, Table, contract

VIEWS = ("mosaic", "crop", "full")
# The condition in which nothing is done to a picture; params.yaml may name others.
CLEAN = "clean"


@contract("features", stage="features")
class Features(Table):
    """Image feature per image, backbone, condition, view and draw: CLIP's projected one. Not L2-normalised."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    condition: str = pa.Field(description="what was done to the picture first: a name in params.yaml")
    view: str = pa.Field(isin=VIEWS, description="mosaic (patch selection), crop (native size) or full (resized)")
    draw: pl.Int32 = pa.Field(ge=0, description="which shuffle of the mosaic; 0 for the other views")
    rule: str = pa.Field(description="native, or how an image too small for the view was treated: cyclic, upscaled")
    feature: pl.List = pa.Field(dtype_kwargs=FLOATS, description="joint-space image feature, not normalised")


@contract("patches", stage="features")
class Patches(Table):
    """Patches that Patch Selection put into the mosaic of an image (draw 0)."""

    image_id: str = pa.Field(description="images.image_id")
    backbone_id: str = pa.Field(description="hash of the backbone record, which holds patch size and grid")
    condition: str = pa.Field(description="what was done to the picture first: a name in params.yaml")
    slot: pl.Int32 = pa.Field(ge=0, description="place in the mosaic, raster order")
    row: pl.Int32 = pa.Field(ge=0, description="patch row in the image, in patches")
    col: pl.Int32 = pa.Field(ge=0, description="patch column in the image, in patches")
    entropy: pl.Float64 = pa.Field(ge=0, description="spectral entropy in bits")
    feature: pl.List = pa.Field(
        nullable=True,
        dtype_kwargs=FLOATS,
        description="the tower's token of this slot in the joint space; null where features.patches is off",
    )
