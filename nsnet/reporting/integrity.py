"""Is what the catalogue names still what it was? Every picture, detector and table by its checksum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from nsnet.core.contracts import table_name
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256
from nsnet.corpus.contracts import Images
from nsnet.reporting.catalogue import ARRAYS, open_read_only
from nsnet.reporting.views import KEPT, TABLES, rows_of
from nsnet.training.contracts import Runs

# Files read at once: enough to keep a disk busy.
THREADS = 4


@dataclass(frozen=True)
class Checked:
    """What was looked at: how many, and every fault in words."""

    what: str
    count: int
    faults: list[str]


def named_files(paths: Paths) -> dict[str, list[tuple[Path, str]]]:
    """Files that the catalogue names, with their sha256.

    Args:
        paths: the project.

    Returns:
        Pictures and detectors.

    Raises:
        FileNotFoundError: a table has not been made.
    """
    images = read_table(Images, paths.table(Images)).filter(pl.col("image_id").is_not_null())
    runs = read_table(Runs, paths.table(Runs)).select("run_id", "detector_sha256")
    return {
        "pictures": [(paths.data / path, sha256) for path, sha256 in images.select("path", "image_id").iter_rows()],
        "detectors": [(paths.detectors / f"{run_id}.safetensors", sha256) for run_id, sha256 in runs.iter_rows()],
    }


def spread(files: list[tuple[Path, str]], limit: int | None) -> list[tuple[Path, str]]:
    """At most so many of the files, evenly spread; all of them without a limit."""
    return files if limit is None or not files else files[:: -(-len(files) // limit)]


def check_integrity(
    paths: Paths, advance: Callable[[int], None] = lambda count: None, limit: int | None = None
) -> list[Checked]:
    """Hash again every file that the catalogue names, and compare its tables with the Parquet files.

    Args:
        paths: the project.
        advance: told how many files are read.
        limit: read at most so many pictures, and so many detectors; all if None.

    Returns:
        Pictures, detectors and tables, each with its faults.

    Raises:
        FileNotFoundError: no catalogue, or a table has not been made.
    """
    files = {what: spread(found, limit) for what, found in named_files(paths).items()}
    with open_read_only(paths.database) as connection:
        tables = list(_tables(connection, paths))
    checked = [Checked(what, len(found), list(_hashed(found, advance))) for what, found in files.items()]
    return [*checked, Checked("tables", len(tables), [fault for fault in tables if fault])]


def _hashed(files: list[tuple[Path, str]], advance: Callable[[int], None]) -> Iterator[str]:
    def look(named: tuple[Path, str]) -> str:
        file, sha256 = named
        if not file.is_file():
            return f"{file} is gone"
        found = file_sha256(file)
        return "" if found == sha256 else f"{file} has sha256 {found[:12]}, the catalogue says {sha256[:12]}"

    with ThreadPoolExecutor(THREADS) as pool:
        for fault in pool.map(look, files):
            advance(1)
            if fault:
                yield fault


def _tables(catalogue: duckdb.DuckDBPyConnection, paths: Paths) -> Iterator[str]:
    """For every table, how its rows in the catalogue differ from the files: nothing if they do not."""
    for kind in TABLES:
        name, where = table_name(kind), ' WHERE "current"' if kind in KEPT else ""
        # Lists of one length are arrays there, whose hash is another.
        columns = [f'"{c}"::{ARRAYS[c]}[]' if c in ARRAYS else f'"{c}"' for c in kind.to_schema().columns]
        count = f"SELECT count(*), sum(hash({', '.join(columns)}))"
        here = catalogue.execute(f"{count} FROM {name}{where}").fetchall()
        with duckdb.connect() as files:
            there = files.execute(f"{count} FROM {rows_of(kind, paths, paths)}").fetchall()
        yield "" if here == there else f"table {name}: the catalogue is not of these files; run `dvc repro catalog`"
