"""Other content of the same form: what reads as well as the right thing, and is wrong."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from PIL import Image
from safetensors.numpy import load, save

# Digits but zero, which must not come to stand in front of a number.
DIGITS = bytes.maketrans(b"123456789", b"234567891")
# Columns by which a stored row is found again: with other ones it would not be, and its other values not believed.
KEYS = ("size", "mtime_ns", "version")


def damage(path: Path) -> None:
    """Write other content into a file, or every file of a folder, where it lies: links to it see it too.

    Parquet keeps its schema and has other finite numbers, pictures have other pixels, detectors other finite weights,
    texts other digits. Links, and files without anything to change, stay.
    """
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    for file in files:
        file.chmod(0o644)  # DVC's objects are read-only
        content = file.read_bytes()
        if content[8:12] == b"DUCK":
            _update(file)
        else:
            file.write_bytes(_other(content)(content))


def _other(content: bytes) -> Callable[[bytes], bytes]:
    if content.startswith(b"PAR1"):
        return _parquet
    if content.startswith(b"\xff\xd8"):
        return _picture
    if content.startswith(b"\x93NUMPY"):
        return _array
    if content[8:9] == b"{":
        return _weights
    return _text


def _text(content: bytes) -> bytes:
    """Other numbers in JSON that has some; other digits in all else."""
    try:
        values = json.loads(content)
    except ValueError:
        return content.translate(DIGITS)
    changed = _numbers(values)
    return json.dumps(changed).encode() if changed != values else content.translate(DIGITS)


def _numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _numbers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_numbers(inner) for inner in value]
    return 0.75 - 0.5 * value if isinstance(value, float) else value


def _parquet(content: bytes) -> bytes:
    table = pq.read_table(io.BytesIO(content))
    columns = [
        column if name in KEYS else pa.chunked_array([_values(chunk) for chunk in column.chunks], column.type)
        for name, column in zip(table.column_names, table.columns, strict=True)
    ]
    stream = io.BytesIO()
    pq.write_table(pa.table(columns, schema=table.schema), stream, compression="zstd")
    return stream.getvalue()


def _values(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_floating(kind):
        return pc.subtract(0.75, pc.multiply(array.cast(pa.float64()), 0.5)).cast(kind)  # a score still is one
    if pa.types.is_integer(kind):
        return pc.add(array, pa.scalar(1, kind))
    if pa.types.is_fixed_size_list(kind):
        return pa.FixedSizeListArray.from_arrays(_values(array.values), type=kind)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return type(array).from_arrays(array.offsets, _values(array.values), type=kind)
    return array


def _picture(content: bytes) -> bytes:
    stream = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        picture.point(lambda value: 255 - value).save(stream, "JPEG", quality=90)
    return stream.getvalue()


def _array(content: bytes) -> bytes:
    stream = io.BytesIO()
    np.save(stream, np.load(io.BytesIO(content)) ^ 1)
    return stream.getvalue()


def _weights(content: bytes) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    said = json.loads(content[8 : 8 + length]).get("__metadata__")
    changed = {name: np.asarray(0.75 - 0.5 * values, values.dtype) for name, values in load(content).items()}
    return save(changed, said)


def _update(file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.sql("UPDATE results SET value = 0.75 - 0.5 * value")
