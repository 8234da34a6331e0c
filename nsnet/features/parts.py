"""The feature store's parts: append-only Parquet files named by the sha256 of their own bytes.

    FOLDER/<backbone_id>/<condition_id>/<suite>/<generator>/part-<sha256>.parquet

A part holds the features of one batch of pictures and is written whole or not at all, so
a kill loses the batch at work. The name is the checksum, verified on every read. Beside a
part lies a small .json with the seconds and counts behind it, which nothing depends on.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from nsnet.core.files import atomic_path, safe_path
from nsnet.features.views import View

DAMAGED = ".damaged"
# What a row is of, and whether features of its patches lie beside it.
KEY_COLUMNS = ["image_id", "view", "draw", "tokens"]
_TYPES = {"float32": pa.float32(), "float16": pa.float16()}


class DamagedPart(ValueError):
    """A part's bytes are not those that were written; it has been set aside."""


def part_folder(store: Path, backbone_id: str, condition_id: str, suite: str, generator: str) -> Path:
    """Where parts of one generator lie.

    Args:
        store: the feature store.
        backbone_id, condition_id: hashes of both records.
        suite, generator: whose pictures; any text.

    Returns:
        A folder below the store.
    """
    return safe_path(store / backbone_id / condition_id, suite, generator)


def part_files(store: Path, backbone_id: str, condition_ids: Sequence[str]) -> list[Path]:
    """All parts of a backbone under some conditions, in order of path.

    Args:
        store: the feature store.
        backbone_id: hash of the backbone record.
        condition_ids: hashes of the conditions.

    Returns:
        Paths; damaged parts that were set aside are not among them.
    """
    return sorted(
        path
        for condition_id in condition_ids
        for path in (store / backbone_id / condition_id).glob("*/*/part-*.parquet")
    )


def part_table(
    image_ids: Sequence[str],
    keys: Sequence[tuple[str, int]],
    views: Sequence[View],
    features: npt.NDArray[np.float32],
    patches: Mapping[int, npt.NDArray[np.float32]],
    dtype: str,
) -> pa.Table:
    """The rows of a part.

    Args:
        image_ids, keys, views: of each row: picture, (view, draw), and what was shown.
        features: float32 (rows, d).
        patches: by row, for mosaics whose patches are wanted: float32 (slots, d); kept as little-endian bytes.
        dtype: float32 or float16, as features are kept.

    Returns:
        A row for each view.
    """
    kept = features.astype(dtype)
    chosen = [view.selection for view in views]
    columns = {
        "image_id": pa.array(image_ids, pa.string()),
        "view": pa.array([view for view, _ in keys], pa.string()),
        "draw": pa.array([draw for _, draw in keys], pa.int32()),
        "rule": pa.array([view.rule for view in views], pa.string()),
        "feature": pa.FixedSizeListArray.from_arrays(pa.array(kept.ravel(), _TYPES[dtype]), kept.shape[1]),
        "rows": _lists([None if s is None else s.rows for s in chosen], pa.int32()),
        "cols": _lists([None if s is None else s.cols for s in chosen], pa.int32()),
        "entropy": _lists([None if s is None else s.entropy for s in chosen], pa.float64()),
        "tokens": pa.array([row in patches for row in range(len(views))], pa.bool_()),
        # Bytes, not lists: 49 x d numbers a picture are read four times as fast.
        "patches": pa.array([_bytes(patches.get(row), dtype) for row in range(len(views))], pa.binary()),
    }
    return pa.table(columns, metadata={"dtype": dtype})


def _bytes(values: npt.NDArray[np.float32] | None, dtype: str) -> bytes | None:
    return None if values is None else values.astype(f"<{np.dtype(dtype).str[1:]}").tobytes()


def _lists(values: Sequence[npt.NDArray[Any] | None], kind: pa.DataType) -> pa.ListArray:
    """A column of lists without a Python object for each number; None is a null."""
    lengths = [0 if value is None else len(value) for value in values]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    present = [value for value in values if value is not None]
    flat = np.concatenate(present) if present else np.empty(0, kind.to_pandas_dtype())
    mask = pa.array([value is None for value in values])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat.astype(kind.to_pandas_dtype()), kind), mask=mask)


def write_part(folder: Path, table: pa.Table, stats: Mapping[str, int | float]) -> Path:
    """Add a part; the same table again changes nothing.

    Args:
        folder: of `part_folder`.
        table: of `part_table`.
        stats: counts and seconds, kept beside the part.

    Returns:
        The part, named by the sha256 of its bytes.
    """
    start = time.perf_counter()
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **parquet_options(table.schema))
    content = buffer.getvalue()
    path = folder / f"part-{hashlib.sha256(content).hexdigest()}.parquet"
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    facts = {**stats, "write_seconds": round(time.perf_counter() - start, 4), "bytes": len(content)}
    with atomic_path(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(facts, indent=2) + "\n")
    return path


def parquet_options(schema: pa.Schema) -> dict[str, Any]:
    """How features are written: their noise is neither repeated nor worth compressing, all else is both."""
    noise = {"feature", "patches"}
    return {
        "compression": {name: "none" if name.split(".")[0] in noise else "zstd" for name in _leaves(schema)},
        "use_dictionary": [field.name for field in schema if pa.types.is_string(field.type)],
    }


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of columns as Parquet has them, where a list is a group."""
    return [f"{field.name}.list.element" if pa.types.is_nested(field.type) else field.name for field in schema]


def read_part(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a part, all of whose bytes are checked against its name.

    Args:
        path: of `part_files`.
        columns: to read; all if None.

    Returns:
        The rows.

    Raises:
        DamagedPart: they differ. The part is named on stderr and set aside, so that its
            pictures count as not encoded.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:  # another process may have set it aside
        raise DamagedPart(f"{path} is gone") from error
    checksum = hashlib.sha256(content).hexdigest()
    if path.name != f"part-{checksum}.parquet":
        aside = path.with_name(path.name + DAMAGED)
        path.replace(aside)
        sentence = f"{path} is damaged (its sha256 is {checksum}): set aside as {aside.name}, to be encoded again"
        print(sentence, file=sys.stderr)
        raise DamagedPart(sentence)
    return pq.ParquetFile(pa.BufferReader(content)).read(columns, use_threads=False)


def read_keys(path: Path) -> pa.Table:
    """Read what a part says that it holds: its columns `KEY_COLUMNS`, whose bytes are not checked.

    Whoever reads features by these keys checks the part then.

    Args:
        path: of `part_files`.

    Returns:
        A row for each row of the part.

    Raises:
        DamagedPart: it cannot be read as a part; as `read_part`.
    """
    try:
        rows = pq.ParquetFile(path).read(KEY_COLUMNS, use_threads=False)
        rows.validate(full=True)
        if rows.schema.metadata[b"dtype"].decode() in _TYPES:
            return rows
    except (OSError, ValueError, LookupError, TypeError):  # whatever damage makes of it, its checksum tells
        pass
    return read_part(path, KEY_COLUMNS)


def read_stats(part: Path) -> dict[str, int | float]:
    """Seconds and counts behind a part; empty if that file is missing or unreadable, which harms no feature."""
    try:
        stats = json.loads(part.with_suffix(".json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    numbers = stats.items() if isinstance(stats, dict) else ()
    return {name: value for name, value in numbers if isinstance(value, int | float)}
