"""The section nightly of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.core.settings import Count, Section


class Nightly(Section):
    """What the nightly evaluation does besides `dvc repro`.

    Attributes:
        deep_days: days after which the gate reads every file of data/ again.
        free_gb: gigabytes (1e9 bytes) that must be free before anything runs.
        slower: a stage that takes more than this many times its median is a finding.
        nights_for_median: earlier nights in which a stage must have run before it has a median.
        notify: blocks of Prefect that are told of a night with findings, each as TYPE/NAME.
    """

    deep_days: Count
    free_gb: Annotated[float, Field(ge=0)]
    slower: Annotated[float, Field(gt=1)]
    nights_for_median: Count
    notify: list[Annotated[str, Field(pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")]]
