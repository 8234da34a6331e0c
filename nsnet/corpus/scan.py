"""Scanning a tree of pictures: every file looked at once, and again only if it has changed.

The index is a Parquet file of what was found, keyed by path, size and modification time, and sealed
(nsnet.core.seals): it changes no result, only the time a scan takes. The walk and the index of the scan
before are both in order of path, so they are read side by side, a chunk at a time:
memory does not grow with the number of files.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from nsnet.core.provenance import file_sha256
from nsnet.core.seals import broken, drop, sealed_path
from nsnet.core.workers import process_pool
from nsnet.corpus.inspection import LIMITS, Inspection, Limits, inspect
from nsnet.corpus.tree import file_names, is_archive, leads_out

CHUNK = 4096
# Starting processes costs more than inspecting fewer files than this.
WORTH_A_POOL = 500
# Raised when `inspect` finds other facts in the same bytes: an older index is then not used.
INDEX_VERSION = 3
# A file changed this shortly before a scan could change again within its time stamp's precision.
SETTLED_NS = 2_000_000_000

_STAT = {"path": pl.String, "size": pl.Int64, "mtime_ns": pl.Int64}
_FACTS = {
    "image_id": pl.String,
    "bytes": pl.Int64,
    "width": pl.Int32,
    "height": pl.Int32,
    "format": pl.String,
    "mode": pl.String,
    "jpeg_quality": pl.Int32,
    "has_exif": pl.Boolean,
    "pixel_id": pl.String,
    "phash": pl.String,
    "thumb": pl.Binary,
    "status": pl.String,
    "reason": pl.String,
}
_INDEX = pl.Schema({**_STAT, "version": pl.Int32, **_FACTS})


@dataclass(frozen=True)
class ScanCount:
    """A scan's account: files inspected now, taken from the index, and left alone by suffix."""

    inspected: int
    known: int
    others: dict[str, int]


def scan(
    root: Path,
    index: Path,
    named: list[str],
    workers: int = 1,
    limits: Limits = LIMITS,
    advance: Callable[[int], None] = lambda count: None,
) -> ScanCount:
    """Bring `index` up to date with the pictures below `root`; afterwards it has one row per file, by path.

    The files are those of `nsnet.corpus.tree.file_names`. Rows hold path, size, mtime_ns, version
    and the facts of `nsnet.corpus.inspection.Inspection`.

    Args:
        root: folder with the pictures.
        index: Parquet file; one of another tree or version is replaced.
        named: paths that a manifest lists, whatever they look like.
        workers: processes that decode.
        limits: what is too large to be read.
        advance: told how many files were looked at.

    Returns:
        How many files were inspected, known already, and left alone by suffix.

    Raises:
        OSError: `root` cannot be listed, or `index` cannot be written.
    """
    root = root.absolute()
    schema = _schema(root)
    others: dict[str, int] = {}
    inspected = known = 0
    if broken(index):
        print(f"{index} is not what was written: every picture is inspected again", file=sys.stderr)
        drop(index)
    with (
        ExitStack() as stack,
        sealed_path(index) as temporary,
        pq.ParquetWriter(temporary, schema, compression="zstd") as writer,
    ):
        pool: Executor | None = None
        listed = set(named)
        for same, todo in _against(root, _Before(index, schema, limits), file_names(root, named, others)):
            if pool is None and workers > 1 and todo.height >= WORTH_A_POOL:
                pool = stack.enter_context(process_pool(workers))
            rows = pl.concat([same, _inspected(root, todo, listed, limits, pool)]).sort("path")
            writer.write_table(rows.to_arrow().cast(schema))
            inspected, known = inspected + todo.height, known + same.height
            advance(todo.height + same.height)
    return ScanCount(inspected, known, dict(sorted(others.items())))


def survey(root: Path, index: Path, named: list[str], limits: Limits = LIMITS) -> ScanCount:
    """What `scan` would look at: no file is opened, and nothing is written.

    Args:
        root, index, named, limits: as there.

    Returns:
        How many files would be inspected, are known already, and would be left alone by suffix.

    Raises:
        OSError: `root` cannot be listed.
    """
    root = root.absolute()
    others: dict[str, int] = {}
    counts = [
        (todo.height, same.height)
        for same, todo in _against(root, _Before(index, _schema(root), limits), file_names(root, named, others))
    ]
    inspected, known = (sum(column) for column in zip(*counts, strict=True)) if counts else (0, 0)
    return ScanCount(inspected, known, dict(sorted(others.items())))


def _schema(root: Path) -> pa.Schema:
    """The index's columns; of another tree nothing is known, though names, sizes and times were the same."""
    return pl.DataFrame(schema=_INDEX).to_arrow().schema.with_metadata({"root": os.fsencode(root)})


def _against(root: Path, before: _Before, names: Iterator[str]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Files in chunks: rows of those that are as they were, and what is known of the others."""
    while part := list(itertools.islice(names, CHUNK)):
        files = pl.DataFrame([(name, *_stat(f"{root}/{name}")) for name in part], schema=_STAT, orient="row")
        earlier = before.rows(files)
        same = earlier.join(files, on=list(_STAT), how="semi")
        todo = files.join(same, on="path", how="anti").join(earlier.drop("mtime_ns"), on=["path", "size"], how="left")
        yield same, todo


class _Before:
    """The index of the scan before, read along with the walk."""

    def __init__(self, index: Path, schema: pa.Schema, limits: Limits) -> None:
        usable = index.exists() and pq.read_schema(index).equals(schema, check_metadata=True)
        self._groups = _row_groups(index) if usable else iter(())
        self._group = pl.DataFrame(schema=_INDEX)
        self._limits = limits

    def rows(self, files: pl.DataFrame) -> pl.DataFrame:
        """What is known of `files`, which come later in order than those of the call before.

        Files without a hash were not read; what spoke against it may have passed, and no time stamp would tell.
        """
        last, parts = files["path"][-1], []
        while True:
            parts.append(self._group.join(files, on="path", how="semi"))
            if self._group.height and self._group["path"][-1] > last:
                break
            group = next(self._groups, None)
            if group is None:
                break
            self._group = group
        pixels = pl.col("width").cast(pl.Int64) * pl.col("height")
        return pl.concat(parts).filter(
            pl.col("version") == INDEX_VERSION,
            pl.col("mtime_ns") >= 0,
            pl.col("image_id").is_not_null(),
            pl.col("bytes") <= self._limits.max_bytes,
            pixels.is_null() | (pixels <= self._limits.max_pixels),
        )


def _row_groups(index: Path) -> Iterator[pl.DataFrame]:
    with pq.ParquetFile(index) as file:
        for number in range(file.num_row_groups):  # iter_batches keeps what it has read
            yield pl.DataFrame(file.read_row_group(number, use_threads=False))


def _stat(path: str) -> tuple[int, int]:
    try:
        facts = os.stat(path)  # noqa: PTH116 - making a Path takes longer than the call
    except OSError:  # a dangling link or a name without a file: `inspect` says why
        return -1, -1
    settled = time.time_ns() - facts.st_mtime_ns > SETTLED_NS
    return facts.st_size, facts.st_mtime_ns if settled else -1


def _inspected(root: Path, todo: pl.DataFrame, listed: set[str], limits: Limits, pool: Executor | None) -> pl.DataFrame:
    """Rows of the index for files that are new or changed; `todo` has facts of old files of that size."""
    rows = todo.to_dicts()
    asked = (
        itertools.repeat(root),
        todo["path"],
        [name in listed for name in todo["path"]],
        todo["image_id"],
        itertools.repeat(limits),
    )
    inspections: Iterator[Inspection | None]
    inspections = pool.map(inspect_named, *asked, chunksize=64) if pool else map(inspect_named, *asked)
    fresh = [{**row, **(vars(facts) if facts else {})} for row, facts in zip(rows, inspections, strict=True)]
    return pl.DataFrame(fresh, schema=_INDEX).with_columns(version=pl.lit(INDEX_VERSION, pl.Int32))


def inspect_named(root: Path, name: str, listed: bool, previous: str | None, limits: Limits) -> Inspection | None:
    """Inspect one file of a tree, or return None if its content still hashes to `previous`.

    Archives, names that are no UTF-8, folders that cannot be listed and links that lead out
    of the tree are rejected unread.

    Args:
        root: the tree.
        name: the file below it, / separated.
        listed: a manifest names the file, rather than the walk through the tree.
        previous: hash of what was found at the last scan, of a file of this size.
        limits: what is too large to be read.

    Returns:
        What the file is, used or rejected with a reason; None if nothing has changed.
    """
    path = root / name
    if name.endswith("/"):
        return Inspection(None, 0, reason="folder cannot be opened: its pictures are not read")
    if is_archive(name):
        size = max(0, _stat(str(path))[0])
        return Inspection(None, size, reason="archive: unpack it, pictures inside are not read")
    if "\\x" in name and not path.exists():
        return Inspection(None, 0, reason="file name is not UTF-8: rename the file")
    if leads_out(root, name, listed):
        return Inspection(None, 0, reason="link out of the tree: link the whole folder, or copy the file")
    with suppress(OSError):  # `inspect` says why it cannot be read
        if previous is not None and path.is_file() and file_sha256(path) == previous:
            return None
    return inspect(path, limits)
