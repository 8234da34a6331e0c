"""A folder behind an fsspec URL: this machine's disk, a mount, an object store."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fsspec.core import url_to_fs

from nsnet.core.files import temporary_name


class Place:
    """Files by names below a URL; workers on many machines write, one collector takes away.

    Args:
        url: of any protocol that fsspec knows, with what it needs (s3fs for s3://) installed and its credentials
            where that looks for them; a plain path is this machine's.

    Raises:
        ValueError: an unknown protocol, or one that needs a package that is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            # Without its cache of listings, in which others' files would be missing.
            self._files, self._root = url_to_fs(url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise ValueError(f"{url} cannot be reached: {error}") from error
        self.url = url

    def names(self, folder: str) -> list[str]:
        """Names of all files below a folder, in order; none if there is no such folder."""
        return [path.removeprefix(self._root).lstrip("/") for path in self._files.find(self._path(folder))]

    def exists(self, name: str) -> bool:
        """Whether there is a file of that name."""
        return bool(self._files.exists(self._path(name)))

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            OSError: there is none, or it cannot be read.
        """
        return bytes(self._files.cat_file(self._path(name)))

    def write(self, name: str, content: bytes) -> None:
        """Write a file under a temporary name, then move it: who lists the folder finds it whole.

        Where moving is copying (object stores), a file appears when all of it is there anyway.
        """
        path = Path(name)
        self._files.makedirs(self._path(path.parent.as_posix()), exist_ok=True)
        temporary = temporary_name(path).as_posix()
        self._files.pipe_file(self._path(temporary), content)
        self.move(temporary, name)

    def move(self, name: str, to: str) -> None:
        """Give a file another name."""
        self._files.mv(self._path(name), self._path(to))

    def remove(self, name: str) -> None:
        """Remove a file that may be gone already."""
        with suppress(FileNotFoundError):
            self._files.rm_file(self._path(name))

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"
