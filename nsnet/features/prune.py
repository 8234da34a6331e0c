"""What the feature store holds, and throwing away what nobody asks for: the only code that deletes of it."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from nsnet.features.parts import DAMAGED, DamagedPart, read_part, read_stats
from nsnet.features.plan import SCRATCH


@dataclass(frozen=True)
class Usage:
    """Parts of one suite under one backbone and condition.

    Attributes:
        backbone_id, backbone: hash, and the model's name and weights.
        condition_id, condition: hash, and its name when it was first used.
        suite: whose pictures.
        parts, pictures, bytes: how much there is; pictures counts those that were encoded twice twice.
        seconds: of reading, decoding (views included), forward passes and writing.
    """

    backbone_id: str
    backbone: str
    condition_id: str
    condition: str
    suite: str
    parts: int
    pictures: int
    bytes: int
    seconds: dict[str, float]


def usage(store: Path) -> list[Usage]:
    """What the store holds, by backbone, condition and suite, from the files beside the parts."""
    groups: dict[tuple[str, str, str], list[Path]] = defaultdict(list)
    for path in sorted(store.glob("*/*/*/*/part-*.parquet")):
        backbone_id, condition_id, suite = path.relative_to(store).parts[:3]
        groups[backbone_id, condition_id, suite].append(path)
    rows = []
    for (backbone_id, condition_id, suite), parts in groups.items():
        record = _note(store / backbone_id / "backbone.json")
        names = [str(record[key]) for key in ("model", "weights") if record.get(key)]
        condition = _note(store / backbone_id / condition_id / "condition.json")
        totals: dict[str, float] = defaultdict(float)
        for part in parts:
            for name, value in read_stats(part).items():
                totals[name] += value
        rows.append(
            Usage(
                backbone_id,
                " ".join(names) or "?",
                condition_id,
                str(condition.get("name", "?")),
                unquote(suite),
                len(parts),
                int(totals["pictures"]),
                sum(part.stat().st_size for part in parts),
                {name: totals[f"{name}_seconds"] for name in ("read", "decode", "forward", "write")},
            )
        )
    return rows


def stale_paths(store: Path, backbone_id: str, condition_ids: Sequence[str], image_ids: set[str]) -> Iterator[Path]:
    """Files and folders of the store that a run with these settings would not read.

    Args:
        store: the feature store.
        backbone_id, condition_ids: what is asked for now.
        image_ids: pictures of the table images; a part with none of them is of no use.

    Yields:
        Paths, whole folders before their files.
    """
    for folder in sorted(path for path in store.glob("*") if path.is_dir()):
        if folder.name.startswith(SCRATCH) or folder.name != backbone_id:
            yield folder
            continue
        for condition in sorted(path for path in folder.glob("*") if path.is_dir()):
            if condition.name not in condition_ids:
                yield condition
                continue
            yield from sorted(condition.rglob(f"*{DAMAGED}"))
            yield from sorted(condition.rglob(".*.tmp.*"))
            for part in sorted(condition.glob("*/*/part-*.parquet")):
                try:
                    held = set(read_part(part, ["image_id"])["image_id"].to_pylist())
                except DamagedPart:
                    yield part.with_name(part.name + DAMAGED)
                    continue
                if not held & image_ids:
                    yield part


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    return sum(file.stat().st_size for file in [path, *path.rglob("*")] if file.is_file())


def delete(path: Path) -> None:
    """Delete a folder, or a file and what was noted beside a part."""
    if path.is_dir():
        shutil.rmtree(path)
        return
    path.unlink()
    if path.suffix == ".parquet":
        path.with_suffix(".json").unlink(missing_ok=True)


def _note(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
