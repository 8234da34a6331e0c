"""A disk that is full soon after a stage has begun: one clear line, nothing that looks finished, and the next run ends
as if nothing had been. From the stage's midst on: tests/test_fault_matrix.py."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import environment

# What a stage writes, in the project's folder.
WRITES = {
    "lab": ("lab",),
    "corpus": ("artifacts/corpus", "store/scan"),
    "features": ("artifacts/features", "store/features"),
    "train": ("artifacts/train", "store/runs", "store/pixels"),
    "evaluate": ("artifacts/evaluate", "metrics.json", "store/runs/*/scores", "store/runs/*/*.parquet"),
    "tables": ("tables",),
    "catalog": ("nsnet.duckdb",),
}
SIZE = 160 * 2**20
# Of what a stage writes, that finds room.
SHARE = 0.02


@pytest.fixture(scope="module")
def disk(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small file system with a copy of the finished tiny project on it."""
    point = tmp_path_factory.mktemp("disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(point)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    try:
        copy = point / "nsnet"
        shutil.copytree(project, copy, symlinks=True, ignore=shutil.ignore_patterns("cache", ".git"))
        yield copy
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def written(folder: Path, stage: str) -> list[Path]:
    return sorted(path for pattern in WRITES[stage] for path in folder.glob(pattern))


def digests(folder: Path, stage: str) -> dict[str, str]:
    """Of the stage's outputs; the catalogue holds the time of its building, the store may come in other parts."""
    files = [
        file
        for path in written(folder, stage)
        if path.relative_to(folder).parts[0] not in ("store", "nsnet.duckdb")
        for file in [path, *path.rglob("*")]
        if file.is_file()
    ]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def free(folder: Path) -> int:
    usage = os.statvfs(folder)
    return usage.f_bavail * usage.f_frsize


def run_stage(folder: Path, stage: str) -> subprocess.CompletedProcess[str]:
    command = ["python", "-m", "nsnet.stages", stage]
    return subprocess.run(command, cwd=folder, env=environment(folder), capture_output=True, text=True)


@pytest.mark.parametrize("stage", list(WRITES))
def test_a_full_disk_is_one_line_and_the_next_run_is_whole(disk: Path, stage: str) -> None:
    before, room = digests(disk, stage), free(disk)
    for path in written(disk, stage):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    needed = free(disk) - room
    filler = disk / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, free(disk) - int(needed * SHARE))
    try:
        failed = run_stage(disk, stage)
    finally:
        filler.unlink()
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "Traceback" not in failed.stderr, failed.stderr
    [line] = [line for line in failed.stderr.splitlines() if line.startswith("error: ")]
    assert "No space left on device" in line
    again = run_stage(disk, stage)
    assert again.returncode == 0, again.stderr
    assert digests(disk, stage) == before
    assert not [path for path in disk.rglob("*.tmp*") if ".dvc" not in path.parts]
