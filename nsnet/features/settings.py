"""The sections `conditions`, `backbone` and `features` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nsnet.core.settings import Count, Section

View = Literal["mosaic", "crop", "full"]
Kernel = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Quality = Annotated[int, Field(ge=1, le=100)]
# What a model's name begins with that has no text tower.
TIMM, TRANSFORMERS = TEXTLESS = ("timm:", "transformers:")
Positive = Annotated[float, Field(gt=0)]


class Jpeg(Section):
    """Saved as JPEG at an IJG quality and read back."""

    op: Literal["jpeg"]
    quality: Quality


class Webp(Section):
    """Saved as lossy WebP and read back."""

    op: Literal["webp"]
    quality: Quality


class Blur(Section):
    """Gaussian blur; sigma in pixels."""

    op: Literal["blur"]
    sigma: Positive


class Noise(Section):
    """White Gaussian noise; sigma in grey levels of 255, drawn per picture from the condition's seed."""

    op: Literal["noise"]
    sigma: Positive


class Resize(Section):
    """Resized by a factor, until the short side has `side` pixels, or until the long one has at most `longest`.

    Exactly one of the three. A picture whose long side is no longer than `longest` stays as it is.
    """

    op: Literal["resize"]
    scale: Positive | None = None
    side: Count | None = None
    longest: Count | None = None
    kernel: Kernel = "bicubic"

    @model_validator(mode="after")
    def _one_rule(self) -> Resize:
        if [self.scale, self.side, self.longest].count(None) != 2:
            raise ValueError("set exactly one of scale, side and longest")
        return self


class Crop(Section):
    """The central square of `size` pixels, or of a `share` of the short side; enlarged first if too small."""

    op: Literal["crop"]
    size: Count | None = None
    share: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> Crop:
        if (self.size is None) == (self.share is None):
            raise ValueError("set exactly one of size and share")
        return self


Operation = Annotated[Jpeg | Webp | Blur | Noise | Resize | Crop, Field(discriminator="op")]


class ConditionSettings(Section):
    """What is done to every picture, whatever its label, before a view is made of it; in order.

    Attributes:
        published: setting of the literature that it is the same as; changes nothing.
    """

    operations: tuple[Operation, ...] = ()
    seed: int = 0
    published: str | None = None


Conditions = Annotated[dict[str, ConditionSettings], Field(min_length=1)]


class Backbone(Section):
    """The frozen image tower, and the views it is shown (every stage from features on).

    Attributes:
        sha256: that a file of weights must have; null takes any.
        runtime: who computes the features of pictures: torch, or OpenVINO in eight bits, on the processor.
    """

    model: str
    weights: str | None
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None
    precision: Literal["float32", "bfloat16"]
    runtime: Literal["torch", "int8"] = "torch"
    patch_size: Count
    grid: Count
    lowest: Count
    interpolation: Literal["bicubic", "bilinear"]

    @model_validator(mode="after")
    def _one_precision(self) -> Backbone:
        if self.runtime == "int8" and self.precision != "float32":
            raise ValueError(f"runtime int8 rounds float32: set precision to float32 (got {self.precision})")
        return self


class Features(Section):
    """Features of every image (stage features)."""

    views: Annotated[list[View], Field(min_length=1)]
    draws: Count
    dtype: Literal["float32", "float16"]
    patches: bool | Literal["auto"]
    batch: Count
    workers: Count
