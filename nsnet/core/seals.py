"""Checksums beside files that are kept to save time: what was changed since would be believed, and change results."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from nsnet.core.files import atomic_path
from nsnet.core.provenance import file_sha256


def seal(path: Path) -> None:
    """Write down the sha256 of a file as it is, beside it."""
    with atomic_path(_seal(path)) as temporary:
        temporary.write_text(file_sha256(path) + "\n", encoding="ascii")


@contextmanager
def sealed_path(target: Path) -> Iterator[Path]:
    """As `nsnet.core.files.atomic_path`, and sealed.

    Killed between both steps, the file has no seal, and is taken for what was written.
    """
    with atomic_path(target) as temporary:
        yield temporary
        _seal(target).unlink(missing_ok=True)  # of the file before
    seal(target)


def broken(path: Path) -> bool:
    """Whether a file has a seal and is not what was sealed.

    Raises:
        OSError: it cannot be read.
    """
    sealed = _seal(path)
    return path.exists() and sealed.exists() and sealed.read_bytes().strip() != file_sha256(path).encode()


def drop(path: Path) -> None:
    """Delete a file with its seal."""
    path.unlink(missing_ok=True)
    _seal(path).unlink(missing_ok=True)


def _seal(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
