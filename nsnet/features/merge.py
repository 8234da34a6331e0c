"""From the store's parts to the tables features and patches: what was asked for, in a fixed order, in flat memory.

Parts come in the order of their history. What does not fit one bucket is dealt into buckets
on disk by the first digits of image_id; each bucket is then sorted, and a slice at a time
becomes rows of a table. So the bytes depend on what was asked for alone. Both tables are
written at once, and each holds a bucket and a few slices.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from nsnet.core.contracts import Table, check
from nsnet.core.files import atomic_path
from nsnet.features.ahead import ahead
from nsnet.features.contracts import Features, Patches
from nsnet.features.gather import THREADS, gathered
from nsnet.features.plan import Plan
from nsnet.features.rows import NUMBERS, feature_rows, in_order, patch_rows

# Bytes of features that are held as a whole, that are in a bucket of more than that, and in a slice.
WHOLE = 256_000_000
BUCKET = 64_000_000
SLICE = 64_000_000
# Rows that Parquet keeps together.
GROUP = 16_384
RowsOf = Callable[[pl.DataFrame, str, int, str], pl.DataFrame]


def write_tables(plan: Plan, width: int, slots: int, features: Path, patches: Path) -> None:
    """Write both tables from the plan's parts.

    Args:
        plan: with nothing missing.
        width: dimension d of a feature.
        slots: patches in a mosaic.
        features, patches: files to write, whole or not at all.

    Raises:
        Incomplete: parts turned out damaged; the plan has forgotten them.
    """
    request = plan.request
    views = len(request.keys) * width * NUMBERS[request.dtype][1]  # bytes a picture
    tokens = slots * width * NUMBERS[request.dtype][1] if request.patches else 0
    digits = bucket_digits(plan.counts()[0] * (views + tokens))
    buckets = _dealt(plan, digits) if digits else _whole(plan)

    def write(path: Path, kind: type[Table], rows_of: RowsOf, size: int) -> None:
        def make(rows: pl.DataFrame) -> pl.DataFrame:
            return rows_of(rows, plan.backbone_id, width, request.dtype)

        height = max(1, SLICE * len(request.keys) // (size or views))
        _write(path, kind, make, (part for read in buckets for part in in_order(read()).iter_slices(height)))

    with atomic_path(features) as one, atomic_path(patches) as other, ThreadPoolExecutor(THREADS) as pool:
        tables = ((one, Features, feature_rows, views), (other, Patches, patch_rows, tokens))
        for table in [pool.submit(write, *table) for table in tables]:
            table.result()


def bucket_digits(size: int) -> int:
    """Leading digits of image_id that deal `size` bytes into buckets small enough; none of what may be held whole."""
    if size <= WHOLE:
        return 0
    digits = 1
    while size > BUCKET * 16**digits:
        digits += 1
    return digits


def _write(
    path: Path, kind: type[Table], rows_of: Callable[[pl.DataFrame], pl.DataFrame], slices: Iterator[pl.DataFrame]
) -> None:
    """Write the rows that slices become, each checked, a few made ahead of the one that is written."""

    def made(part: pl.DataFrame) -> pl.DataFrame:
        return check(kind, rows_of(part))

    with ThreadPoolExecutor(THREADS) as pool:
        parts = ahead(pool, made, slices, THREADS)
        first = next(parts, None)
        first = rows_of(_empty()) if first is None else first
        second = next(parts, None)
        # Noise is not worth compressing, and what repeats is kept in a dictionary.
        if second is None:  # a stream takes longer to begin than a few rows to write
            first.write_parquet(path, compression="uncompressed", row_group_size=GROUP)
            return
        rows = register_io_source(lambda *_: itertools.chain([first, second], parts), schema=first.schema)
        rows.sink_parquet(path, compression="uncompressed", row_group_size=GROUP)


def _whole(plan: Plan) -> list[Callable[[], pl.DataFrame]]:
    """One bucket, in memory."""
    tables = list(gathered(plan))
    rows = _frame(pa.concat_tables(tables)) if tables else _empty()
    return [lambda: rows]


def _dealt(plan: Plan, digits: int) -> list[Callable[[], pl.DataFrame]]:
    """Buckets in files, dealt in whatever order the parts come; only those that hold a row."""
    folder = plan.folder("buckets")
    with ExitStack() as stack:
        writers: dict[str, pa.ipc.RecordBatchStreamWriter] = {}
        for rows in gathered(plan):
            keys = pl.Series("bucket", rows["image_id"].to_pylist(), pl.String).str.slice(0, digits)
            dealt, start = rows.take(pa.array(keys.arg_sort().to_numpy())), 0
            for bucket, count in keys.value_counts().sort("bucket").iter_rows():
                if bucket not in writers:
                    sink = stack.enter_context(pa.OSFile(str(folder / bucket), "wb"))
                    writers[bucket] = stack.enter_context(pa.ipc.new_stream(sink, dealt.schema))
                writers[bucket].write_table(dealt.slice(start, count))
                start += count
    return [partial(_read, folder / bucket) for bucket in sorted(writers)]


def _read(bucket: Path) -> pl.DataFrame:
    with pa.OSFile(str(bucket), "rb") as source:
        return _frame(pa.ipc.open_stream(source).read_all())


def _frame(rows: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(rows)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _empty() -> pl.DataFrame:
    """No rows, with the columns of a bucket."""
    lists = {"rows": pl.Int32, "cols": pl.Int32, "entropy": pl.Float64}
    strings: dict[str, Any] = dict.fromkeys(("image_id", "view", "rule", "condition"), pl.String)
    numbers: dict[str, Any] = {"draw": pl.Int32, "feature": pl.List(pl.Float32), "patches": pl.Binary}
    return pl.DataFrame(schema={**strings, **numbers, **{name: pl.List(kind) for name, kind in lists.items()}})
