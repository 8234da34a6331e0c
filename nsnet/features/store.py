"""Content-addressed CLIP features: a picture already seen by a backbone is never encoded again.

Features lie in sixteen shards by the first digit of the image's hash. A shard holds
exactly the pictures of the current manifest, in order, whatever the history; it is
replaced whole, so a killed run loses at most the shard it was working on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
from torch.utils.data import DataLoader

from nsnet.core.contracts import Table, make, table_name
from nsnet.core.parquet import SHARDS, read_table, write_table
from nsnet.features.backbone import Backbone, stack
from nsnet.features.contracts import Features, Patches
from nsnet.features.views import View, ViewReader

# Below this many pictures starting worker processes costs more than it saves.
FEW = 200


@dataclass(frozen=True)
class Counts:
    """Pictures taken from the store, and encoded now."""

    cached: int
    computed: int


@dataclass(frozen=True)
class Encoded:
    """Table rows of one picture."""

    image_id: str
    features: list[dict[str, Any]]
    patches: list[dict[str, Any]]


def update_features(
    folder: Path,
    images: dict[str, Path],
    backbone: Backbone,
    views: list[str],
    batch: int,
    workers: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Counts:
    """Bring a backbone's shards in `folder` up to date with `images` (image_id to file).

    Features of known pictures are kept, missing ones computed, those of other pictures,
    views or backbones dropped. `advance` is told how many pictures were encoded.
    """
    known = {shard: _known(folder, shard, images, backbone.id, views) for shard in SHARDS}
    missing = [image_id for image_id in sorted(images) if image_id not in known[image_id[0]]]
    reader = ViewReader([(image_id, images[image_id]) for image_id in missing], views, backbone.views)
    encoded = _encode(reader, backbone, batch, workers if len(missing) > FEW else 0, advance)
    groups = itertools.groupby(encoded, key=lambda item: item.image_id[0])
    computed = next(groups, None)
    for shard in SHARDS:
        items: list[Encoded] = []
        if computed is not None and computed[0] == shard:
            items = list(computed[1])
            computed = next(groups, None)
        # Features last: a shard without them counts as not computed.
        for table, order in ((Patches, ["image_id", "slot"]), (Features, ["image_id", "view", "draw"])):
            kept = _kept(folder, table, shard, known[shard], backbone.id, views)
            fresh = make(table, itertools.chain.from_iterable(getattr(item, table_name(table)) for item in items))
            write_table(table, pl.concat([kept, fresh]).sort(order), shard_path(folder, table, shard))
    return Counts(cached=len(images) - len(missing), computed=len(missing))


def shard_path(folder: Path, table: type[Table], shard: str) -> Path:
    """File of one shard of `features` or `patches`."""
    return folder / f"{table_name(table)}-{shard}.parquet"


def _known(folder: Path, shard: str, images: dict[str, Path], backbone_id: str, views: list[str]) -> set[str]:
    """Pictures of a shard that have every view from this backbone."""
    rows = _kept(folder, Features, shard, set(images), backbone_id, views)
    complete = rows.group_by("image_id").len().filter(pl.col("len") == len(views))
    return set(complete["image_id"])


def _kept(
    folder: Path, table: type[Table], shard: str, image_ids: set[str], backbone_id: str, views: list[str]
) -> pl.DataFrame:
    """Stored rows of some pictures that are still wanted."""
    path = shard_path(folder, table, shard)
    if not path.exists():
        return make(table, [])
    rows = read_table(table, path).filter(
        pl.col("backbone_id") == backbone_id, pl.col("image_id").is_in(list(image_ids))
    )
    return rows.filter(pl.col("view").is_in(views)) if table is Features else rows


def _encode(
    reader: ViewReader, backbone: Backbone, batch: int, workers: int, advance: Callable[[int], None]
) -> Iterator[Encoded]:
    """Encode the reader's pictures in order."""
    loader: DataLoader[list[View]] = DataLoader(
        reader,  # type: ignore[arg-type]  # anything with a length and items will do
        batch,
        num_workers=workers,
        collate_fn=list,
        multiprocessing_context="spawn" if workers else None,
    )
    position = 0
    for items in loader:
        vectors = [
            backbone.encode_images(stack([item[v].pixels for item in items], batch)) for v in range(len(reader.views))
        ]
        for i, views in enumerate(items):
            image_id = reader.images[position + i][0]
            key = {"image_id": image_id, "backbone_id": backbone.id}
            features = [
                {**key, "view": name, "draw": 0, "rule": view.rule, "feature": vectors[v][i].tolist()}
                for v, (name, view) in enumerate(zip(reader.views, views, strict=True))
            ]
            yield Encoded(image_id, features, [row for view in views for row in _patch_rows(key, view)])
        position += len(items)
        advance(len(items))


def _patch_rows(key: dict[str, str], view: View) -> Iterator[dict[str, Any]]:
    if view.selection is None:
        return
    chosen = view.selection
    for slot, (row, col, entropy) in enumerate(zip(chosen.rows, chosen.cols, chosen.entropy, strict=True)):
        yield {**key, "slot": slot, "row": int(row), "col": int(col), "entropy": float(entropy)}
