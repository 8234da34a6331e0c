"""What a detector is made of: one class of settings for each kind that ships; others bring their own.

A setting that a kind does not have is not in its runs' identity: a changed CNN setting
retrains no linear head.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nsnet.core.settings import Count, Section, Share
from nsnet.features.settings import View

NullSpace = Literal["none", "text", "cross-modal", "leace", "image-pca", "random"]
Positive = Annotated[float, Field(gt=0)]
Decay = Annotated[float, Field(ge=0)]
Seed = Annotated[int, Field(ge=0)]


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
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _draws_of_the_mosaic(self) -> DetectorSettings:
        if self.draws > 1 and self.view != "mosaic":
            raise ValueError(f"draws: only the mosaic is drawn at random, the view {self.view} is always the same")
        return self

    def canonical(self) -> DetectorSettings:
        """Itself, less what changes nothing: equal ones train the same detector, given the same seed."""
        return self.model_copy(update={"seeds": None})


class LinearSettings(DetectorSettings):
    """A linear head on frozen features (nsnet.detectors.linear).

    Attributes:
        null_space: which directions are projected out.
        adapter: a square layer, starting as the identity, between projection and head.
        contrastive: the contrastive loss beside BCE; it needs the adapter, or nothing moves.
        standardise: subtract the training mean and divide by one common scale.
        bce_weight: w in (1 - w) contrastive + w BCE; of no effect without the contrastive loss.
        temperature: of the contrastive loss.
        weight_decay: candidates; the one of least validation BCE is kept. The adapter is drawn to
            the identity by it, everything else to zero.
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

    @model_validator(mode="after")
    def _something_moves(self) -> LinearSettings:
        if self.contrastive and not self.adapter:
            raise ValueError(
                "contrastive: the loss acts on features, which are frozen: nothing would move."
                " Set adapter: true as well, or contrastive: false"
            )
        return self

    def canonical(self) -> DetectorSettings:
        unused = {} if self.contrastive else {"bce_weight": 1.0, "temperature": 1.0}
        return super().canonical().model_copy(update=unused)


class CnnSettings(DetectorSettings):
    """A small network on the pixels of mosaics, the CLIP-free control (nsnet.detectors.cnn)."""

    kind: Literal["cnn"] = "cnn"
    view: Literal["mosaic"] = "mosaic"
    epochs: Count
    batch: Count
    lr: Positive
    weight_decay: Decay


class PublishedSettings(DetectorSettings):
    """A published linear head on unnormalised features, as UnivFD's fc_weights (nsnet.detectors.published).

    Attributes:
        weights: file with the tensors weight (1, d) and bias (1,): .safetensors, or .pth as published.
    """

    kind: Literal["published"] = "published"
    weights: str
