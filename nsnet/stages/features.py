"""Stage features: encode every picture that is not in the store yet, and write what params ask for."""

from __future__ import annotations

import polars as pl

from nsnet.core.device import best_device
from nsnet.core.foresight import Work
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section
from nsnet.features.backbone import load_backbone
from nsnet.features.conditions import condition_table
from nsnet.features.contracts import AppliedConditions, Features, Patches
from nsnet.features.extraction import Counts, update_features
from nsnet.features.foresight import foresee_features
from nsnet.features.requests import project_request
from nsnet.features.settings import Backbone
from nsnet.features.settings import Features as Settings


def extract(paths: Paths) -> Counts:
    """Bring the tables features and patches of a project up to date."""
    settings = load_section(paths.params, "features", Settings)
    backbone = load_backbone(load_section(paths.params, "backbone", Backbone), best_device())
    request = project_request(paths, backbone)
    write_table(AppliedConditions, condition_table(request.train, request.test), paths.table(AppliedConditions))
    with bar("features", None) as advance:
        return update_features(
            request,
            backbone,
            paths.feature_store,
            paths.table(Features),
            paths.table(Patches),
            batch=settings.batch,
            workers=settings.workers,
            advance=advance,
        )


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do."""
    settings = load_section(paths.params, "features", Settings)
    backbone = load_backbone(load_section(paths.params, "backbone", Backbone), best_device())
    request = project_request(paths, backbone)
    return [foresee_features(request, paths.feature_store, backbone.id, settings.workers)]


def rules(paths: Paths) -> pl.DataFrame:
    """How many pictures of each view were too small for it, by rule."""
    rows = pl.scan_parquet(paths.table(Features)).select("view", "rule")
    return rows.group_by("view", "rule").len().sort("view", "rule").collect(engine="streaming")


def main() -> None:
    paths = Paths()
    with cost(paths.cost("features")):
        counts = extract(paths)
    small = ", ".join(f"{count} {view} {rule}" for view, rule, count in rules(paths).iter_rows())
    print(f"features: {counts.computed} images encoded, {counts.cached} already known; views: {small}")
