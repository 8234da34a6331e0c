"""The sections `corpus` and `audit` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.core.settings import Count, Section


class Harmonise(Section):
    """One crop (size x size pixels) and one JPEG quality for every picture, whatever its label."""

    size: Count
    jpeg_quality: Annotated[int, Field(ge=1, le=100)]


class Corpus(Section):
    """Reading the raw corpora (stage corpus)."""

    suite: str | None
    workers: Count
    allow_leakage: list[str]
    harmonise: Harmonise | None


class Audit(Section):
    """Do the files alone give the label away? (stage audit)."""

    flag_auc: Annotated[float, Field(ge=0.5, le=1)]
    seed: int
