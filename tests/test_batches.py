"""Extraction on a GPU: the batch that memory holds, and the same features; on a CPU with a tower that plays one."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.batches import fitting_batch
from nsnet.features.matrices import FeatureReader
from nsnet.params import Params
from tests.stores import BATCH, Extraction, make_corpus, request_for


@dataclass(frozen=True)
class SmallGpu(Backbone):
    """Computes on the CPU, but calls itself a GPU whose memory holds `limit` views."""

    limit: int = 3

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        if len(pixels) > self.limit:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().normalised(pixels)

    def _placed(self, pixels: Any) -> torch.Tensor:
        return torch.from_numpy(pixels)


def playing(backbone: Backbone, limit: int) -> SmallGpu:
    facts = {field.name: getattr(backbone, field.name) for field in fields(backbone)}
    return SmallGpu(**{**facts, "device": "cuda"}, limit=limit)


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.mark.parametrize("patches", [False, True])
def test_the_batch_is_halved_until_it_fits(
    backbone: Backbone, capsys: pytest.CaptureFixture[str], patches: bool
) -> None:
    assert fitting_batch(playing(backbone, 3), 8, patches) == 2
    assert "features.batch: 8 views do not fit into the GPU's memory, 2 do" in capsys.readouterr().err
    assert fitting_batch(playing(backbone, 8), 8, patches) == 8
    assert fitting_batch(backbone, 8, patches) == 8
    assert capsys.readouterr().err == ""
    with pytest.raises(torch.OutOfMemoryError):
        fitting_batch(playing(backbone, 0), 8, patches)


def test_extraction_goes_on_with_the_batch_that_fits(tmp_path: Path, backbone: Backbone) -> None:
    request = request_for(make_corpus(tmp_path))
    update = Extraction(tmp_path, backbone)
    counts = update(request, tower=playing(backbone, BATCH // 2))
    assert counts.computed == counts.wanted > 0
    update(request, "whole")
    ids = image_ids(tmp_path)
    for view in ("mosaic", "crop", "full"):
        found, whole = (
            FeatureReader(update.out("features", name)).matrix(backbone.id, "clean", view, 0, ids)
            for name in ("store", "whole")
        )
        np.testing.assert_allclose(found, whole, rtol=1e-4, atol=1e-5)  # kernels of another shape, float32


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_gpu_makes_the_same_features(params: Params, tmp_path: Path, precision: Any) -> None:
    section = params.backbone.model_copy(update={"precision": precision})
    request, ids = request_for(make_corpus(tmp_path)), image_ids(tmp_path)
    found = {}
    for device in ("cpu", "cuda"):
        tower = load_backbone(section, device)
        update = Extraction(tmp_path / device, tower)
        update(replace(request, patches=False))
        found[device] = FeatureReader(update.out("features")).matrix(tower.id, "clean", "mosaic", 0, ids)
    scale = np.abs(found["cpu"]).max()
    # TF32 is off: float32 sums in another order; bfloat16 has eight bits, rounded a dozen layers deep.
    assert np.abs(found["cpu"] - found["cuda"]).max() < (1e-4 if precision == "float32" else 0.05) * scale


def image_ids(root: Path) -> list[str]:
    return pl.read_parquet(root / "images.parquet").filter(status="used")["image_id"].to_list()
