"""From the store's parts to the tables features and patches: what was asked for, in a fixed order, in flat memory.

Parts come in the order of their history. Their rows are dealt into buckets on disk by the
first digits of image_id; each bucket is then sorted and written as one row group, so the
bytes depend on what was asked for alone, and no more than a bucket is held.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nsnet.core.contracts import check
from nsnet.core.files import atomic_path
from nsnet.features.ahead import ahead
from nsnet.features.contracts import Features, Patches
from nsnet.features.jobs import Request
from nsnet.features.parts import DamagedPart, parquet_options, read_part
from nsnet.features.plan import Plan
from nsnet.features.rows import NUMBERS, feature_rows, patch_rows

# Bytes of features that a bucket may hold, and that are gathered before they are dealt out.
BUCKET = 64_000_000
GATHERED = 16_000_000
THREADS = 2
_KEPT = ["image_id", "view", "draw", "rule", "feature", "rows", "cols", "entropy", "patches"]


class Incomplete(ValueError):
    """A part was damaged since it was indexed; what it held is missing again."""


def write_tables(plan: Plan, width: int, slots: int, features: Path, patches: Path) -> None:
    """Write both tables from the plan's parts.

    Args:
        plan: with nothing missing.
        width: dimension d of a feature.
        slots: patches in a mosaic.
        features, patches: files to write, whole or not at all.

    Raises:
        Incomplete: a part turned out damaged; the plan has forgotten it.
    """
    request = plan.request
    numbers = len(request.keys) * width + (slots * width if request.patches else 0)
    digits = bucket_digits(plan.counts()[0] * numbers * NUMBERS[request.dtype][1])
    folder = plan.scratch / "buckets"
    # What fits one bucket need not be dealt out.
    whole = None if digits else _frame(list(_gathered(plan)))
    if digits:
        _deal(plan, folder, digits)
    with atomic_path(features) as one, atomic_path(patches) as other, ExitStack() as stack:
        tables = [
            (one, Features, feature_rows(_empty(), plan.backbone_id, width, request.dtype)),
            (other, Patches, patch_rows(_empty(), plan.backbone_id, width, request.dtype)),
        ]
        schemas = [_arrow(frame).schema for _, _, frame in tables]
        writers = [
            stack.enter_context(pq.ParquetWriter(path, schema, **parquet_options(schema)))
            for (path, _, _), schema in zip(tables, schemas, strict=True)
        ]

        def made(bucket: str) -> list[pa.Table]:
            rows = _bucket(folder / bucket) if bucket else whole
            if rows is None:
                return []
            kinds = ((Features, feature_rows), (Patches, patch_rows))
            return [_arrow(check(kind, make(rows, plan.backbone_id, width, request.dtype))) for kind, make in kinds]

        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        for rows in ahead(pool, made, _bucket_names(digits), THREADS):
            list(pool.map(_append, writers, rows))


def bucket_digits(size: int) -> int:
    """Leading digits of image_id that deal `size` bytes into buckets small enough."""
    digits = 0
    while size > BUCKET * 16**digits:
        digits += 1
    return digits


def _append(writer: pq.ParquetWriter, rows: pa.Table) -> None:
    if rows.num_rows:
        writer.write_table(rows, row_group_size=rows.num_rows)


def _arrow(frame: pl.DataFrame) -> pa.Table:
    """As Arrow, with plain strings, which Parquet keeps in a dictionary."""
    rows = frame.to_arrow()
    strings = [
        pa.field(f.name, pa.string()) if not pa.types.is_nested(f.type) and not pa.types.is_primitive(f.type) else f
        for f in rows.schema
    ]
    return rows.cast(pa.schema(strings))


def _deal(plan: Plan, folder: Path, digits: int) -> None:
    """Write the chosen rows of all parts into bucket files, in whatever order the parts come."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with ExitStack() as stack:
        writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        for gathered in _gathered(plan):
            keys = pl.Series("bucket", gathered["image_id"].to_pylist(), pl.String).str.slice(0, digits)
            dealt, start = gathered.take(pa.array(keys.arg_sort().to_numpy())), 0
            for bucket, count in keys.value_counts().sort("bucket").iter_rows():
                if bucket not in writers:
                    sink = stack.enter_context(pa.OSFile(str(folder / bucket), "wb"))
                    writers[bucket] = stack.enter_context(pa.ipc.new_stream(sink, dealt.schema))
                writers[bucket].write_table(dealt.slice(start, count))
                start += count


def _gathered(plan: Plan) -> Iterator[pa.Table]:
    """The chosen rows of several parts together, with the condition's name in the out."""
    tables: list[pa.Table] = []
    size = 0
    with ThreadPoolExecutor(THREADS) as pool:
        for taken in ahead(pool, lambda part: _chosen_rows(plan, *part), plan.chosen(), 2 * THREADS):
            if isinstance(taken, Path):
                plan.forget(taken)
                raise Incomplete(f"{taken} is damaged")
            tables.append(taken)
            size += taken.nbytes
            if size > GATHERED:
                yield pa.concat_tables(tables)
                tables, size = [], 0
    if tables:
        yield pa.concat_tables(tables)


def _chosen_rows(plan: Plan, path: Path, chosen: Sequence[tuple[int, str]]) -> pa.Table | Path:
    """Some rows of a part, or the part itself if it is damaged."""
    try:
        rows = read_part(path, _KEPT)
    except DamagedPart:
        return path
    wanted = [row for row, _ in chosen]
    if wanted != list(range(rows.num_rows)):
        rows = rows.take(pa.array(wanted))
    names = pa.array([name for _, name in chosen], pa.string())
    return _uniform(rows.append_column("condition", names), plan.request)


def _uniform(rows: pa.Table, request: Request) -> pa.Table:
    """Numbers in the precision asked for, whatever the part's, so that parts go together; patches only if wanted.

    Float32 rounded now is what float16 would have been when the part was written.
    """
    width, stored = rows["feature"].type.list_size, rows.schema.metadata[b"dtype"].decode()
    rows = rows.replace_schema_metadata(None)
    if not request.patches:
        rows = _put(rows, "patches", pa.nulls(rows.num_rows, pa.binary()))
    if stored == request.dtype:
        return rows
    flat = rows["feature"].combine_chunks().flatten().to_numpy().astype(np.float16)
    rows = _put(rows, "feature", pa.FixedSizeListArray.from_arrays(pa.array(flat), width))
    rounded = [
        None if content is None else np.frombuffer(content, "<f4").astype("<f2").tobytes()
        for content in rows["patches"].to_pylist()
    ]
    return _put(rows, "patches", pa.array(rounded, pa.binary()))


def _put(rows: pa.Table, name: str, column: pa.Array) -> pa.Table:
    return rows.set_column(rows.schema.get_field_index(name), name, column)


def _bucket_names(digits: int) -> Iterator[str]:
    """The empty name stands for all rows."""
    yield from (f"{number:0{digits}x}" if digits else "" for number in range(16**digits))


def _bucket(path: Path) -> pl.DataFrame | None:
    if not path.exists():
        return None
    with pa.OSFile(str(path), "rb") as source:
        return _frame([pa.ipc.open_stream(source).read_all()])


def _frame(tables: Sequence[pa.Table]) -> pl.DataFrame | None:
    """The rows of tables that there are."""
    if not tables:
        return None
    frame = pl.from_arrow(pa.concat_tables(tables))
    assert isinstance(frame, pl.DataFrame)
    return frame


def _empty() -> pl.DataFrame:
    """No rows, with the columns of a bucket."""
    lists = {"rows": pl.Int32, "cols": pl.Int32, "entropy": pl.Float64}
    strings: dict[str, Any] = dict.fromkeys(("image_id", "view", "rule", "condition"), pl.String)
    numbers: dict[str, Any] = {"draw": pl.Int32, "feature": pl.List(pl.Float32), "patches": pl.Binary}
    return pl.DataFrame(schema={**strings, **numbers, **{name: pl.List(kind) for name, kind in lists.items()}})
