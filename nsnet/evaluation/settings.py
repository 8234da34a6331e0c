"""The section `evaluate` of params.yaml."""

from __future__ import annotations

from nsnet.core.settings import Count, Section


class Evaluate(Section):
    """Scores and intervals (stage evaluate)."""

    bootstrap: Count
    seed: int
    baseline: str
