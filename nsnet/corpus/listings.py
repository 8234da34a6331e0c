"""Listings: suites whose pictures are told by files of their own, read in the layout of their public repositories."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from pydantic import BaseModel, Field, RootModel

from nsnet.core.settings import read_json
from nsnet.corpus.layouts import Role
from nsnet.suites import Suite

# ILSVRC's class, then its first name: n01440764_tench.JPEG.
_NAMED = re.compile(r"n\d{8}_(.+)\.jpe?g", re.IGNORECASE)
_PHOTOGRAPH = "a photo of a {}"


class _Picture(BaseModel):
    """An entry of sd-samples' images.json; a picture may have several, all alike."""

    repo: str
    style: str
    prompt: str
    image: str


class _Pictures(RootModel[list[_Picture]]):
    """sd-samples' images.json."""


class _Captioned(BaseModel):
    """A picture of COCO's captions_<split>.json."""

    id: int
    file_name: str


class _Caption(BaseModel):
    image_id: int
    id: int
    caption: str


class _Captions(BaseModel):
    images: list[_Captioned] = Field(min_length=1)
    annotations: list[_Caption] = Field(min_length=1)


def read_listing(folder: Path, prefix: str, suite: Suite) -> list[Role] | None:
    """Roles of a suite's pictures, as files of its own tell them.

    Pictures that are listed and not there are left out: a suite may be there in part. All are
    of the split test; the section corpus.protocols of params.yaml gives them other roles.

    Args:
        folder: of the suite.
        prefix: that folder below the corpora's root, put before every path ("" for the root).
        suite: what the registry knows of it.

    Returns:
        Roles by path; None if the suite is none of these.

    Raises:
        ValueError: a file that lists pictures is missing, or what is in it is not as expected, all faults at once.
    """
    readers: dict[str, Callable[[Path, str, Suite], Iterator[Role]]] = {
        "listed": _listed,
        "captioned": _captioned,
        "named": _named,
    }
    for layout in suite.layouts:
        if layout in readers:
            roles = {role.path: role for role in readers[layout](folder, f"{prefix}/" if prefix else "", suite)}
            return [roles[path] for path in sorted(roles)]
    return None


def _listed(folder: Path, prefix: str, suite: Suite) -> Iterator[Role]:
    """sd-samples: images.json names each picture's model, scene and prompt."""
    for entry in read_json(folder / "images.json", _Pictures).root:
        if not _is_beside(folder / "images", entry.image):
            continue
        known = suite.find(entry.repo)
        yield Role(
            path=f"{prefix}images/{entry.image}",
            suite=suite.key,
            label=1,
            generator=known.key if known else entry.repo,
            family=known.family if known else "unknown",
            split="test",
            real_pool=known.real_pool if known else next(iter(suite.pools)),
            class_name=entry.style,
            caption=entry.prompt,
            caption_source="prompt",
            cluster=entry.style,
        )


def _captioned(folder: Path, prefix: str, suite: Suite) -> Iterator[Role]:
    """COCO: annotations/captions_<split>.json; of a picture's captions the one of the lowest id counts."""
    files = sorted((folder / "annotations").glob("captions_*.json"))
    if not files:
        raise ValueError(f"{folder}: expected annotations/captions_<split>.json beside <split>/, found none")
    for file in files:
        split = file.stem.removeprefix("captions_")
        content = read_json(file, _Captions)
        first: dict[int, str] = {}
        for caption in sorted(content.annotations, key=lambda one: one.id):
            first.setdefault(caption.image_id, caption.caption.strip())
        for picture in content.images:
            if picture.id in first and _is_beside(folder / split, picture.file_name):
                path = f"{prefix}{split}/{picture.file_name}"
                yield _photograph(path, suite, first[picture.id], "dataset", None)


def _named(folder: Path, prefix: str, suite: Suite) -> Iterator[Role]:
    """ImageNet's samples: the class in the file's name makes the caption."""
    for file in sorted(folder.iterdir()):
        match = _NAMED.fullmatch(file.name)
        if match:
            name = match[1].replace("_", " ")
            yield _photograph(f"{prefix}{file.name}", suite, _PHOTOGRAPH.format(name), "file name", name)


def _photograph(path: str, suite: Suite, caption: str, told_by: str, class_name: str | None) -> Role:
    pool = next(iter(suite.pools))
    return Role(path, suite.key, 0, pool, "real", "test", pool, class_name, None, caption, told_by, source=suite.key)


def _is_beside(folder: Path, name: str) -> bool:
    """Does a listing name a file of this folder that is there? A listing must not lead elsewhere."""
    return "/" not in name and name not in ("", ".", "..") and (folder / name).is_file()
