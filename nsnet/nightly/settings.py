"""The section nightly of params.yaml."""

from __future__ import annotations

from nsnet.core.settings import Count, Section


class Nightly(Section):
    """What the nightly evaluation does besides `dvc repro`.

    Attributes:
        deep_days: days after which the gate reads every file of data/ again.
    """

    deep_days: Count
