"""Manifests: a file that says which picture plays which role, for corpora without telling folder names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import polars as pl

from nsnet.layouts import LABELS, SPLITS, Role
from nsnet.suites import known_suite

NAMES = ("manifest.csv", "manifest.jsonl", "manifest.parquet")
SHOWN = 20


def find_manifest(folder: Path) -> Path | None:
    """The manifest of a folder, if it has one."""
    return next((folder / name for name in NAMES if (folder / name).exists()), None)


def listed_roles(root: Path, folder: str, suite: str | None) -> tuple[list[Role], set[str]]:
    """Roles from the manifests of a tree, and the top-level folders they govern ("" for the whole tree).

    Args:
        root: the tree; a manifest at its top governs all of it, else each in a top-level folder that folder.
        folder: what the tree is called where neither `suite` nor the manifest names a suite.
        suite: name of the suite, if the user says so.
    """
    manifest = find_manifest(root)
    if manifest:
        return manifest_roles(manifest, "", suite or folder), {""}
    found: list[Role] = []
    governed = set()
    for top in sorted(path for path in root.iterdir() if path.is_dir()):
        inner = find_manifest(top)
        if inner:
            known = known_suite(top.name)
            found += manifest_roles(inner, top.name, suite or (known.key if known else top.name))
            governed.add(top.name)
    return found, governed


def manifest_roles(manifest: Path, prefix: str, suite: str) -> list[Role]:
    """Roles from a manifest: path (or file) and label are required, the rest has defaults.

    Args:
        manifest: csv, jsonl or parquet; paths in it are relative to its own folder.
        prefix: that folder below the corpora's root, put before every path ("" for the root).
        suite: used where the manifest has no column of that name.

    Raises:
        ValueError: missing columns, or all faulty rows at once.
    """
    rows = _read(manifest)
    columns = list(rows[0]) if rows else []
    if {"path", "file"}.isdisjoint(columns) or "label" not in columns:
        raise ValueError(f"{manifest}: expected columns path (or file) and label, got {columns}")
    faults = [fault for number, row in enumerate(rows, start=2) for fault in _faults(row, manifest.parent, number)]
    if faults:
        raise ValueError(f"{manifest} has {len(faults)} fault(s):\n" + "\n".join(faults[:SHOWN]))
    return [_role(row, prefix, suite) for row in rows]


def _read(manifest: Path) -> list[dict[str, str]]:
    if manifest.suffix == ".csv":
        frame = pl.read_csv(manifest, infer_schema=False)
    elif manifest.suffix == ".jsonl":
        frame = pl.read_ndjson(manifest)
    else:
        frame = pl.read_parquet(manifest)
    texts = frame.with_columns(pl.all().cast(pl.String).fill_null(""))
    return list(texts.iter_rows(named=True))


def _faults(row: dict[str, Any], folder: Path, number: int) -> Iterator[str]:
    name = row.get("path") or row.get("file") or ""
    if row["label"].strip().casefold() not in LABELS:
        yield f"  line {number}: label {row['label']!r}; expected one of {', '.join(LABELS)}"
    if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        yield f"  line {number}: path {name!r} must lie below {folder}"
    if row.get("split", "") not in ("", *SPLITS):
        yield f"  line {number}: split {row['split']!r}; expected one of {', '.join(SPLITS)}"


def _role(row: dict[str, str], prefix: str, suite: str) -> Role:
    label = LABELS[row["label"].strip().casefold()]
    pool = row.get("real_pool") or "real"
    split = SPLITS[row.get("split") or "test"]
    return Role(
        path=(PurePosixPath(prefix) / (row.get("path") or row["file"])).as_posix(),
        suite=row.get("suite") or suite,
        label=label,
        generator=(row.get("generator") or "fake") if label else pool,
        family=(row.get("family") or "unknown") if label else "real",
        split=split,
        real_pool=pool,
        class_name=row.get("class_name") or None,
        training_set=row.get("training_set") or (None if split == "test" else "train"),
        caption=row.get("caption") or None,
        caption_source=row.get("caption_source") or ("manifest" if row.get("caption") else None),
    )
