"""The sections `captions` and `semantics` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from nsnet.core.settings import Count, Section, Share

CaptionSource = Literal["auto", "dataset", "blip", "template", "none"]


class Captions(Section):
    """Where the training captions come from (stage captions)."""

    source: CaptionSource
    template: str
    model: str | None
    batch: Count


class CaptionPool(Section):
    """Directions of pictures, estimated on the caption pool: captioned real pictures of the split `semantics`.

    Attributes:
        rank: how many directions every null space of pictures removes; null chooses among `ranks`.
        ranks: tried under content shift, on training and validation pictures.
        content: words; a picture whose caption has one of them has the content that shifts.
    """

    rank: Count | None
    ranks: Annotated[list[Count], Field(min_length=1)]
    content: list[str]


class Semantics(Section):
    """The semantic basis (stage semantics); exactly one of energy, tolerance and rank is set.

    Attributes:
        text: what reads the captions of the caption pool: null is the backbone's own text
            tower; or the folder of a sentence encoder, or `package`.
    """

    text: str | None
    normalise: bool
    centre: bool
    energy: Share | None
    tolerance: Share | None
    rank: Annotated[int, Field(ge=0)] | None
    batch: Count
    pool: CaptionPool
