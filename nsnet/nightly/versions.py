"""Versions of the tables: what a night made, kept under the hash of it, so that nights without a change share one.

    nights/versions/<12 hex digits>/{artifacts,tables}/... params.yaml data.dvc metrics.json version.json

A version is a project without pictures and stores: the catalogue is built from it again, and
`nsnet --project nights/versions/... leaderboard` reads it. Its tables are hard links of the
project's where the file system has them: stages write new files and never into old ones. What
people and DVC write into is copied.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from nsnet.core.contracts import Table
from nsnet.core.files import sweep, temporary_name
from nsnet.core.paths import Paths
from nsnet.core.provenance import digest, file_sha256
from nsnet.evaluation.contracts import ExternalRuns
from nsnet.reporting.views import TABLES

LIST = "version.json"
BESIDE = ("params.yaml", "data.dvc", "metrics.json")


def version_folder(paths: Paths, version: str) -> Path:
    """Where a version of a project's tables lies."""
    return paths.nights / "versions" / version


def keep_version(paths: Paths) -> str:
    """Keep the tables that the project has now; a version that is kept already, and is whole, stays.

    Args:
        paths: the project.

    Returns:
        Its name.

    Raises:
        OSError: a file cannot be linked or copied.
    """
    checksums = {path.relative_to(paths.root).as_posix(): file_sha256(path) for path in _files(paths)}
    version = digest(checksums)
    folder = version_folder(paths, version)
    if folder.exists() and not faults_of(folder):
        return version
    folder.parent.mkdir(parents=True, exist_ok=True)
    sweep(folder.parent)
    temporary = temporary_name(folder)
    for name in checksums:
        (_copy if name in BESIDE else _link)(paths.root / name, temporary / name)
    (temporary / LIST).write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")
    if folder.exists():  # damaged
        shutil.rmtree(folder)
    temporary.rename(folder)
    return version


def faults_of(folder: Path) -> list[str]:
    """What is wrong with a version: files that are missing or not what they were.

    Args:
        folder: of the version.

    Returns:
        A line a file; none if it is whole.
    """
    try:
        checksums = json.loads((folder / LIST).read_bytes())
    except (OSError, ValueError) as error:
        return [f"{folder / LIST} cannot be read: {error}"]
    faults = []
    for name, checksum in checksums.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{path} is missing")
        elif file_sha256(path) != checksum:
            faults.append(f"{path} is not what was published")
    return faults


def _files(paths: Paths) -> Iterator[Path]:
    kinds: tuple[type[Table], ...] = (*TABLES, ExternalRuns)
    yield from sorted(map(paths.table, kinds))
    yield from sorted(path for path in paths.tables.rglob("*") if path.is_file() and not path.name.startswith("."))
    yield from (paths.root / name for name in BESIDE if (paths.root / name).exists())


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another file system, or one without links; a full disk fails again below
        _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
