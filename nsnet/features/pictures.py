"""From an image_id to pixels: the one way in which features, pixel detectors and explanations see a picture.

A file is read once, hashed, and compared with its image_id: a picture that was replaced
after it was ingested is an error, not a feature of something else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from torch.utils.data import Dataset

from nsnet.corpus.images import decode_rgb
from nsnet.features.conditions import Condition, apply
from nsnet.features.views import View, ViewSettings, make_view


class Key(NamedTuple):
    """What is shown of a picture: a view, and for a mosaic which shuffle of it (0 for the others)."""

    view: str
    draw: int


class ReplacedPicture(ValueError):
    """A file is not, or no longer, the picture that was ingested."""


class PictureSource:
    """Pictures by image_id, under any condition and in any view. Holds none of them.

    Args:
        files: image_id (sha256 of the file's bytes, hex) to file.
        settings: how a backbone wants to be shown pictures.
    """

    def __init__(self, files: Mapping[str, Path], settings: ViewSettings) -> None:
        self.files, self.settings = files, settings

    def read(self, image_id: str) -> bytes:
        """The bytes of a picture's file, which are the ones that were ingested.

        Raises:
            ReplacedPicture: no file of that picture, or another picture in it; names the path.
        """
        if image_id not in self.files:
            raise ReplacedPicture(f"no file is known of picture {image_id}: is it in the table images?")
        path = self.files[image_id]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ReplacedPicture(f"{path}: cannot be read ({error.strerror}), expected {image_id}") from error
        checksum = hashlib.sha256(content).hexdigest()
        if checksum != image_id:
            raise ReplacedPicture(f"{path}: has sha256 {checksum}, expected {image_id}")
        return content

    def show(self, content: bytes, image_id: str, condition: Condition, keys: Iterable[Key]) -> list[View]:
        """Views of a file's bytes, decoded once.

        Args:
            content: of the file.
            image_id: sha256 of the content, hex.
            condition: what is done to the picture first.
            keys: views and draws.

        Returns:
            Views, in the order of `keys`.
        """
        pixels = apply(condition, decode_rgb(content), image_id)
        return [make_view(key.view, pixels, image_id, key.draw, self.settings) for key in keys]

    def pixels(self, image_id: str, condition: Condition) -> UInt8[np.ndarray, "h w 3"]:
        """The whole picture under a condition, uint8 RGB.

        Args:
            image_id: of the picture.
            condition: what is done to it.

        Returns:
            uint8 (h, w, 3).

        Raises:
            ReplacedPicture: the file is not what was ingested.
        """
        return apply(condition, decode_rgb(self.read(image_id)), image_id)

    def views(self, image_id: str, condition: Condition, keys: Iterable[tuple[str, int]]) -> list[View]:
        """Several (view, draw) of a picture, read and decoded once.

        Args:
            image_id: of the picture.
            condition: what is done to it first.
            keys: views and draws.

        Returns:
            Views, in the order of `keys`.

        Raises:
            ReplacedPicture: the file is not what was ingested.
        """
        return self.show(self.read(image_id), image_id, condition, [Key(*key) for key in keys])

    def view(self, image_id: str, condition: Condition, view: str, draw: int = 0) -> View:
        """One view of a picture.

        Args:
            image_id: of the picture.
            condition: what is done to it first.
            view, draw: what is shown.

        Returns:
            The view.

        Raises:
            ReplacedPicture: the file is not what was ingested.
        """
        return self.views(image_id, condition, [(view, draw)])[0]


class PictureDataset(Dataset[UInt8[np.ndarray, "size size 3"]]):
    """A picture source as a map-style torch Dataset: item i is the view's pixels, read when it is asked for.

    Args:
        source: where pictures come from.
        condition: what is done to them first.
        items: image_id, view and draw of each item.
    """

    def __init__(self, source: PictureSource, condition: Condition, items: Sequence[tuple[str, str, int]]) -> None:
        self.source, self.condition, self.items = source, condition, items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        image_id, view, draw = self.items[index]
        return self.source.view(image_id, self.condition, view, draw).pixels


def refuse(faults: Sequence[str]) -> None:
    """Raise one error for all pictures that are not what was ingested; none is no error.

    Raises:
        ReplacedPicture: naming at most ten of them.
    """
    if faults:
        more = [f"and {len(faults) - 10} more"] if len(faults) > 10 else []
        lines = "\n  ".join([*sorted(faults)[:10], *more])
        raise ReplacedPicture(
            f"{len(faults)} pictures are not the ones that were ingested; run `dvc repro` to read the corpus again,"
            f" or restore them:\n  {lines}"
        )
