"""Files written so that a killed run never leaves one that looks finished, and read without waiting for ever."""

from __future__ import annotations

import errno
import hashlib
import os
import platform
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

# A name of this many bytes, with what writers put around it, is one that every file system takes.
LONGEST = 180
FULL = os.strerror(errno.ENOSPC)
# How often a rename over a file that is locked is tried, and how long between: readers hold it for moments.
SWAPS, SWAP_SECONDS = 20, 0.25


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """Yield a temporary name beside `target`; rename it to `target` if the block succeeds.

    The temporary name keeps the suffix, since writers choose a format by it. On an
    exception the temporary file is removed; after SIGKILL it stays, under its own name,
    until a process of the same machine next writes a file to this folder.

    Args:
        target: the file to be; its folder is made.

    Raises:
        OSError: the disk is full, whatever kind of error the writing library makes of that; or `target` stays locked.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target.parent)
    temporary = temporary_name(target)
    try:
        yield temporary
        _swap(temporary, target)
    except Exception as error:
        if isinstance(error, OSError) or FULL not in str(error):
            raise
        raise OSError(errno.ENOSPC, FULL, str(target)) from error
    finally:
        temporary.unlink(missing_ok=True)


def _swap(temporary: Path, target: Path) -> None:
    """Rename over `target`, again and again where a platform locks files that somebody reads."""
    for attempt in range(SWAPS):
        try:
            temporary.replace(target)
            return
        except PermissionError:
            if attempt + 1 == SWAPS or not target.exists():
                raise
            time.sleep(SWAP_SECONDS)


def temporary_name(target: Path) -> Path:
    """A name beside `target` that says which process of which machine writes there."""
    return target.with_name(f".{target.stem}.{os.getpid()}{_machine()}.tmp{target.suffix}")


def sweep(folder: Path) -> None:
    """Remove what killed processes left in a folder under temporary names, and the logs of DuckDB beside it."""
    pattern = re.compile(rf"\..*\.(\d+){_machine()}\.tmp(\.[^.]+)?(\.wal)?")
    with os.scandir(folder) as entries:
        matches = [pattern.fullmatch(entry.name) for entry in entries if entry.name.startswith(".")]
    for match in matches:
        if match and not _runs(int(match[1])):
            leftover = folder / match[0]
            # Another writer may be sweeping the same folder: what is gone meanwhile is no fault.
            shutil.rmtree(leftover, ignore_errors=True) if leftover.is_dir() else leftover.unlink(missing_ok=True)


def _machine() -> str:
    """A mark of this machine, so that none takes another's process for a dead one of its own."""
    return "@" + re.sub(r"[^A-Za-z0-9-]", "-", platform.node())[:40]


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):  # another user's; no number of a process
        return True
    return True


def reserve(path: Path) -> None:
    """Have the disk set aside a file's whole size: a full one then is an error, not a signal to whoever maps the file.

    Raises:
        OSError: there is no room.
    """
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as stream:
            os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)


def safe_path(folder: Path, *names: str, suffix: str = "") -> Path:
    """The path of a file whose name is made of names that people gave: suites, generators, training sets.

    Different names give different paths, on file systems that know capitals.

    Args:
        folder: where the file lies.
        names: folders and the file's name; letters, digits, space, and "_.-~" stay as they are, all else is
            percent-encoded, a leading dot too; a name too long for a file is cut and ends in its checksum.
        suffix: of the file, such as ".svg".

    Returns:
        A path below `folder`.

    Raises:
        ValueError: the path leads out of `folder`, by a link below it.
    """
    path = folder.joinpath(*(_file_name(name) for name in names))
    path = path.with_name(path.name + suffix)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{path} leads out of {folder}: expected a path below it; is there a link on the way?")
    return path


def _file_name(name: str) -> str:
    quoted = quote(name, safe=" ")
    if quoted.startswith("."):
        quoted = f"%2E{quoted[1:]}"
    if len(quoted) > LONGEST:
        quoted = f"{quoted[: LONGEST - 17]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
    return quoted or "%"


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file to read; a pipe or a device would be waited for, or read, for ever.

    Raises:
        OSError: it cannot be opened, or is none, with a reason as `strerror`.
    """
    stream = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: PTH123, SIM115 - the caller closes it
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    raise OSError(errno.EINVAL, "not a regular file", str(path))
