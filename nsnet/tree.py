"""Walking a tree of pictures: every file's name once, in order of the names."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz"}


def file_names(root: Path, named: Iterable[str], others: dict[str, int]) -> Iterator[str]:
    """Paths below `root` of pictures and archives (by suffix) and of all in `named`, existing or not.

    In order of their code points and / separated; bytes that are no UTF-8 are written as
    escapes. Links are followed, a folder only once; names that begin with a dot are passed
    over. Files that are left alone are counted in `others` by suffix.
    """
    listed = sorted(set(named))
    wanted = frozenset(listed)

    def pictures() -> Iterator[str]:
        for name in _walk(root, "", set()):
            kind = _kind(name)
            if kind in PICTURES or kind in ARCHIVES:
                yield name
            elif name not in wanted:
                others[kind] = others.get(kind, 0) + 1

    previous = None
    for name in heapq.merge(pictures(), listed) if listed else pictures():
        if name != previous:
            yield name
        previous = name


def is_archive(name: str) -> bool:
    """Does a path look like an archive that should have been unpacked?"""
    return _kind(name) in ARCHIVES


def _kind(name: str) -> str:
    file = name.rpartition("/")[2]
    stem, _, suffix = file.rpartition(".")  # PurePath.suffix takes four times as long
    return "hidden" if file.startswith(".") else f".{suffix.lower()}" if stem else "no suffix"


def _walk(folder: Path, below: str, entered: set[tuple[int, int]]) -> Iterator[str]:
    facts = folder.stat()
    if (facts.st_dev, facts.st_ino) in entered:
        return
    entered.add((facts.st_dev, facts.st_ino))
    with os.scandir(folder) as entries:
        # "a.png" comes before "a/b.png": with its slash, a folder sorts as the paths below it do.
        ordered = sorted((_shown(entry.name) + "/" * entry.is_dir(), entry.path) for entry in entries)
    for name, path in ordered:
        if not name.endswith("/"):
            yield below + name
        elif not name.startswith("."):
            yield from _walk(Path(path), below + name, entered)


def _shown(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
