"""Faults on a copy of a project that has published a night: what is done to it, and what must be true afterwards."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import psutil
import yaml

from nsnet.nightly.versions import faults_of
from tests.conftest import ROOT, environment, run

NIGHT = [sys.executable, "-P", str(ROOT / "tests/night.py")]
STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
CATALOGUE = "nsnet.duckdb"
# What a stage keeps to save time; without it, it works.
STORES = {
    "corpus": ("store/scan/*.parquet",),
    "features": ("store/features/**/part-*.parquet",),
    "train": ("store/runs/*/run.json", "store/runs/*/detector.*", "store/runs/*/validation.*", "store/pixels/*.npy"),
    "evaluate": ("store/runs/*/scores/*",),
}
# What is there once a stage is in the midst of it; of others any of their outputs.
BEGUN = {
    "lab": ("lab/test/*/*/*.jpg",),
    "features": ("store/features/**/part-*.parquet",),
    "train": ("store/runs/*/run.json",),
    "evaluate": ("store/runs/*/scores/*.parquet",),
    "catalog": (".nsnet.*.duckdb",),
}
# Nothing may live on for longer than LIMIT; on a busy machine it may take WAIT until a night comes to a stage.
LIMIT, WAIT = 10.0, 400.0


def outputs(stage: str) -> list[str]:
    """Paths that a stage writes; the catalogue is none of DVC's."""
    entries = [*STAGES[stage].get("outs", []), *STAGES[stage].get("metrics", [])]
    return [name if isinstance(name, str) else next(iter(name)) for name in entries] or [CATALOGUE]


def found(root: Path, patterns: tuple[str, ...]) -> list[Path]:
    return sorted(path for pattern in patterns for path in root.glob(pattern))


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def fill(filler: Path) -> None:
    """Take all room that is left on a file system, while others write to it."""
    with filler.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(2**20))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise


def contents(database: Path) -> dict[str, Any]:
    """Rows of every table of a catalogue and the sum of their hashes; but for its building and the nights so far."""
    names = "SELECT table_name FROM duckdb_tables() WHERE table_name <> 'build' AND table_name NOT LIKE 'night%'"
    # How many seconds a training took is no result.
    rows = "SELECT count(*), sum(hash(t)) FROM (SELECT COLUMNS(lambda c: c <> 'seconds') FROM {}) t"
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = [name for (name,) in connection.sql(names).fetchall()]
        return {name: connection.sql(rows.format(name)).fetchall()[0] for name in tables}


@dataclass
class Site:
    """A project, as it was before the fault.

    Attributes:
        root: the project.
        undisturbed: sha256 of all outputs by path, and contents of the catalogue: what every night must make.
        nights: sha256 of what was published, by path.
    """

    root: Path
    undisturbed: tuple[dict[str, str], dict[str, Any]] = field(init=False)
    nights: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.undisturbed, self.nights = self.made(), self.past()

    def digests(self, *names: str) -> dict[str, str]:
        """sha256 of files, and of all files in folders, by path; but for what stages cost, which is no result."""
        places = [self.root / name for name in names]
        files = [file for place in places for file in (place, *place.rglob("*")) if file.is_file()]
        return {
            str(file.relative_to(self.root)): hashlib.sha256(file.read_bytes()).hexdigest()
            for file in files
            if file.parent.name != "costs"
        }

    def made(self) -> tuple[dict[str, str], dict[str, Any]]:
        names = [name for stage in STAGES for name in outputs(stage) if name != CATALOGUE]
        return self.digests(*names, "data", "dvc.lock", "data.dvc"), contents(self.root / CATALOGUE)

    def past(self) -> dict[str, str]:
        return self.digests("nights/nights", "nights/decisions", "nights/versions")

    def start(self) -> subprocess.Popen[str]:
        """Start a night."""
        return subprocess.Popen(
            NIGHT,
            cwd=self.root,
            env=environment(self.root),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def night(self) -> dict[str, Any]:
        """Run a night to its end: what its last line says."""
        return json.loads(run(self.root, *NIGHT).stdout.splitlines()[-1])

    def forget(self, stage: str, *, store: bool = False) -> None:
        """Have a stage run again: without its outputs, DVC's copies of them and, if asked, its own store."""
        places = [self.root / name for name in outputs(stage)]
        for path in [*self.cached(stage), *places, *(found(self.root, STORES.get(stage, ())) if store else ())]:
            remove(path)

    def cached(self, stage: str) -> list[Path]:
        """Objects in DVC's cache that hold a stage's outputs, listings of folders last."""
        lock = yaml.safe_load((self.root / "dvc.lock").read_text())["stages"]
        hashes = [out["md5"] for out in lock[stage].get("outs", [])]
        cache = self.root / ".dvc/cache/files/md5"
        listings = [path for name in hashes if name.endswith(".dir") and (path := cache / name[:2] / name[2:]).exists()]
        inner = [entry["md5"] for listing in listings for entry in json.loads(listing.read_bytes())]
        return [path for name in [*inner, *hashes] if (path := cache / name[:2] / name[2:]).exists()]


def midst_of(stage: str) -> tuple[str, ...]:
    """Patterns of what is there once a stage has begun to write."""
    return BEGUN.get(stage, tuple(name if "." in name else f"{name}/*" for name in outputs(stage)))


def wait_for(night: subprocess.Popen[str], root: Path, patterns: tuple[str, ...]) -> None:
    """Wait until a night has written something."""
    deadline = time.monotonic() + WAIT
    while not found(root, patterns):
        assert night.poll() is None, f"the night ended without {patterns}: {night.communicate()[0]}"
        assert time.monotonic() < deadline, f"no {patterns} after {WAIT} s"
        time.sleep(0.002)


def at_work(night: subprocess.Popen[str], stage: str) -> Any:
    """The process of a stage that a night runs."""
    processes = psutil.Process(night.pid).children(recursive=True)
    [process] = [process for process in processes if _words(process)[-3:] == ["-m", "nsnet.stages", stage]]
    return process


def left(processes: list[Any], seconds: float = LIMIT) -> list[list[str]]:
    """Command lines of those that live on for longer; they are killed."""
    deadline = time.monotonic() + seconds
    while (still := [process for process in processes if _lives(process)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    words = [_words(process) for process in still]
    for process in still:
        process.kill()
    return words


def _lives(process: Any) -> bool:
    """One that nobody has waited for has ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _words(process: Any) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def check(site: Site) -> None:
    """Another night is accepted and makes what an undisturbed one makes, and nothing published is lost."""
    last = site.night()
    assert last == {"night": last["night"], "blocking": [], "published": last["night"]}
    past = site.past()
    assert {name: past.get(name) for name in site.nights} == site.nights
    assert site.made() == site.undisturbed
    assert run(site.root, "git", "status", "--porcelain", "tables", "dvc.lock", "data.dvc").stdout == ""
    assert [fault for folder in (site.root / "nights/versions").iterdir() for fault in faults_of(folder)] == []
    with duckdb.connect(str(site.root / "nights" / CATALOGUE), read_only=True) as connection:
        nights = [number for (number,) in connection.sql("SELECT night FROM nights ORDER BY night").fetchall()]
    assert nights == list(range(1, last["night"] + 1))
    for file in (site.root / ".dvc/cache/files/md5").glob("??/[!.]*"):  # a full disk leaves temporary names
        name = file.parent.name + file.name.removesuffix(".dir")
        assert hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == name, f"{file} stays damaged"
