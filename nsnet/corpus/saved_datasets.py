"""Saved datasets: folders that `save_to_disk` of Hugging Face's `datasets` wrote, unpacked to files and a manifest.

Such a folder has `state.json` with the names of its Arrow streams, and `dataset_info.json` with its columns; one of
several splits has `dataset_dict.json` with their names, and a folder for each. Pictures lie in the streams as they
were encoded, in a column of bytes and path: they become files unchanged, so that one picture has one hash however it
came.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl
import pyarrow as pa

from nsnet.core.files import atomic_path
from nsnet.core.provenance import digest, file_sha256
from nsnet.corpus.imagefolders import NAMES
from nsnet.corpus.recognition import LABELS, SPLITS
from nsnet.corpus.tree import PICTURES

# How a stream ends that was written to its end.
END = b"\xff\xff\xff\xff\0\0\0\0"
STATE, INFO, SPLITTED = "state.json", "dataset_info.json", "dataset_dict.json"
# Columns that go into the manifest, by their names there; path and split are told by where a row lies.
KEPT = ("label", "generator", "family", "training_set", "real_pool", "class_name", "caption")
THEIRS = {**NAMES, "labels": "label"}


@dataclass(frozen=True)
class _Part:
    """One split: its streams, its column of pictures, and manifest columns with their own name and class names."""

    split: str
    streams: list[Path]
    picture: str
    columns: dict[str, tuple[str, list[str] | None]]


def is_saved_dataset(folder: Path) -> bool:
    """Is this what `save_to_disk` wrote?"""
    return (folder / SPLITTED).is_file() or ((folder / STATE).is_file() and (folder / INFO).is_file())


def unpack(folder: Path, out: Path) -> Path:
    """Unpack a saved dataset; what is there from an earlier call on the same bytes is taken.

    Rows without bytes, whose picture lies elsewhere or is missing, are in the manifest and have no file: ingest
    rejects them, so that rows in = pictures used + rejected.

    Args:
        folder: of the dataset.
        out: gets UNPACKED/NAME, where UNPACKED follows from the bytes and NAME is that of `folder`.

    Returns:
        The folder with the files and manifest.csv, to be ingested.

    Raises:
        OSError: a file cannot be read or written.
        ValueError: the folder is no dataset of labelled pictures, all faults at once.
    """
    parts = _parts(folder)
    sums = [[part.split, *(file_sha256(stream) for stream in part.streams), part.columns] for part in parts]
    target = out / digest(sums)
    unpacked = target / folder.resolve().name
    if unpacked.is_dir():
        return unpacked
    with atomic_path(target) as temporary:
        inner = temporary / unpacked.name
        try:
            rows = [row for part in parts for row in _write(part, inner)]
            pl.DataFrame(rows).write_csv(inner / "manifest.csv")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    return unpacked


def _parts(folder: Path) -> list[_Part]:
    faults: list[str] = []
    names = _names(folder, faults) if (folder / SPLITTED).is_file() else [None]
    parts = [part for name in names if (part := _part(folder, name, faults))]
    if faults:
        raise ValueError(f"{folder} has {len(faults)} fault(s):\n" + "\n".join(f"  {fault}" for fault in faults))
    return parts


def _names(folder: Path, faults: list[str]) -> list[Any]:
    names = _json(folder / SPLITTED, faults).get("splits")
    if isinstance(names, list) and names and all(isinstance(name, str) and _is_name(name) for name in names):
        return names
    faults.append(f"{SPLITTED}: splits {names!r}; expected names of folders")
    return []


def _part(folder: Path, split: str | None, faults: list[str]) -> _Part | None:
    home = folder / split if split else folder
    state, info = _json(home / STATE, faults), _json(home / INFO, faults)
    files = [entry.get("filename") for entry in state.get("_data_files") or [] if isinstance(entry, dict)]
    known = [name for name in files if isinstance(name, str) and _is_name(name) and (home / name).is_file()]
    before = len(faults)
    if not known or len(known) < len(files):
        lacking = [name for name in files if name not in known]
        faults.append(f"{home / STATE}: data files {lacking or 'none'}; expected names of files beside it")
    name = str(split or state.get("_split") or "test")
    if name.casefold() not in SPLITS:
        faults.append(f"{home / STATE}: split {name!r}; expected one of {', '.join(SPLITS)}")
    features = info.get("features") or {}
    pictures = [column for column, facts in features.items() if facts.get("_type") == "Image"]
    if len(pictures) != 1:
        faults.append(f"{home / INFO}: columns of type Image: {pictures}; expected one")
    columns = _columns(features)
    if "label" not in columns:
        faults.append(f"{home / INFO}: no column label, only {', '.join(features)}")
    elif unlike := [one for one in columns["label"][1] or [] if one.casefold() not in LABELS]:
        faults.append(f"{home / INFO}: classes {unlike} of label; expected of {', '.join(LABELS)}")
    return _Part(name, [home / one for one in known], pictures[0], columns) if len(faults) == before else None


def _columns(features: Mapping[str, Any]) -> dict[str, tuple[str, list[str] | None]]:
    """Columns of the manifest: what each is called in the dataset, and the names of its classes if it has such."""
    folded = {name.strip().casefold(): name for name in features}
    found = {}
    for ours in KEPT:
        known = (folded[name] for name in (ours, *THEIRS) if name in folded and THEIRS.get(name, ours) == ours)
        name = next(known, None)
        if name is not None and features[name].get("_type") in ("Value", "ClassLabel"):
            found[ours] = name, features[name].get("names")
    return found


def _write(part: _Part, folder: Path) -> Iterator[dict[str, str]]:
    """Write the pictures of a split; yield rows of the manifest."""
    place = folder / part.split
    place.mkdir(parents=True)
    rows = (row for stream in part.streams for row in _rows(part, stream))
    for number, (picture, values) in enumerate(rows):
        name = f"{number:07}{_suffix(picture.get('path'))}"
        if picture.get("bytes") is not None:
            (place / name).write_bytes(picture["bytes"])
        yield {"path": f"{part.split}/{name}", "split": part.split, **values}


def _rows(part: _Part, stream: Path) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Picture, and cells of the manifest, of each row of a stream."""
    try:
        with stream.open("rb") as source:
            source.seek(max(0, stream.stat().st_size - len(END)))
            if source.read() != END:  # cut between two batches, it would read as a shorter one
                raise pa.ArrowInvalid("the end of the stream is missing")
        with pa.memory_map(str(stream)) as mapped, pa.ipc.open_stream(mapped) as reader:
            for batch in reader:
                batch.validate(full=True)
                columns = {ours: batch.column(name).to_pylist() for ours, (name, _) in part.columns.items()}
                for row, picture in enumerate(batch.column(part.picture)):
                    values = {ours: _text(cells[row], part.columns[ours][1]) for ours, cells in columns.items()}
                    yield picture.as_py() or {}, values
    except (pa.ArrowException, OSError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{stream} is not what {INFO} beside it says: {error}") from error


def _suffix(path: str | None) -> str:
    """The suffix that a picture had; none if it had no known one, since a manifest's files need none."""
    suffix = PurePosixPath(path or "").suffix.casefold()
    return suffix if suffix in PICTURES else ""


def _text(value: Any, classes: list[str] | None) -> str:
    """A cell as the manifest has it: the name of a class, numbers and truth as whole numbers, nothing as no text."""
    if value is None or (classes and value == -1):  # -1 is how `datasets` writes that the class is not known
        return ""
    if classes:
        if not 0 <= value < len(classes):
            raise IndexError(f"class {value} of {len(classes)}")
        return classes[value]
    return str(int(value)) if isinstance(value, bool) else str(value)


def _is_name(name: str) -> bool:
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name and "\0" not in name


def _json(file: Path, faults: list[str]) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        faults.append(f"{file} cannot be read: {error}")
        return {}
    if isinstance(values, dict):
        return values
    faults.append(f"{file} holds a {type(values).__name__}; expected names with values")
    return {}
