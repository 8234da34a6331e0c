"""Folders of pictures as tables: which file plays which role, and is it usable?"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path, PurePosixPath

import polars as pl

from nsnet.contracts import check, make
from nsnet.images import inspect

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}
LABELS = {"0_real": 0, "1_fake": 1, "real": 0, "fake": 1, "0": 0, "1": 1, "nature": 0, "ai": 1}
LAYOUTS = "a manifest.csv with columns path and label, folders 0_real and 1_fake, or folders real and fake/<generator>"


@dataclass(frozen=True)
class Role:
    """One file in one role, before the file has been opened."""

    path: str
    label: int
    generator: str
    family: str
    split: str
    real_pool: str
    training_set: str | None = None
    caption: str | None = None
    caption_source: str | None = None


def ingest(root: Path, suite: str, workers: int = 1) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read a corpus folder into the tables `images` and `samples`.

    The layout is found from the tree: a manifest.csv, `0_real/1_fake` (per generator or
    nested by class), or `real/` beside `fake/<generator>/`. Every file below `root` that
    looks like a picture, or that a manifest names, becomes one row of `images`, used or
    rejected with a reason; only used ones become samples.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: no known layout, or faults in the manifest, all of them at once.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder: expected {LAYOUTS}")
    roles = list(_manifest_roles(root) if (root / "manifest.csv").exists() else _folder_roles(root))
    if not roles:
        raise ValueError(f"no pictures found in {root}: expected {LAYOUTS}")
    images = _inspect_all(root, sorted({role.path for role in roles} | set(_pictures(root))), workers)
    return images, _samples(roles, images, suite)


def _pictures(root: Path) -> Iterator[str]:
    for path in sorted(root.rglob("*")):
        if path.suffix.lower() in SUFFIXES and not path.is_dir():
            yield path.relative_to(root).as_posix()


def _folder_roles(root: Path) -> Iterator[Role]:
    """Roles from folder names; the nearest ancestor that names a label decides it."""
    for name in _pictures(root):
        parts = PurePosixPath(name).parts[:-1]
        marked = [i for i, part in enumerate(parts) if part.lower() in LABELS]
        if not marked:
            raise ValueError(f"{root / name}: no folder above it names a label; expected {LAYOUTS}")
        at = marked[-1]
        label, above, below = LABELS[parts[at].lower()], parts[:at], parts[at + 1 :]
        split = next((part for part in above if part in ("train", "test")), "test")
        owners = [part for part in above if part not in ("train", "test", "val")]
        if "val" in above:
            split = "validation"
        if owners:  # <generator>/[class/]0_real: each generator has reals of its own
            yield Role(name, label, owners[0], _family(label), split, owners[0])
        else:  # real/[source/] beside fake/<generator>/: one pool for all
            generator = below[0] if below else parts[at]
            yield Role(name, label, generator if label else "real", _family(label), split, "real")


def _manifest_roles(root: Path) -> Iterator[Role]:
    """Roles from manifest.csv: path and label are required, the rest has defaults."""
    with (root / "manifest.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    faults = []
    missing = {"path", "file"}.isdisjoint(rows[0] if rows else {}) or (rows and "label" not in rows[0])
    if missing:
        raise ValueError(
            f"{root / 'manifest.csv'}: expected columns path (or file) and label, got {list(rows[0] if rows else [])}"
        )
    for number, row in enumerate(rows, start=2):
        name = row.get("path") or row.get("file") or ""
        label = LABELS.get(row["label"].strip().lower())
        if label is None:
            faults.append(f"  line {number}: label {row['label']!r}; expected one of {', '.join(LABELS)}")
        if not name or PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            faults.append(f"  line {number}: path {name!r} must lie below {root}")
        if faults or label is None:
            continue
        pool = row.get("real_pool") or "real"
        yield Role(
            path=name,
            label=label,
            generator=(row.get("generator") or "fake") if label else pool,
            family=(row.get("family") or _family(label)) if label else "real",
            split=row.get("split") or "test",
            real_pool=pool,
            training_set=row.get("training_set") or None,
            caption=row.get("caption") or None,
            caption_source=row.get("caption_source") or ("manifest" if row.get("caption") else None),
        )
    if faults:
        raise ValueError(f"{root / 'manifest.csv'} has {len(faults)} fault(s):\n" + "\n".join(faults[:20]))


def _family(label: int) -> str:
    return "unknown" if label else "real"


def _inspect_all(root: Path, names: list[str], workers: int) -> pl.DataFrame:
    paths = [root / name for name in names]
    if workers > 1:
        # spawn: forking after a threaded library is loaded can hang
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(inspect, paths, chunksize=64))
    else:
        found = [inspect(path) for path in paths]
    first: dict[str, str] = {}
    rows = []
    for name, facts in zip(names, found, strict=True):
        if facts.status == "used" and facts.image_id is not None:
            original = first.setdefault(facts.image_id, name)
            if original != name:
                facts = replace(facts, status="rejected", reason=f"duplicate of {original}")
        rows.append({"path": name, **asdict(facts)})
    return check("images", make("images", rows))


def _samples(roles: list[Role], images: pl.DataFrame, suite: str) -> pl.DataFrame:
    seen = {role.generator for role in roles if role.split == "train" and role.label == 1}
    ids = dict(images.filter(status="used").select("path", "image_id").iter_rows())
    rows = [
        {"image_id": ids[role.path], "suite": suite, "in_domain": role.generator in seen, **asdict(role)}
        for role in roles
        if role.path in ids
    ]
    order = ["split", "training_set", "generator", "label", "image_id"]
    return check("samples", make("samples", rows).sort(order))
