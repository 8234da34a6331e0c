"""External detectors beside ours: their imported scores as rows of the tables runs and predictions.

A training of ours belongs to one training set; an external detector to none that is known
here. It stands beside each of them, one row of runs for each, so that it is compared with
ours on the same generators; held-out and in-domain are then what ours have not, and have,
seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import polars as pl

from nsnet.core.contracts import make
from nsnet.core.origin import describe
from nsnet.core.provenance import digest
from nsnet.detectors.temperature import fit_temperature
from nsnet.detectors.thresholds import THRESHOLD, balanced_accuracy, choose_threshold
from nsnet.evaluation.contests import pictures_of
from nsnet.evaluation.contracts import EXTERNAL, ExternalRuns, Predictions
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.score_faults import Faults
from nsnet.evaluation.score_store import Record, ScoreStore
from nsnet.features.conditions import CLEAN

# In place of a backbone's record: whoever reads it learns that there is none of ours.
BACKBONE = {"model": "external detectors", "weights": None}
Place = tuple[str, str]


@dataclass(frozen=True)
class External:
    """Rows of external detectors for the tables runs and predictions."""

    runs: pl.DataFrame
    predictions: pl.DataFrame


def external_detectors(
    store: ScoreStore,
    runs: pl.DataFrame,
    samples: pl.DataFrame,
    exams: Exams,
    conditions: list[str],
) -> External:
    """The external detectors that have scores under a condition that is evaluated.

    Beside a training set that is drawn several times stands a row for each draw, of the same scores: it is judged on
    the pictures that ours of that draw are judged on.

    The threshold is the user's; else, where every picture of a training set's validation split has a score, the
    one that is best there; else 0.5.

    Args:
        store: with their scores.
        runs: of our detectors, whose training sets they stand beside; of none, they are a table of their own.
        samples: of the corpus.
        exams: of the corpus.
        conditions: that are evaluated.

    Returns:
        Rows for both tables.

    Raises:
        ValueError: one bears the name of a detector of ours, comes in several versions, or lacks scores of test
            pictures; all of them at once. Or a file is damaged.
    """
    places = runs.select("training_set", "train_condition").unique().sort(pl.all()).rows() or [(EXTERNAL, CLEAN.name)]
    labels = dict(samples.select("image_id", "label").iter_rows())
    origin = describe(samples.filter(split="test")["suite"].unique(), BACKBONE["model"] or "", None)
    ours, faults, tested = set(runs["detector"]), Faults(), pictures_of(exams.contests)
    rows: list[dict[str, Any]] = []
    parts: list[pl.DataFrame] = []
    for detector, members in groupby(store.records(), key=lambda record: record.detector):
        records = list(members)
        faults.add("detectors", _contradictions(records, ours))
        scores = {record.condition: store.scores(record) for record in records}
        shown = {name: _of(scores[name], tested) for name in conditions if name in scores}
        lacking = {name: len(tested) - frame.height for name, frame in shown.items() if frame.height < len(tested)}
        faults.add("detectors", (_lacking(detector, name, count, len(tested)) for name, count in lacking.items()))
        beside = _beside(records[0], places) if shown else []
        stands = [(*place, draw) for place in beside for draw in exams.draws(place[0])]
        for training_set, train_condition, draw in stands:
            place = {"training_set": training_set, "seed": draw or 0}
            validation = exams.trained(place).validation
            seen = _of(scores.get(train_condition), validation)
            whole = seen.height > 0 and seen.height == len(validation)
            run_id = digest([asdict(records[0]), training_set, train_condition, *([] if draw is None else [draw])])
            facts = place | {
                "run_id": run_id,
                "detector": detector,
                "train_condition": train_condition,
                "params": json.dumps({key: value for key, value in asdict(records[0]).items() if key != "condition"}),
                "detector_sha256": records[0].sha256 or None,
                "origin": origin,
                **_decision(records[0], seen if whole else None, labels),
            }
            rows.append(_UNKNOWN | facts)
            judged = exams.tested(place)
            shares = [("test", name, _of(frame, judged)) for name, frame in shown.items()]
            shares += [("validation", train_condition, seen)] if whole else []
            parts += [_predictions(frame, run_id, split, condition) for split, condition, frame in shares]
    faults.refuse(f"{store.folder}, the scores of external detectors,")
    return External(make(ExternalRuns, rows), pl.concat([make(Predictions, []), *parts]))


_UNKNOWN: dict[str, Any] = {
    "kind": EXTERNAL,
    "view": "unknown",
    "null_space": "none",
    "adapter": False,
    "contrastive": False,
    "chosen": "{}",
    "backbone": json.dumps(BACKBONE),
    "backbone_id": digest(BACKBONE),
    **dict.fromkeys(("code_checksum", "data_checksum", "device", "precision")),
}


def _beside(record: Record, places: list[Place]) -> list[Place]:
    """Training sets and conditions that a detector stands beside; one that nothing was trained on is its own."""
    if not record.training_sets:
        return places
    known = [place for place in places if place[0] in record.training_sets]
    alone = [name for name in record.training_sets if name not in {place[0] for place in known}]
    return known + [(name, CLEAN.name) for name in alone]


def _decision(record: Record, validation: pl.DataFrame | None, labels: dict[str, int]) -> dict[str, float | None]:
    """Columns threshold, temperature and validation_acc."""
    if validation is None:
        threshold = THRESHOLD if record.threshold is None else record.threshold
        return {"threshold": threshold, "temperature": 1.0, "validation_acc": None}
    scores = validation["score"].to_numpy()
    truth = pl.Series([labels[name] for name in validation["image_id"]]).to_numpy()
    chosen = choose_threshold(scores, truth) if record.threshold is None else record.threshold
    temperature = fit_temperature(scores, truth)
    return {"threshold": chosen, "temperature": temperature, "validation_acc": balanced_accuracy(scores, truth)}


def _of(scores: pl.DataFrame | None, image_ids: Sequence[str]) -> pl.DataFrame:
    """Scores of some pictures, in their order; those that have none are left out."""
    wanted = pl.DataFrame({"image_id": list(image_ids)}, schema={"image_id": pl.String})
    if scores is None:
        return wanted.clear().with_columns(score=pl.lit(0.0))
    return wanted.join(scores, on="image_id", maintain_order="left")


def _predictions(frame: pl.DataFrame, run_id: str, split: str, condition: str) -> pl.DataFrame:
    facts = {"run_id": run_id, "split": split, "condition": condition}
    return frame.with_columns(pl.lit(value).alias(name) for name, value in facts.items()).select(
        make(Predictions, []).columns
    )


def _contradictions(records: list[Record], ours: set[str]) -> Iterator[str]:
    name = records[0].detector
    if name in ours:
        yield (
            f"{name}: a detector of ours has this name too: `nsnet results remove {name}`, then import it again with"
            " another --detector"
        )
    for other in records[1:]:
        if words := records[0].conflict(other):
            yield (
                f"{name}: {words}; one table holds one version of a detector: `nsnet results remove {name}`, then"
                " import it again"
            )


def _lacking(detector: str, condition: str, count: int, total: int) -> str:
    return (
        f"{detector}: {count} of {total} test pictures have no score under {condition}; has the corpus changed since?"
        f" `nsnet results remove {detector}`, then import scores of all of them"
    )
