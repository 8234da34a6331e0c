"""What is said of one picture: a prediction, also after deliveries, or why there is none."""

from __future__ import annotations

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Redelivery:
    """A picture after a delivery, and whether another thing is said of it.

    Attributes:
        delivery: name of the condition; `clean` is the picture as it is.
        prediction: of the picture so delivered.
        flips: its decision is not that of the picture as it is; to and from unsure counts.
    """

    delivery: str
    prediction: Prediction
    flips: bool


COLUMNS = (*(field.name for field in fields(Prediction)), "reason")
REDELIVERED = ("path", "delivery", "flips", *COLUMNS[1:])


def as_row(said: Prediction | Rejection | Redelivery, columns: Sequence[str] = COLUMNS) -> dict[str, Any]:
    """One row for any of them.

    Args:
        said: of a picture.
        columns: `COLUMNS`, or `REDELIVERED` where there are deliveries.

    Returns:
        All of the columns, in order; None where there is nothing to say.
    """
    values = asdict(said)
    values |= values.pop("prediction", {})
    return {**dict.fromkeys(columns), **values}


def redeliveries(names: Sequence[str], predictions: Sequence[Prediction]) -> list[Redelivery]:
    """What is said of a picture as it is, and after each delivery.

    Args:
        names: of the deliveries, the first that of the picture as it is.
        predictions: one for each name.

    Returns:
        As many, in order; the first flips nothing.
    """
    before = predictions[0].decision
    return [Redelivery(name, one, one.decision != before) for name, one in zip(names, predictions, strict=True)]
