"""What tests of predictions share: detectors as `nsnet runs export` writes them, nothing trained; the command line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import polars as pl
import torch
from typer.testing import CliRunner, Result

from nsnet.cli.main import app
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


def nsnet(cwd: Path, *words: str, given: str | None = None) -> Result:
    """The command line in this process, in a folder; a mistake of the code's own is raised."""
    with contextlib.chdir(cwd):
        finished = CliRunner().invoke(app, list(words), input=given)
    if finished.exception is not None and not isinstance(finished.exception, SystemExit):
        raise finished.exception
    return finished
