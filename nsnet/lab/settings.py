"""The section `lab` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.core.settings import Count, Section


class Lab(Section):
    """The simulated corpus (stage lab)."""

    seed: int
    bias: Annotated[float, Field(ge=0.5, le=1)]
    train_simulators: Annotated[list[str], Field(min_length=1)]
    train_per_class: Count
    validation_per_class: Count
    test_real: Count
    test_fakes: Count
    caption_pool: Count
    workers: Count
