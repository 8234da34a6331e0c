"""What tests of predictions share: a folder of detectors as `nsnet runs export` writes it, nothing trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import torch

from nsnet.core.contracts import make
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.detectors.files import save_detector
from nsnet.detectors.protocol import Context, Detector
from nsnet.detectors.registry import detector_class
from nsnet.detectors.settings import DetectorSettings
from nsnet.features.backbone import Backbone
from nsnet.semantics.null_space import no_directions
from nsnet.training.contracts import Runs
from nsnet.training.exports import SHIPPED


def shipped(**changes: Any) -> dict[str, Any]:
    """The shipped run of NS-Net, changed."""
    [row] = read_table(Runs, SHIPPED.table(Runs)).filter(detector="nsnet").to_dicts()
    return {**row, **changes}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return make(Runs, rows)


def export(folder: Path, name: str, settings: DetectorSettings, backbone: Backbone, seed: int = 0) -> Detector:
    """Keep a detector with drawn weights as the only one of a folder."""
    context = Context(backbone.record, backbone.width, no_directions(backbone.width), seed, tower=backbone)
    detector = detector_class(settings.kind)(settings, context)
    generator = torch.Generator().manual_seed(5)
    for parameter in detector.module().parameters():
        if parameter.requires_grad:
            parameter.data += torch.randn(parameter.shape, generator=generator) * 0.2
    paths = Paths(folder)
    paths.detectors.mkdir(parents=True)
    facts: dict[str, Any] = {
        "kind": settings.kind,
        "view": settings.view,
        "params": settings.model_dump_json(),
        "run_id": name,
    }
    facts |= {"backbone": json.dumps(backbone.record), "backbone_id": backbone.id, "detector": name, "seed": seed}
    sha256 = save_detector(detector, settings, context, paths.detectors / f"{name}.safetensors")
    write_table(Runs, table(shipped(**facts, threshold=0.5, detector_sha256=sha256)), paths.table(Runs))
    return detector
