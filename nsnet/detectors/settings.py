"""Which parts a detector has, and how it is fitted."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nsnet.core.settings import Count, Section, Share
from nsnet.features.settings import View


class DetectorConfig(Section):
    """One detector: the view it gets and the parts switched on."""

    kind: Literal["linear", "cnn"] = "linear"
    view: View
    null_space: Literal["none", "text", "random"] = "none"
    contrastive: bool = False


class Fitting(Section):
    """Settings of one training, shared by all detectors and kept beside their weights."""

    seed: int
    epochs: Count
    batch: Count
    lr: Annotated[float, Field(gt=0)]
    bce_weight: Share
    temperature: Annotated[float, Field(gt=0)]
    weight_decay: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=1)]
    cnn_epochs: Count
    cnn_batch: Count
    cnn_lr: Annotated[float, Field(gt=0)]
    cnn_weight_decay: Annotated[float, Field(ge=0)]
