"""Walking a tree of pictures: every file's name once, in order of the names."""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif"}
ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz", ".zst"}
# Parts of archives that were split for download: .z01, .r01, .001.
_PART = re.compile(r"\.([zr]?\d{2}|\d{3})")


def file_names(root: Path, named: Iterable[str], others: dict[str, int]) -> Iterator[str]:
    """Paths below `root` of pictures and archives (by suffix) and of all in `named`, existing or not.

    In order of their code points and / separated; bytes that are no UTF-8 are written as
    escapes. Links are followed, but not to a folder that they lie in; names that begin with
    a dot are passed over. A folder that cannot be listed is named too, with a / at the end.
    Files that are left alone are counted in `others` by suffix.

    Args:
        root: of the tree.
        named: paths that are given whatever they look like.
        others: gets the counts.

    Yields:
        Paths below `root`, each once.

    Raises:
        OSError: `root` cannot be listed.
    """
    listed = sorted(set(named))
    wanted = frozenset(listed)

    def pictures() -> Iterator[str]:
        for name in _walk(root, "", frozenset()):
            kind = _kind(name)
            if kind in PICTURES or kind == "/" or is_archive(name):
                yield name
            elif name not in wanted:
                others[kind] = others.get(kind, 0) + 1

    previous = None
    for name in heapq.merge(pictures(), listed) if listed else pictures():
        if name != previous:
            yield name
        previous = name


def leads_out(root: Path, name: str, listed: bool) -> bool:
    """Does a file lie elsewhere than its name says: neither below `root` nor below a folder that is linked there?

    Whole folders may lie elsewhere, as downloads on another disk do, and files may link to
    others of the tree. A single file's link, or a manifest's path, must not make ingest read
    whatever else this machine holds.

    Args:
        root: the tree.
        name: the file below it, / separated.
        listed: a manifest names the file: then only linked folders at the top of the tree count.

    Returns:
        Whether it does.
    """
    folder = name.rpartition("/")[0]
    bases = _bases(os.fspath(root), folder, listed)
    place = os.path.realpath(root / folder)
    if os.path.islink(root / name):  # noqa: PTH114 - making a Path takes longer than the call
        place = os.path.dirname(os.path.realpath(root / name))  # noqa: PTH120
    return not any(place == base or place.startswith(base.rstrip("/") + "/") for base in bases)


def _bases(root: str, folder: str, listed: bool) -> tuple[str, ...]:
    """The real places of a tree and of the linked folders on the way to one of its folders."""
    parts = folder.split("/") if folder else []
    ways = ["/".join([root, *parts[:length]]) for length in range(1, (1 if listed else len(parts)) + 1)]
    return os.path.realpath(root), *(os.path.realpath(way) for way in ways if os.path.islink(way))  # noqa: PTH114


def is_archive(name: str) -> bool:
    """Does a path look like an archive that should have been unpacked?"""
    kind = _kind(name)
    return kind in ARCHIVES or _PART.fullmatch(kind) is not None


def _kind(name: str) -> str:
    if name.endswith("/"):
        return "/"
    file = name.rpartition("/")[2]
    stem, _, suffix = file.rpartition(".")  # PurePath.suffix takes four times as long
    return "hidden" if file.startswith(".") else f".{suffix.lower()}" if stem else "no suffix"


def _walk(folder: Path, below: str, within: frozenset[tuple[int, int]]) -> Iterator[str]:
    try:
        facts = folder.stat()
        with os.scandir(folder) as entries:
            # "a.png" comes before "a/b.png": with its slash, a folder sorts as the paths below it do.
            ordered = sorted((shown(entry.name) + "/" * _is_folder(entry), entry.path) for entry in entries)
    except OSError:
        if not below:
            raise
        yield below
        return
    place = facts.st_dev, facts.st_ino
    for name, path in ordered if place not in within else ():
        if not name.endswith("/"):
            yield below + name
        elif not name.startswith("."):
            yield from _walk(Path(path), below + name, within | {place})


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def shown(name: str) -> str:
    """A name as tables hold it: bytes that are no UTF-8 are written as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
