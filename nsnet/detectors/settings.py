"""What a detector is made of: one class of settings for each kind that ships; others bring their own.

A setting that a kind does not have is not in its runs' identity: a changed CNN setting
retrains no linear head.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

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
        reads: features of the backbone, or pixels.
        kind: name in the registry.
        view: what the detector looks at.
        draws: mosaics of each training picture, drawn in turn epoch by epoch; 1 shows the same one always.
        seeds: training seeds of this detector alone; null takes train.seeds.
    """

    reads: ClassVar[Literal["features", "pixels"]] = "features"

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
    """A small network on pixels, the CLIP-free control (nsnet.detectors.cnn)."""

    reads: ClassVar[Literal["features", "pixels"]] = "pixels"

    kind: Literal["cnn"] = "cnn"
    view: View = "mosaic"
    epochs: Count
    batch: Count
    lr: Positive
    weight_decay: Decay


class TuningSettings(DetectorSettings):
    """A backbone that moves, and a linear layer (nsnet.detectors.tuning); a kind says what of it moves.

    Attributes:
        draws: by default one for each epoch where the view is the mosaic: drawn afresh.
        null_space: which directions are projected out of the feature that moves.
        upkeep: fixed leaves the null space as it was estimated on the frozen backbone; refit estimates it anew
            on the caption pool before each epoch; penalty holds the pool's projected features apart from
            their captions by a term of the loss.
        penalty: weight of that term.
        pool_batch: pictures of the pool beside each batch, for the term.
        contrastive, bce_weight, temperature: as of a linear head.
        select: the last epoch, or the one of best accuracy under content shift.
        flip: pictures are mirrored at random.
    """

    reads: ClassVar[Literal["features", "pixels"]] = "pixels"

    null_space: NullSpace = "none"
    upkeep: Literal["fixed", "refit", "penalty"] = "fixed"
    penalty: Positive = 0.02
    pool_batch: Annotated[int, Field(ge=2)] = 64
    contrastive: bool = False
    select: Literal["last", "content-shift"] = "last"
    flip: bool
    epochs: Count
    batch: Count
    lr: Positive
    weight_decay: Decay
    bce_weight: Share
    temperature: Positive

    @model_validator(mode="before")
    @classmethod
    def _drawn_afresh(cls, values: Any) -> Any:
        if isinstance(values, dict) and values.get("view") == "mosaic":
            return {"draws": values.get("epochs", 1), **values}
        return values

    @model_validator(mode="after")
    def _upkeep_of_something(self) -> TuningSettings:
        if self.upkeep != "fixed" and self.null_space not in ("cross-modal", "leace", "image-pca"):
            raise ValueError(
                f"upkeep: {self.upkeep} needs a null space of pictures, got null_space {self.null_space}: set"
                " cross-modal, leace or image-pca, or upkeep: fixed"
            )
        return self

    def canonical(self) -> DetectorSettings:
        unused: dict[str, Any] = {} if self.contrastive else {"bce_weight": 1.0, "temperature": 1.0}
        unused |= {} if self.upkeep == "penalty" else {"penalty": 1.0, "pool_batch": 2}
        return super().canonical().model_copy(update=unused)


class LoraSettings(TuningSettings):
    """Low-rank adapters on query, key and value of the backbone's vision transformer (nsnet.detectors.tuning.lora).

    Attributes:
        rank, alpha, dropout: of the adapters; their product is scaled by alpha / rank.
        layers: only that many of the first layers are adapted; null adapts all.
    """

    kind: Literal["lora"] = "lora"
    rank: Count
    alpha: Positive
    dropout: Annotated[float, Field(ge=0, lt=1)]
    layers: Count | None = None


class EffortSettings(TuningSettings):
    """The smallest singular directions of the attention's matrices, the others frozen (nsnet.detectors.tuning.effort).

    Attributes:
        trained: directions of each matrix that move.
        orthogonality: weight of the term that keeps them apart from the others, and the matrix as large as it was.
    """

    kind: Literal["effort"] = "effort"
    trained: Count
    orthogonality: Decay


class PublishedSettings(DetectorSettings):
    """A published linear head on unnormalised features, as UnivFD's fc_weights (nsnet.detectors.published).

    Attributes:
        weights: file with the tensors weight (1, d) and bias (1,): .safetensors, or .pth as published.
    """

    kind: Literal["published"] = "published"
    weights: str
