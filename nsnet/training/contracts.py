"""The table of trainings."""

from __future__ import annotations

import pandera.polars as pa
import polars as pl

from nsnet.core.contracts import Table, contract
from nsnet.features.contracts import VIEWS


@contract("runs", stage="train")
class Runs(Table):
    """One training of one detector on one training set, under one condition, with one seed."""

    class Config(Table.Config):
        # Two versions of one training in a table: nobody could say which of them a number is of.
        unique = ["detector", "training_set", "train_condition", "seed"]  # noqa: RUF012 - pandera's form

    run_id: str = pa.Field(unique=True, description="hash of what determines the training, and of nothing else")
    detector: str = pa.Field(description="name in params.yaml")
    training_set: str = pa.Field(description="samples.training_set it was trained on")
    train_condition: str = pa.Field(description="condition its training pictures were shown under")
    seed: pl.Int32 = pa.Field(description="training seed")
    kind: str = pa.Field(description="linear, cnn, published, or a kind of another package")
    view: str = pa.Field(isin=VIEWS, description="what the detector looks at")
    null_space: str = pa.Field(description="directions projected out; none where the kind has no null space")
    adapter: bool = pa.Field(description="a square layer between projection and head")
    contrastive: bool = pa.Field(description="trained with the contrastive loss as well as BCE")
    params: str = pa.Field(description="resolved settings of the detector, JSON")
    chosen: str = pa.Field(description="settings chosen on the validation split, JSON")
    threshold: pl.Float64 = pa.Field(description="score of best balanced accuracy on the validation split")
    validation_acc: pl.Float64 = pa.Field(ge=0, le=1, description="balanced accuracy on the validation split at 0.5")
    code_checksum: str = pa.Field(description="hash of the code that trained it")
    data_checksum: str = pa.Field(description="hash of the training and validation pictures with their labels")
    backbone_id: str = pa.Field(description="hash of the backbone record")
    backbone: str = pa.Field(description="backbone record, JSON")
    origin: str = pa.Field(description="sentence: whose pictures and whose CLIP stand behind the run")
    device: str = pa.Field(description="device it was trained on: cpu or cuda")
    precision: str = pa.Field(description="precision it was trained in, as Lightning Fabric names it")
    detector_sha256: str = pa.Field(description="sha256 of the detector's file, verified whenever it is loaded")
