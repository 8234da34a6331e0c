"""What a detector is made of: one class of settings for each kind that ships; others bring their own.

A setting that a kind does not have is not in its runs' identity: a changed CNN setting
retrains no linear head.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nsnet.core.settings import Count, Section, Share
from nsnet.features.settings import View

NullSpace = Literal["none", "text", "random"]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0)]


class DetectorSettings(Section):
    """What every kind has; a kind's own class adds to it.

    Attributes:
        kind: name in the registry.
        view: what the detector looks at.
        draws: mosaics of each training picture, drawn in turn epoch by epoch; 1 shows the same one always.
        seeds: training seeds of this detector alone; null takes train.seeds.
    """

    kind: str
    view: View
    draws: Count = 1
    seeds: Annotated[list[int], Field(min_length=1)] | None = None


class LinearSettings(DetectorSettings):
    """A linear head on frozen features (nsnet.detectors.linear).

    Attributes:
        null_space: which directions are projected out.
        adapter: a square layer, starting as the identity, between projection and head.
        contrastive: the contrastive loss beside BCE; it needs the adapter, or nothing moves.
        standardise: subtract the training mean and divide by one common scale.
        weight_decay: candidates; the one of least validation BCE is kept.
    """

    kind: Literal["linear"] = "linear"
    null_space: NullSpace = "none"
    adapter: bool = False
    contrastive: bool = False
    standardise: bool = True
    epochs: Count
    batch: Count
    lr: Positive
    bce_weight: Share
    temperature: Positive
    weight_decay: Annotated[list[Decay], Field(min_length=1)]


class CnnSettings(DetectorSettings):
    """A small network on the pixels of mosaics, the CLIP-free control (nsnet.detectors.cnn)."""

    kind: Literal["cnn"] = "cnn"
    view: Literal["mosaic"] = "mosaic"
    epochs: Count
    batch: Count
    lr: Positive
    weight_decay: Decay


class PublishedSettings(DetectorSettings):
    """A published linear head on unnormalised features, as UnivFD's fc_weights (nsnet.detectors.published)."""

    kind: Literal["published"] = "published"
    weights: str
