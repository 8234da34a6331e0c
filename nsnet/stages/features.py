"""Stage features: encode every used image that this backbone has not seen yet."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from nsnet.core.device import best_device
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.corpus.contracts import Images
from nsnet.features.backbone import load_backbone, under_conditions
from nsnet.features.contracts import Features
from nsnet.features.store import Counts, update_features
from nsnet.params import Params, load_params


def extract(root: Path, paths: Paths, params: Params) -> Counts:
    """Bring the feature store up to date with the table images, whose files lie below `root`."""
    images = read_table(Images, paths.table(Images)).filter(status="used")
    files = {image_id: root / name for image_id, name in images.select("image_id", "path").iter_rows()}
    backbones = under_conditions(load_backbone(params.backbone, best_device()), params.corpus.harmonise)
    for stale in {path for path in paths.features.glob("*") if path.is_dir()} - {paths.features / c for c in backbones}:
        shutil.rmtree(stale)
    settings = params.features
    with bar("features", len(files) * len(backbones)) as advance:
        counts = [
            update_features(
                paths.features / condition,
                files,
                backbone,
                list(settings.views),
                settings.batch,
                settings.workers,
                advance,
            )
            for condition, backbone in backbones.items()
        ]
    return Counts(sum(c.cached for c in counts), sum(c.computed for c in counts))


def rules(paths: Paths) -> pl.DataFrame:
    """How many pictures of each view were too small for it, by rule."""
    rows = pl.read_parquet(paths.table(Features), columns=["view", "rule"])
    return rows.group_by("view", "rule").len().sort("view", "rule")


def main() -> None:
    paths = Paths()
    params = load_params(paths.params)
    with cost(paths.cost("features")):
        counts = extract(paths.data, paths, params)
    small = ", ".join(f"{count} {view} {rule}" for view, rule, count in rules(paths).iter_rows())
    print(f"features: {counts.computed} images encoded, {counts.cached} already known; views: {small}")
