"""The sections `backbone` and `features` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nsnet.core.settings import Count, Section

View = Literal["mosaic", "crop", "full"]


class Backbone(Section):
    """The CLIP and the views it is shown (every stage from features on)."""

    model: str
    weights: str | None
    patch_size: Count
    grid: Count
    lowest: Count
    interpolation: Literal["bicubic", "bilinear"]


class Features(Section):
    """CLIP features of every image (stage features)."""

    views: Annotated[list[View], Field(min_length=1)]
    batch: Count
    workers: Count
