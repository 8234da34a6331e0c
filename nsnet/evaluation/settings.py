"""The section `evaluate` of params.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from nsnet.core.settings import Section


class Evaluate(Section):
    """Scores and intervals (stage evaluate).

    Attributes:
        conditions: names of section `conditions` under which test pictures are shown.
        bootstrap: draws behind an interval.
        seed: of the draws.
        baseline: the detector that the leaderboard compares the others with.
        shown: detectors in the plot of generators, at most three.
    """

    conditions: Annotated[list[str], Field(min_length=1)]
    bootstrap: Annotated[int, Field(ge=2)]
    seed: int
    baseline: str
    shown: Annotated[list[str], Field(min_length=1, max_length=3)]
