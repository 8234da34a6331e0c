"""The sections `corpus` and `audit` of params.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nsnet.core.settings import Count, Section, Share
from nsnet.corpus.inspection import PILLOW_PIXELS


class _Rule(Section):
    """A training set. `biased`: its fakes have the content and its reals lack it."""

    biased: bool = False


class TrainedOn(_Rule):
    """Some generators, others in each draw; every generator has its turn before one comes again."""

    kind: Literal["generators"] = "generators"
    generators: Count
    draws: Count


class FamilyLeftOut(_Rule):
    """All generators but those of one family; a draw for each family."""

    kind: Literal["family"]


class OlderThan(_Rule):
    """Generators that were released before a month, YYYY-MM; tested on the others."""

    kind: Literal["older"]
    before: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


Rule = Annotated[TrainedOn | FamilyLeftOut | OlderThan, Field(discriminator="kind")]


class Protocols(Section):
    """Training sets and tests that are drawn from suites whose layout gives pictures no role in training.

    Attributes:
        fakes, reals: suites whose fakes, and whose reals, they are drawn from.
        seed: of the order in which pictures and generators are drawn.
        pool, train: shares of the reals for the caption pool and for training; the rest is tested.
        validation: share of the training pictures that validate; of fakes whole clusters.
        content: words; a picture whose caption has one of them has the content that shifts.
        training_sets: by name.
    """

    fakes: Annotated[list[str], Field(min_length=1)]
    reals: Annotated[list[str], Field(min_length=1)]
    seed: int
    pool: Share
    train: Share
    validation: Share
    content: list[str]
    training_sets: Annotated[dict[str, Rule], Field(min_length=1)]

    @model_validator(mode="after")
    def _leaves_tests(self) -> Protocols:
        if self.pool + self.train >= 1:
            raise ValueError(f"pool and train are {self.pool + self.train} of the reals: none are left to be tested")
        return self


class Corpus(Section):
    """Reading the raw corpora (stage corpus).

    Attributes:
        protocols: null: pictures have the roles that layouts and manifests tell.
    """

    suite: str | None
    protocols: Protocols | None
    workers: Count
    allow_leakage: list[str]
    max_bytes: Count
    max_pixels: Annotated[int, Field(ge=64, le=PILLOW_PIXELS)]


class Audit(Section):
    """Do the files alone give the label away? (stage audit)."""

    flag_auc: Annotated[float, Field(ge=0.5, le=1)]
    seed: int
