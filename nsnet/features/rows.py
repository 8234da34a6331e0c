"""Rows of the tables features and patches, from those of the store's parts."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

# Type and bytes of a number, by the setting's name.
NUMBERS = {"float32": (pl.Float32, 4), "float16": (pl.Float16, 2)}


def in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of parts in the order of both tables: by image_id, condition, view and draw."""
    return rows.sort("image_id", "condition", "view", "draw")


def feature_rows(rows: pl.DataFrame, backbone_id: str, width: int, dtype: str) -> pl.DataFrame:
    """Rows of the table features from those of parts.

    Args:
        rows: of parts, with the condition's name, `in_order`.
        backbone_id: hash of the backbone record.
        width: d.
        dtype: float32 or float16.

    Returns:
        As many rows, in that order.
    """
    return rows.select(
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
        Rows in order of image_id, condition and slot.
    """
    mosaics = rows.filter(pl.col("rows").is_not_null(), pl.col("draw") == 0)
    slots = mosaics["rows"].list.len()
    kind = pl.Array(NUMBERS[dtype][0], width)
    if mosaics.height and mosaics["patches"].null_count() == 0:
        numbers = _joined(mosaics["patches"], f"<f{NUMBERS[dtype][1]}")
        feature = pl.Series("feature", numbers.reshape(-1, width), kind)
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


def _joined(contents: pl.Series, kind: str) -> npt.NDArray[Any]:
    """All numbers in a column of bytes, one row's after the other's, as Arrow lays them out: no object for each row."""
    rows = contents.to_arrow().cast(pa.large_binary())
    _, offsets, data = rows.buffers()
    first, last = np.frombuffer(offsets, np.int64)[[rows.offset, rows.offset + len(rows)]]
    return np.frombuffer(data, np.uint8)[first:last].view(kind)
