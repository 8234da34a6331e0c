"""One evaluation against an earlier one: which detectors score otherwise, and what that changes, paired."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from nsnet.evaluation.contests import HELD_OUT, Contest, contests_of, groups_of, pictures_of
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.means import difference_estimate
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.statistics import contest_draws, scores_of
from nsnet.evaluation.summaries import Row, bounded, difference_of, summaries_of
from nsnet.evaluation.units import Resampler

WATCHED = ("acc", "ap")
DETECTOR = ["training_set", "train_condition", "detector"]
# Before the names of detectors while both sides are at hand.
NOW, BEFORE = "now ", "before "


@dataclass(frozen=True)
class Scored:
    """The tables runs, external detectors among them, and predictions of an evaluation."""

    runs: pl.DataFrame
    predictions: pl.DataFrame

    def tested(self) -> pl.DataFrame:
        """Scores of test pictures, each with the detector and the seed that gave it."""
        rows = self.predictions.filter(split="test").join(self.runs.select("run_id", "seed", *DETECTOR), on="run_id")
        return rows.select(*DETECTOR, "seed", "condition", "image_id", "score")


def changed_detectors(now: Scored, before: Scored) -> list[Row]:
    """Detectors of both evaluations with another score, or another seed, on a picture that both tested.

    Args:
        now, before: both evaluations.

    Returns:
        Dicts with the columns `DETECTOR` and condition, in order.
    """
    keys = [*DETECTOR, "seed", "condition", "image_id"]
    one, other = now.tested(), before.tested()
    shared = pl.Series(sorted(set(one["image_id"]) & set(other["image_id"])), dtype=pl.String).implode()
    place = [*DETECTOR, "condition"]
    sides = [side.filter(pl.col("image_id").is_in(shared)) for side in (one, other)]
    both = sides[0].select(place).unique().join(sides[1].select(place).unique(), on=place)
    joined = sides[0].join(sides[1], on=keys, how="full", coalesce=True, suffix="_before")
    other_scores = joined.filter(pl.col("score").ne_missing(pl.col("score_before"))).select(place).unique()
    return other_scores.join(both, on=place, how="semi").sort(place).to_dicts()


def changes_between(now: Scored, before: Scored, samples: pl.DataFrame, settings: Evaluate) -> list[Row]:
    """What has changed by held-out generator and in the mean over all of them: now minus before, paired.

    Pictures are those that both scored, in the draws of every other table; seeds pair up where
    there are as many. Detectors whose scores are the same have no row: their change is 0.

    Args:
        now, before: both evaluations.
        samples: the table samples of now.
        settings: draws and their seed.

    Returns:
        Columns of the table night_changes but for night; generator is None for the mean.

    Raises:
        ValueError: a run lacks scores of pictures; no picture is common to both.
    """
    changed = changed_detectors(now, before)
    if not changed:
        return []
    sides = (now.tested(), before.tested())
    shared = set(sides[0]["image_id"]) & set(sides[1]["image_id"])
    kept = samples.filter((pl.col("split") != "test") | pl.col("image_id").is_in(pl.Series(sorted(shared)).implode()))
    # A generator needs fakes and reals on both sides.
    contests = contests_of(_with_reals(kept))
    exams = Exams(contests, trained_pictures(samples))
    resampler = Resampler((contest.pairing for contest in contests), settings)
    rows: list[Row] = []
    places: dict[tuple[str, str, str], list[str]] = {}
    for one in changed:
        places.setdefault((one["condition"], *(one[key] for key in DETECTOR[:2])), []).append(one["detector"])
    for (condition, training_set, train_condition), detectors in sorted(places.items()):
        labels = {"training_set": training_set, "train_condition": train_condition, "condition": condition}
        trained, scores = [], []
        for side, scored in ((NOW, now), (BEFORE, before)):
            members = scored.runs.filter(
                pl.col("detector").is_in(detectors), training_set=training_set, train_condition=train_condition
            ).sort("detector", "seed")
            mine = members.to_dicts()
            scores.append(scores_of(scored.predictions, mine, exams, condition, pictures_of(contests)))
            trained += [run | {"detector": side + run["detector"]} for run in mine]
        rows += [labels | row for row in _compared(trained, np.vstack(scores), exams, resampler, settings)]
    return rows


def _with_reals(samples: pl.DataFrame) -> pl.DataFrame:
    """Without test fakes whose pool has no real left, and pools without a fake."""
    tested = samples.filter(split="test")
    pools = tested.group_by("suite", "real_pool").agg(pl.col("label").n_unique().alias("labels")).filter(labels=2)
    rest = samples.filter(pl.col("split") != "test")
    return pl.concat([rest, tested.join(pools, on=["suite", "real_pool"], how="semi", maintain_order="left")])


def _compared(
    trained: list[Row], scores: np.ndarray, exams: Exams, resampler: Resampler, settings: Evaluate
) -> Iterator[Row]:
    """Both sides of some detectors of a training set, as differences."""
    tested = pictures_of(exams.contests)
    drawn, _ = contest_draws(trained, exams, tested, scores, resampler, settings)
    judged = [any(one) for one in zip(*map(exams.fought, trained), strict=True)]
    training_set = trained[0]["training_set"]
    for group in groups_of(exams.contests, training_set, judged):
        first = exams.contests[group.members[0]]
        generator = _generator(first, group.name, training_set)
        if group.name != HELD_OUT and generator is None:
            continue
        for metric in WATCHED:
            found = summaries_of(trained, drawn, group, metric, settings)
            for name, one in found.items():
                detector = name.removeprefix(NOW)
                if detector == name or (other := found.get(BEFORE + detector)) is None:
                    continue
                near, _ = difference_of(one, other, group, settings)
                bounds = bounded(difference_estimate(near, one.benchmark, other.benchmark, one.size), -1)
                row = {"suite": group.table, "detector": detector, "generator": generator, "metric": metric}
                yield row | {"difference": bounds.pop("value"), **bounds}


def _generator(contest: Contest, group: str, training_set: str) -> str | None:
    """The held-out generator that a group is of, if it is of one."""
    return contest.pairing.generator if group.startswith("generator:") and not contest.seen_by(training_set) else None
