"""Rows of the tables features and patches, from those of the store's parts."""

from __future__ import annotations

import numpy as np
import polars as pl

# Type and bytes of a number, by the setting's name.
NUMBERS = {"float32": (pl.Float32, 4), "float16": (pl.Float16, 2)}


def feature_rows(rows: pl.DataFrame, backbone_id: str, width: int, dtype: str) -> pl.DataFrame:
    """Rows of the table features from those of parts, in order.

    Args:
        rows: of parts, with the condition's name.
        backbone_id: hash of the backbone record.
        width: d.
        dtype: float32 or float16.

    Returns:
        Rows sorted by image_id, condition, view and draw.
    """
    return rows.sort("image_id", "condition", "view", "draw").select(
        "image_id",
        pl.lit(backbone_id).alias("backbone_id"),
        "condition",
        "view",
        "draw",
        "rule",
        pl.col("feature").cast(pl.Array(NUMBERS[dtype][0], width)),
    )


def patch_rows(rows: pl.DataFrame, backbone_id: str, width: int, dtype: str) -> pl.DataFrame:
    """Rows of the table patches: one for each slot of the mosaics of draw 0.

    Args:
        rows, backbone_id, width, dtype: as `feature_rows`.

    Returns:
        Rows sorted by image_id, condition and slot.
    """
    mosaics = rows.filter(pl.col("rows").is_not_null(), pl.col("draw") == 0).sort("image_id", "condition")
    slots = mosaics["rows"].list.len()
    kind = pl.Array(NUMBERS[dtype][0], width)
    if mosaics.height and mosaics["patches"].null_count() == 0:
        content = b"".join(mosaics["patches"])
        feature = pl.Series("feature", np.frombuffer(content, f"<f{NUMBERS[dtype][1]}").reshape(-1, width), kind)
    else:
        feature = pl.Series("feature", [None], dtype=kind).new_from_index(0, int(slots.sum()))
    return (
        mosaics.select(
            "image_id",
            pl.lit(backbone_id).alias("backbone_id"),
            "condition",
            pl.int_ranges(0, slots, dtype=pl.Int32).alias("slot"),
            pl.col("rows").alias("row"),
            pl.col("cols").alias("col"),
            "entropy",
        )
        .explode("slot", "row", "col", "entropy")
        .with_columns(feature)
    )
