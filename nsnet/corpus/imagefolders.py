"""Imagefolders of Hugging Face's `datasets`: a metadata file in a folder of pictures, as a manifest.

`metadata.csv`, `.jsonl` or `.parquet` lies in the folder of the pictures or of a split, and names them in a column
`file_name`. Where it has no column `label`, the folders in `file_name` may say it, as those of a layout do.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePosixPath

import polars as pl

from nsnet.corpus.recognition import SPLITS, label_place

METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
# Their names of our columns; ours win where both are there.
NAMES = {"file_name": "path", "text": "caption", "prompt": "caption"}


def names_pictures(file: Path) -> bool:
    """Does a file that is called as metadata are have a column file_name? What others are about is not ours to know."""
    if file.suffix == ".parquet":
        with suppress(OSError, pl.exceptions.PolarsError):
            return "file_name" in pl.read_parquet_schema(file)
        return True  # it will be said that it cannot be read
    with file.open("rb") as stream:
        return b"file_name" in stream.readline().lower()


def as_manifest(file: Path, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of a metadata file with the columns of a manifest; those of a manifest as they are.

    Args:
        file: where the rows come from.
        rows: names of columns in lower case.

    Returns:
        The rows; path, caption, label and split are told where the metadata file or its folder tell them.
    """
    if file.name not in METADATA:
        return rows
    for theirs, ours in NAMES.items():
        if theirs in rows.columns and ours not in rows.columns:
            rows = rows.rename({theirs: ours})
    if "split" not in rows.columns and file.parent.name.casefold() in SPLITS:
        rows = rows.with_columns(split=pl.lit(file.parent.name))
    if "label" not in rows.columns and rows.schema.get("path") == pl.String:
        rows = rows.with_columns(label=pl.col("path").map_elements(_label, return_dtype=pl.String))
    return rows


def _label(path: str) -> str:
    """The folder of a path that names a label; empty if none does."""
    parts = PurePosixPath(path).parts[:-1]
    place = label_place(parts)
    return "" if place is None else parts[place]
