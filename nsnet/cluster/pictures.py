"""Pictures where a worker can read them: files of a folder that it has, or fetched below a URL."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from nsnet.cluster.places import Place

# Requests at a time: an object store answers many as fast as one.
REQUESTS = 16


def is_url(data: str) -> bool:
    """Whether pictures are behind a URL; else they are in a folder of this machine."""
    return "://" in data


def fetch(data: str, paths: Iterable[Path], folder: Path) -> None:
    """Copy pictures from below a URL; one that is not there is left out, and missed by who reads it.

    Args:
        data: the URL.
        paths: of pictures, below it.
        folder: where they are put, by the same paths.

    Raises:
        ValueError: a path leads out of the folder.
        OSError: the place cannot be reached.
    """
    place = Place(data)

    def copy(path: Path) -> None:
        target = folder / path
        if not target.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"{path} leads out of {data}: expected a path below it")
        with suppress(FileNotFoundError):
            content = place.read(path.as_posix())
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    with ThreadPoolExecutor(REQUESTS) as pool:
        for _ in pool.map(copy, paths):
            pass
