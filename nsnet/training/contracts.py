"""The table of trainings."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract
from nsnet.features.contracts import CONDITIONS, VIEWS


@contract("runs", stage="train")
class Runs(Table):
    """One training of one detector on one training set."""

    run_id: str = pa.Field(unique=True, description="hash of everything that determines the run")
    detector: str = pa.Field(description="name in params.yaml")
    training_set: str = pa.Field(description="samples.training_set it was trained on")
    condition: str = pa.Field(isin=CONDITIONS, description="clean, or harmonised: how its pictures were prepared")
    kind: str = pa.Field(isin=["linear", "cnn"], description="head on CLIP features, or network on pixels")
    view: str = pa.Field(isin=VIEWS, description="what the detector looks at")
    null_space: str = pa.Field(isin=["none", "text", "random"], description="directions projected out")
    contrastive: bool = pa.Field(description="trained with the contrastive loss as well as BCE")
    seed: pl.Int32 = pa.Field(description="training seed")
    params: str = pa.Field(description="resolved parameters, JSON")
    chosen: str = pa.Field(description="settings chosen on the validation split, JSON")
    validation_acc: pl.Float64 = pa.Field(ge=0, le=1, description="accuracy on the validation split at threshold 0.5")
    git_revision: str = pa.Field(description="commit that trained it; -dirty if code or params differed")
    data_checksum: str = pa.Field(description="hash of the samples table it was trained on")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    backbone: str = pa.Field(description="backbone record, JSON")
    world: str = pa.Field(description="sentence: whose pictures and whose CLIP stand behind the run")
    device: str = pa.Field(description="cpu or cuda")
