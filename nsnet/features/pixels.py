"""Views as arrays on disk, for detectors that read pixels: made once, then memory-mapped."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np

from nsnet.core.device import threads
from nsnet.core.files import atomic_path, reserve
from nsnet.core.provenance import digest, file_sha256
from nsnet.features.ahead import ahead
from nsnet.features.conditions import Condition
from nsnet.features.parts import DAMAGED
from nsnet.features.pictures import PictureSource, ReplacedPicture, refuse
from nsnet.features.views import VIEWS_VERSION, View

WORKERS = 2
# Pictures that may be read ahead of the one that is written.
AHEAD = 64


class PixelStore:
    """Blocks of views, each a .npy file with its sha256 beside it.

    Args:
        folder: where blocks are kept.
        source: where pictures come from, and how they are shown.
    """

    def __init__(self, folder: Path, source: PictureSource) -> None:
        self.folder, self.source = folder, source

    def block(self, condition: Condition, view: str, draw: int, image_ids: Sequence[str]) -> np.memmap:
        """Views of pictures in the order of `image_ids`: uint8 (n, size, size, 3), read-only, mapped from disk.

        Args:
            condition: what is done to the pictures first.
            view, draw: what is shown of them.
            image_ids: pictures.

        Returns:
            uint8 (n, size, size, 3).

        Raises:
            ValueError: no pictures; or (ReplacedPicture) files that are not what was ingested.
        """
        if not image_ids:
            raise ValueError(f"no pictures to show in view {view}")
        settings = {**asdict(self.source.settings), "views_version": VIEWS_VERSION}
        name = digest([settings, condition.id, view, draw, list(image_ids)])
        path, note = self.folder / f"{name}.npy", self.folder / f"{name}.json"
        if path.exists() and not _sound(path, note):
            path.replace(path.with_name(path.name + DAMAGED))
            print(f"{path} is damaged: set aside, its pictures are read again", file=sys.stderr)
        if not path.exists():
            self._write(path, note, condition, view, draw, image_ids)
        return np.load(path, mmap_mode="r")

    def _write(
        self, path: Path, note: Path, condition: Condition, view: str, draw: int, image_ids: Sequence[str]
    ) -> None:
        size = self.source.settings.size
        faults: list[str] = []
        with atomic_path(path) as temporary:
            block = np.lib.format.open_memmap(temporary, "w+", np.uint8, (len(image_ids), size, size, 3))
            reserve(temporary)
            for place, shown in enumerate(self._views(condition, view, draw, image_ids)):
                if isinstance(shown, View):
                    block[place] = shown.pixels
                else:
                    faults.append(shown)
            refuse(faults)
            block.flush()
            del block
            with atomic_path(note) as beside:
                beside.write_text(json.dumps({"sha256": file_sha256(temporary), "condition": condition.name}) + "\n")

    def _views(self, condition: Condition, view: str, draw: int, image_ids: Sequence[str]) -> Iterator[View | str]:
        """Views in order, or what is wrong with a picture; a few are read ahead."""

        def show(image_id: str) -> View | str:
            try:
                return self.source.view(image_id, condition, view, draw)
            except ReplacedPicture as fault:
                return str(fault)

        with threads(1), ThreadPoolExecutor(WORKERS) as pool:
            yield from ahead(pool, show, image_ids, AHEAD)


def _sound(path: Path, note: Path) -> bool:
    try:
        return bool(json.loads(note.read_text(encoding="utf-8"))["sha256"] == file_sha256(path))
    except (OSError, ValueError, KeyError, TypeError):
        return False
