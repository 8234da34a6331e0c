"""Manifests: a file that says which picture plays which role, for corpora without telling folder names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from nsnet.corpus.imagefolders import METADATA, as_manifest, names_pictures
from nsnet.corpus.layouts import Role, roles
from nsnet.corpus.listings import read_listing
from nsnet.corpus.recognition import LABELS, SPLITS, TRAINED
from nsnet.corpus.rows import mistyped, read_rows
from nsnet.corpus.tree import is_archive, shown
from nsnet.suites import Suite, known_suite, named_suite

NAMES = ("manifest.csv", "manifest.jsonl", "manifest.parquet", *METADATA)
# path and file are the same; label is required, the rest has defaults.
COLUMNS = (
    *("path", "file", "label", "suite", "generator", "family", "split"),
    *("training_set", "real_pool", "class_name", "caption", "caption_source", "source", "cluster"),
)
SHOWN = 20
UNLISTED = "not listed in the manifest"


def find_manifest(folder: Path) -> Path | None:
    """The manifest of a folder, if it has one."""
    for name in NAMES:
        with suppress(OSError):  # a folder that cannot be entered is told by the scan
            if (folder / name).is_file() and (name not in METADATA or names_pictures(folder / name)):
                return folder / name
    return None


def listed_roles(root: Path, folder: str, suite: str | None) -> tuple[list[Role], set[str]]:
    """Roles from the manifests and listings of a tree, and the top-level folders they govern ("" for files at the top).

    A manifest at the top governs the folders that it lists files of, and the files at the top;
    each of the other folders may have one of its own, or be a suite that lists its pictures itself.

    Args:
        root: the tree.
        folder: what the tree is called where neither `suite` nor the manifest names a suite.
        suite: name of the suite, if the user says so.

    Returns:
        Roles in the order of the manifests, and folders.

    Raises:
        OSError: `root` cannot be listed.
        ValueError: as `manifest_roles`, `nsnet.corpus.listings.read_listing` and `nsnet.suites.named_suite`.
    """
    if suite is not None:
        named = named_suite(suite)
        suite = named.key if named else suite
    found = _own_roles(root, "", suite or folder, known_suite(suite or folder))
    listed = found or []
    governed = {"", *(_top(role.path) for role in listed)} if found is not None else set()
    for top in sorted(root.iterdir()):
        name = shown(top.name)
        owner = folder if name.casefold() in SPLITS else name  # an imagefolder may have metadata for each split
        known = known_suite(name) if suite is None and top.is_dir() else None
        inner = _own_roles(top, name, suite or owner, known) if name not in governed else None
        if inner is not None:
            listed += inner
            governed.add(name)
    return listed, governed


def _own_roles(folder: Path, prefix: str, suite: str, known: Suite | None) -> list[Role] | None:
    """Roles that a folder's manifest, or the listing of the suite that it is known to be, tells; None without one."""
    manifest = find_manifest(folder)
    if manifest:
        return manifest_roles(manifest, prefix, _key(suite))
    return read_listing(folder, prefix, known) if known else None


def assign_roles(
    paths: Iterable[str], listed: list[Role], governed: set[str], folder: str, suite: str | None
) -> tuple[list[Role], dict[str, str]]:
    """The roles of a tree, from its manifests and else from its layout; and why other pictures have none.

    Archives and folders that cannot be listed are no pictures, and tell of no layout.

    Args:
        paths: below the tree's root, as `nsnet.corpus.tree.file_names` gives them.
        listed, governed: of `listed_roles`.
        folder, suite: as there.

    Returns:
        Roles, the listed ones first; and reasons by path.

    Raises:
        ValueError: as `nsnet.corpus.layouts.roles`.
    """
    named = {role.path for role in listed}
    pictures = [path for path in paths if path not in named and not is_archive(path) and not path.endswith("/")]
    free = [path for path in pictures if _top(path) not in governed]
    placed, unplaced = roles(free, folder, suite)
    unlisted = dict.fromkeys(set(pictures) - set(free), UNLISTED)
    if "" in governed:
        unplaced = {path: f"{UNLISTED}, and {why}" for path, why in unplaced.items()}
    return [*listed, *placed], unplaced | unlisted


def _top(path: str) -> str:
    """The folder at the top that a file lies in, "" for a file at the top."""
    return path.partition("/")[0] if "/" in path else ""


def manifest_roles(manifest: Path, prefix: str, suite: str) -> list[Role]:
    """Roles from a manifest: path (or file) and label are required, the rest has defaults.

    Args:
        manifest: csv, jsonl or parquet, or an imagefolder's metadata; paths in it are relative to its own folder.
        prefix: that folder below the corpora's root, put before every path ("" for the root).
        suite: used where the manifest has no column of that name.

    Returns:
        A role for every row.

    Raises:
        ValueError: missing columns, or all faulty rows at once.
    """
    rows = _read(manifest)
    faults = [fault for place, row in rows for fault in _faults(row, manifest.parent, place)]
    if faults:
        raise ValueError(
            f"{manifest} has {len(faults)} fault(s):\n"
            + "\n".join(faults[:SHOWN])
            + (f"\n  ... and {len(faults) - SHOWN} more" if len(faults) > SHOWN else "")
        )
    return [role_of(row, prefix, suite) for _, row in rows]


def _read(manifest: Path) -> list[tuple[str, dict[str, str]]]:
    """Each row's place and its known columns as text, empty where there is nothing."""
    frame, unit, first = read_rows(manifest)
    try:
        frame = as_manifest(manifest, frame)
        _refuse_columns(manifest, frame.columns)
        texts = frame.select(pl.col(name).cast(pl.String).fill_null("") for name in COLUMNS if name in frame.columns)
    except pl.exceptions.PolarsError as error:
        raise ValueError(f"{manifest} cannot be read: {error}") from error
    return [(f"{unit} {place}", row) for place, row in enumerate(texts.iter_rows(named=True), start=first)]


def _refuse_columns(manifest: Path, columns: list[str]) -> None:
    if {"path", "file"}.isdisjoint(columns) or "label" not in columns:
        raise ValueError(f"{manifest}: expected columns path (or file, file_name) and label, got {columns}")
    lacking = {name for name in COLUMNS if name not in columns} - {"path", "file"}
    if faults := mistyped(columns, COLUMNS, lacking):
        raise ValueError(f"{manifest} has {len(faults)} fault(s):\n" + "\n".join(faults))


def _faults(row: dict[str, Any], folder: Path, place: str) -> Iterator[str]:
    name = row.get("path") or row.get("file") or ""
    if row["label"].strip().casefold() not in LABELS:
        yield f"  {place}: label {row['label']!r}; expected one of {', '.join(LABELS)}"
    if not name or "\0" in name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        yield f"  {place}: path {name!r} must lie below {folder}"
    if row.get("split", "").strip().casefold() not in ("", *SPLITS):
        yield f"  {place}: split {row['split']!r}; expected one of {', '.join(SPLITS)}"


@cache
def _key(suite: str) -> str:
    """A registered suite's key, however it is written; other names as they are."""
    known = known_suite(suite)
    return known.key if known else suite


def role_of(row: dict[str, str], prefix: str, suite: str) -> Role:
    """The role that a row gives a picture; what it leaves out has defaults.

    Args:
        row: columns of `COLUMNS` as text, path (or file) and a known label among them.
        prefix: folder that is put before the path.
        suite: used where the row names none.

    Returns:
        The role.
    """
    label = LABELS[row["label"].strip().casefold()]
    pool = row.get("real_pool") or "real"
    split = SPLITS[row.get("split", "").strip().casefold() or "test"]
    suite = _key(row["suite"]) if row.get("suite") else suite
    return Role(
        path=(PurePosixPath(prefix) / (row.get("path") or row["file"])).as_posix(),
        suite=suite,
        label=label,
        generator=(row.get("generator") or "fake") if label else pool,
        family=(row.get("family") or "unknown") if label else "real",
        split=split,
        real_pool=pool,
        class_name=row.get("class_name") or None,
        training_set=row.get("training_set") or (suite if split in TRAINED else None),
        caption=row.get("caption") or None,
        caption_source=row.get("caption_source") or ("manifest" if row.get("caption") else None),
        source=(row.get("source") or None) if not label else None,
        cluster=row.get("cluster") or None,
    )
