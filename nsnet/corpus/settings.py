"""The sections `corpus` and `audit` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.core.settings import Count, Section
from nsnet.corpus.inspection import PILLOW_PIXELS


class Corpus(Section):
    """Reading the raw corpora (stage corpus)."""

    suite: str | None
    workers: Count
    allow_leakage: list[str]
    max_bytes: Count
    max_pixels: Annotated[int, Field(ge=64, le=PILLOW_PIXELS)]


class Audit(Section):
    """Do the files alone give the label away? (stage audit)."""

    flag_auc: Annotated[float, Field(ge=0.5, le=1)]
    seed: int
