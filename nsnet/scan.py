"""Scanning a tree of pictures: every file looked at once, and again only if it has changed.

The index is a Parquet file of what was found, keyed by path, size and modification time.
It changes no result, only the time a scan takes. Files stream through in chunks, and
DuckDB joins them in a small memory budget, beyond which it goes to disk.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from nsnet.files import atomic_path
from nsnet.images import Inspection, inspect
from nsnet.provenance import file_sha256

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"}
CHUNK = 2000
# Raised when `inspect` finds other facts in the same bytes: an older index is then not used.
INDEX_VERSION = 1
# A file changed this shortly before a scan could change again within its time stamp's precision.
SETTLED_NS = 2_000_000_000

_FACTS = pa.schema(
    [
        ("image_id", pa.string()),
        ("bytes", pa.int64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("mode", pa.string()),
        ("jpeg_quality", pa.int32()),
        ("has_exif", pa.bool_()),
        ("pixel_id", pa.string()),
        ("phash", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
    ]
)
_STAT = pa.schema([("path", pa.string()), ("size", pa.int64()), ("mtime_ns", pa.int64())])
_INDEX = pa.schema([*_STAT, ("version", pa.int32()), *_FACTS])


@dataclass(frozen=True)
class Found:
    """A scan's account: files inspected now, taken from the index, and left alone by suffix."""

    inspected: int
    known: int
    others: dict[str, int]


def scan(
    root: Path,
    index: Path,
    named: list[str],
    workers: int = 1,
    advance: Callable[[int], None] = lambda count: None,
) -> Found:
    """Bring `index` up to date with the pictures below `root`; afterwards it has one row per file, by path.

    Pictures are files with a picture's suffix, archives (rejected: they want unpacking) and
    the paths in `named`, existing or not. Links are followed, a folder only once. Rows hold
    path, size, mtime_ns, version and the facts of `nsnet.images.Inspection`.
    """
    root = root.absolute()  # paths below "." would not begin with it
    others: dict[str, int] = {}
    index.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=index.parent, prefix=".scan-") as work, _small_database(work) as connection:
        stat, fresh, before = Path(work, "stat.parquet"), Path(work, "fresh.parquet"), Path(work, "before.parquet")
        _write(stat, _STAT, _stat_rows(root, named, others))
        if index.exists():
            before = index
        else:
            _write(before, _INDEX, iter(()))
        connection.read_parquet(str(stat)).create_view("stat")
        usable = connection.read_parquet(str(before)).filter(f"version = {INDEX_VERSION} AND mtime_ns >= 0")
        usable.create_view("before")
        columns, facts = ", ".join(_INDEX.names), ", ".join(f"before.{name}" for name in _FACTS.names)
        todo = connection.sql(
            f"SELECT stat.*, {facts} FROM stat ANTI JOIN before USING (path, size, mtime_ns)"
            " LEFT JOIN before USING (path, size) ORDER BY path"
        )
        inspected = _write(fresh, _INDEX, _inspect_rows(root, todo, workers, advance))
        connection.read_parquet(str(fresh)).create_view("fresh")
        with atomic_path(index) as temporary:
            connection.sql(
                f"SELECT {columns} FROM before SEMI JOIN stat USING (path, size, mtime_ns)"
                f" UNION ALL SELECT {columns} FROM fresh ORDER BY path"
            ).write_parquet(str(temporary), compression="zstd")
        total = pq.read_metadata(index).num_rows
    advance(total - inspected)
    return Found(inspected, total - inspected, dict(sorted(others.items())))


def _small_database(work: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"memory_limit": "96MB", "threads": 1, "temp_directory": work})
    connection.execute("SET enable_progress_bar = false")
    return connection


def picture_names(root: Path) -> Iterator[str]:
    """Paths below `root` of files that look like pictures, and of archives, folder by folder."""
    root = root.absolute()
    return (_shown(path, root) for path in _walk(root, set()) if _kind(path) in SUFFIXES | ARCHIVES)


def is_archive(name: str) -> bool:
    """Does a path look like an archive that should have been unpacked?"""
    return _kind(Path(name)) in ARCHIVES


def _kind(path: Path) -> str:
    return "hidden" if path.name.startswith(".") else path.suffix.lower()


def _stat_rows(root: Path, named: list[str], others: dict[str, int]) -> Iterator[dict[str, object]]:
    listed = set(named)
    for path in _walk(root, set()):
        name = _shown(path, root)
        suffix = _kind(path)
        if suffix in SUFFIXES | ARCHIVES or name in listed:
            listed.discard(name)
            yield {"path": name, **_stat(path)}
        else:
            others[suffix or "no suffix"] = others.get(suffix or "no suffix", 0) + 1
    for name in sorted(listed):
        yield {"path": name, **_stat(root / name)}


def _walk(folder: Path, entered: set[tuple[int, int]]) -> Iterator[Path]:
    facts = folder.stat()
    if (facts.st_dev, facts.st_ino) in entered:
        return
    entered.add((facts.st_dev, facts.st_ino))
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        if entry.is_dir():
            if not entry.name.startswith("."):
                yield from _walk(Path(entry.path), entered)
        else:
            yield Path(entry.path)


def _stat(path: Path) -> dict[str, int]:
    try:
        facts = path.stat()
    except OSError:  # a dangling link or a name without a file: `inspect` says why
        return {"size": -1, "mtime_ns": -1}
    settled = time.time_ns() - facts.st_mtime_ns > SETTLED_NS
    return {"size": facts.st_size, "mtime_ns": facts.st_mtime_ns if settled else -1}


def _shown(path: Path, root: Path) -> str:
    """The path below `root`, / separated, with bytes that are no UTF-8 written as escapes."""
    below = str(path)[len(str(root)) + 1 :].replace(os.sep, "/")  # relative_to is ten times slower
    return os.fsencode(below).decode("utf-8", "backslashreplace")


def _inspect_rows(
    root: Path, todo: duckdb.DuckDBPyRelation, workers: int, advance: Callable[[int], None]
) -> Iterator[dict[str, object]]:
    with ExitStack() as stack:
        pool: Executor | None = None
        if workers > 1 and todo.limit(CHUNK).shape[0] == CHUNK:  # starting processes costs more than few files
            # spawn: forking after a threaded library is loaded can hang
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
        for batch in todo.to_arrow_reader(CHUNK):
            rows = batch.to_pylist()
            asked = itertools.repeat(root), [row["path"] for row in rows], [row["image_id"] for row in rows]
            found = pool.map(inspect_named, *asked, chunksize=64) if pool else map(inspect_named, *asked)
            for row, facts in zip(rows, found, strict=True):
                yield {**row, "version": INDEX_VERSION, **(asdict(facts) if facts else {})}
            advance(len(rows))


def inspect_named(root: Path, name: str, previous: str | None) -> Inspection | None:
    """Inspect one file of a tree, or return None if its content still hashes to `previous`.

    Archives and names that are no UTF-8 are rejected unread.
    """
    path = root / name
    if is_archive(name):
        return Inspection(None, max(0, _stat(path)["size"]), reason="archive: unpack it, pictures inside are not read")
    if "\\x" in name and not path.exists():
        return Inspection(None, 0, reason="file name is not UTF-8: rename the file")
    with suppress(OSError):  # `inspect` says why it cannot be read
        if previous is not None and file_sha256(path) == previous:
            return None
    return inspect(path)


def _write(path: Path, schema: pa.Schema, rows: Iterator[dict[str, object]]) -> int:
    """Stream rows to Parquet in chunks; return how many."""
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while part := list(itertools.islice(rows, CHUNK)):
            writer.write_table(pa.Table.from_pylist(part, schema=schema))
            count += len(part)
    return count
