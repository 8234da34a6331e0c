"""What a number came from: hashes of data and settings, and the code's revision."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent.parent
SOURCES = (".py", ".sql", ".yaml", ".json", ".safetensors")
CODE = ("nsnet", "flows", "params.yaml", "dvc.yaml", "pyproject.toml", "constraints.txt")


def digest(value: Any) -> str:
    """First 12 hex digits of the sha256 of a JSON-able value, keys sorted."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def code_checksum(*parts: str) -> str:
    """Name of the code that makes something: first 12 hex digits of a hash of its sources.

    Args:
        parts: packages or modules of nsnet, such as "features" or "detectors/losses.py".

    Raises:
        FileNotFoundError: there is no such package or module.
    """
    total = hashlib.sha256()
    for part in sorted(parts):
        place = PACKAGE / part
        if not place.exists():
            raise FileNotFoundError(f"{place} does not exist: expected a package or module of nsnet")
        files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.suffix in SOURCES)
        for file in files:
            total.update(f"{file.relative_to(PACKAGE).as_posix()} {file_sha256(file)}\n".encode())
    return total.hexdigest()[:12]


def file_sha256(path: Path) -> str:
    """sha256 of a file's bytes, hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def data_checksum(samples: Path) -> str:
    """Name of the pictures behind a number: first 12 hex digits of the sha256 of the table samples."""
    return file_sha256(samples)[:12]


def git_revision(folder: Path | None = None) -> str:
    """Commit of the code in `folder`, with -dirty if code or parameters differ from it.

    Only code and parameters count: the tables a run writes must not change its revision.
    """
    try:
        head = _git(folder, "rev-parse", "--short=12", "HEAD").strip()
        changed = _git(folder, "status", "--porcelain", "--", *CODE).strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head}-dirty" if changed else head


def _git(folder: Path | None, *words: str) -> str:
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout
