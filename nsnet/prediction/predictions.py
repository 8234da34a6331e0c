"""What is said of one picture: a prediction, or why there is none."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from nsnet.prediction.draws import Decision


@dataclass(frozen=True)
class Prediction:
    """What a detector says of a picture, and which one it is.

    Attributes:
        path: of the file; None of a picture that was given without one.
        score: probability of fake, mean over the draws.
        low, high: interval for the score of one more draw (nsnet.prediction.draws); both are the score where
            there is one draw only, as of the views crop and full.
        decision: fake or real; unsure where the interval has the threshold in it.
        threshold: a score from here on is called fake.
        draws: mosaics that were scored.
        detector, training_set, train_condition, seed, run_id: of the training behind it.
        sha256: of the detector's file.
        version: of the nsnet that scored.
        world: whose pictures the detector has learned: LAB, REAL-SMALL, REAL, MIXED, RANDOM or NOT MEANINGFUL.
    """

    path: str | None
    score: float
    low: float
    high: float
    decision: Decision
    threshold: float
    draws: int
    detector: str
    training_set: str
    train_condition: str
    seed: int
    run_id: str
    sha256: str
    version: str
    world: str


@dataclass(frozen=True)
class Rejection:
    """A picture, or an argument that should have led to some, that was not scored, and why."""

    path: str | None
    reason: str


COLUMNS = (*(field.name for field in fields(Prediction)), "reason")


def as_row(said: Prediction | Rejection) -> dict[str, Any]:
    """One row for either: all of `COLUMNS`, None where there is nothing to say."""
    return {**dict.fromkeys(COLUMNS), **asdict(said)}
