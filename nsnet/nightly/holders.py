"""Who holds files in DVC's eyes: it takes a killed process for a living one until somebody has waited for it.

In a container whose first process waits for nobody, that is for ever; and after a restart another process may have its
number. So such entries are taken out before DVC looks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import psutil
from dvc.lock import make_lock
from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

from nsnet.core.files import atomic_path


def mend_holders(root: Path) -> list[str]:
    """Take processes that have ended out of DVC's list of who reads and writes what.

    Args:
        root: the project.

    Returns:
        A sentence for each process that was taken out; or, if the list cannot be read, that it was removed.

    Raises:
        OSError: the list cannot be read or written.
        dvc.lock.LockError: another command of DVC edits it for longer than a few seconds.
    """
    folder = root / ".dvc" / "tmp"
    path = folder / RWLOCK_FILE
    if not path.exists():
        return []
    with make_lock(str(folder / RWLOCK_LOCK), tmp_dir=str(folder)):
        written = path.stat().st_mtime
        try:
            held = json.loads(path.read_bytes())
            kept, gone = _parted(held, written)
        except (ValueError, TypeError, KeyError, AttributeError):
            path.unlink()
            return [f"{path.relative_to(root)} could not be read, and was removed: DVC makes another"]
        if gone:
            with atomic_path(path) as temporary:
                temporary.write_text(json.dumps(kept))
    return [f"`{command}` (process {pid}) has ended and held files of DVC: released" for pid, command in sorted(gone)]


def _parted(held: dict[str, Any], written: float) -> tuple[dict[str, Any], set[tuple[int, str]]]:
    """The list without those that have ended, and these."""
    gone: set[tuple[int, str]] = set()

    def lives(holder: dict[str, Any]) -> bool:
        if not _lives(holder["pid"], written):
            gone.add((holder["pid"], holder["cmd"]))
            return False
        return True

    read = {path: [one for one in holders if lives(one)] for path, holders in held.get("read", {}).items()}
    write = {path: holder for path, holder in held.get("write", {}).items() if lives(holder)}
    return {"write": write, "read": {path: holders for path, holders in read.items() if holders}}, gone


def _lives(pid: int, written: float) -> bool:
    """Whether a process is at work, and was when the list was written."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= written + 1
    except psutil.NoSuchProcess:
        return False
