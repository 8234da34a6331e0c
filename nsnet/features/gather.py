"""The rows of the store's parts that a table asks for, in one precision, each part verified as it is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa

from nsnet.features.ahead import ahead
from nsnet.features.jobs import Request
from nsnet.features.parts import DamagedPart, read_part
from nsnet.features.plan import Plan

# Bytes of features that are gathered before they are handed on.
GATHERED = 16_000_000
THREADS = 2
_KEPT = ["image_id", "view", "draw", "rule", "feature", "rows", "cols", "entropy", "patches"]


class Incomplete(ValueError):
    """Parts turned out damaged; what they held is missing again."""


def gathered(plan: Plan) -> Iterator[pa.Table]:
    """The chosen rows of several parts together, with the condition's name in the out, in the order of parts.

    Args:
        plan: with nothing missing.

    Yields:
        Tables of some megabytes.

    Raises:
        Incomplete: after the last table, if parts were damaged; the plan has forgotten them all.
    """
    tables: list[pa.Table] = []
    size = 0
    damaged: list[Path] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for taken in ahead(pool, lambda part: _chosen_rows(plan.request, *part), plan.chosen(), 2 * THREADS):
            if isinstance(taken, Path):
                damaged.append(taken)
                continue
            tables.append(taken)
            size += taken.nbytes
            if size > GATHERED:
                yield pa.concat_tables(tables)
                tables, size = [], 0
    for part in damaged:
        plan.forget(part)
    if damaged:
        raise Incomplete(f"{len(damaged)} parts are damaged, among them {damaged[0]}")
    if tables:
        yield pa.concat_tables(tables)


def _chosen_rows(request: Request, path: Path, chosen: Sequence[tuple[int, str]]) -> pa.Table | Path:
    """Some rows of a part, or the part itself if it is damaged."""
    try:
        rows = read_part(path, _KEPT)
    except DamagedPart:
        return path
    wanted = [row for row, _ in chosen]
    if wanted != list(range(rows.num_rows)):
        rows = rows.take(pa.array(wanted))
    names = pa.array([name for _, name in chosen], pa.string())
    return _uniform(rows.append_column("condition", names), request)


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
