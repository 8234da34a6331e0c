"""From words of a command line to files: names, folders, patterns, and lists of names."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nsnet.corpus.inspection import LIMITS, Inspection, inspect
from nsnet.corpus.scan import inspect_named
from nsnet.corpus.tree import PICTURES, file_names, shown
from nsnet.prediction.predictions import Rejection

LIST = "-"


@dataclass(frozen=True)
class PictureFile:
    """A file to be scored.

    Attributes:
        path: where it lies.
        folder: the folder that it was found in; None if it was named itself.
        name: its path below that folder, / separated, as `nsnet.corpus.tree.file_names` writes it.
    """

    path: Path
    folder: Path | None = None
    name: str = ""

    @property
    def shown(self) -> str:
        """Its path as text that can be printed and written anywhere."""
        return shown(os.fspath(self.path))

    def inspect(self) -> Inspection:
        """What the file is; with the rules for trees where it was found in one: no archives, no links out of it."""
        if self.folder is None:
            return inspect(self.path)
        found = inspect_named(self.folder, self.name, listed=False, previous=None, limits=LIMITS)
        assert found is not None  # nothing was known of it before
        return found


def expand(words: Iterable[str], listed: Iterable[str] = ()) -> tuple[list[PictureFile], list[Rejection]]:
    """The files that words stand for, each once, in order of the words and then of their names.

    A word is the name of what is there; else a pattern, where ** stands for any folders; or
    `-`, for the lines of `listed`, which are names and no patterns. Of a folder, all files
    below it are taken that have the suffix of a picture, or of an archive, so that it is
    said that none is opened; a file that is named is taken whatever its suffix.

    Args:
        words: as above.
        listed: what `-` stands for; empty lines are passed over.

    Returns:
        Files, and words that lead to none, with the reason.
    """
    files: dict[Path, PictureFile] = {}
    faults: list[Rejection] = []

    def take(path: Path) -> None:
        found = [*_below(path, faults)] if path.is_dir() else [PictureFile(path)]
        for file in found:
            files.setdefault(file.path, file)

    for word in words:
        if word == LIST:
            for line in listed:
                if name := line.rstrip("\r\n"):
                    take(Path(name))
        elif os.path.lexists(word) or not glob.has_magic(word):
            take(Path(word))
        else:
            matches = sorted(glob.glob(word, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
            if not matches:
                faults.append(Rejection(shown(word), "no file matches this pattern"))
            for match in matches:
                take(Path(match))
    return list(files.values()), faults


def _below(folder: Path, faults: list[Rejection]) -> Iterator[PictureFile]:
    empty = True
    try:
        for name in file_names(folder, [], {}):
            empty = False
            yield PictureFile(folder / name, folder, name)
    except OSError as error:
        faults.append(Rejection(shown(os.fspath(folder)), f"folder cannot be listed: {error.strerror}"))
        return
    if empty:
        suffixes = ", ".join(sorted(PICTURES))
        faults.append(Rejection(shown(os.fspath(folder)), f"no pictures in this folder; expected {suffixes}"))
