"""Decisions that change when the same picture is shown under another condition: flip rates with intervals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool

from nsnet.core.contracts import make
from nsnet.evaluation.contests import Contest, pictures_of
from nsnet.evaluation.contracts import FlipRate
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.means import Array, benchmark, estimate
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.statistics import scores_of, shown_under
from nsnet.evaluation.summaries import Row, bounded, seed_weights
from nsnet.evaluation.units import Resampler, units_of
from nsnet.features.conditions import CLEAN


@dataclass(frozen=True)
class Drawn:
    """What a suite's pictures do under a condition, by label.

    Attributes:
        judged: which pictures each run is judged on, bool (runs, pictures).
        sizes: how many of them each draw holds, (runs, 1 + draws), entry 0 the sample's.
        flips: how many of those flip, by flip, (runs, 1 + draws).
    """

    judged: Bool[np.ndarray, "runs pictures"]
    sizes: Array
    flips: dict[str, Array]


def flip_rates(runs: pl.DataFrame, exams: Exams, predictions: pl.DataFrame, settings: Evaluate) -> pl.DataFrame:
    """Share of test pictures of which a run says another thing than of the same pictures as they are (`clean`).

    A run says fake where its score is at or above its own threshold. Pictures are resampled by
    generator and by pool, in the same draws and clusters as for results, each with both of its
    decisions; training seeds in the same draws as for means.

    Args:
        runs: the table runs.
        exams: of the corpus; pictures that a run is not judged on do not count.
        predictions: the table predictions; those of the test split are looked at.
        settings: draws, their seed and the conditions.

    Returns:
        The table flip_rate; empty unless `clean` and another one are among the conditions.

    Raises:
        ValueError: a run lacks scores of test pictures.
    """
    keys, rows, tested = ["training_set", "train_condition"], [], pictures_of(exams.contests)
    resampler = Resampler([contest.pairing for contest in exams.contests], settings)
    others = [name for name in settings.conditions if name != CLEAN.name]
    compared = others and CLEAN.name in settings.conditions
    for place, members in sorted(runs.partition_by(keys, as_dict=True).items()) if compared else ():
        for condition in others:
            both = shown_under(shown_under(members, predictions, CLEAN.name), predictions, condition)
            trained = both.sort("detector", "seed").to_dicts()
            if not trained:
                continue
            thresholds = np.array([[run["threshold"]] for run in trained])
            before = scores_of(predictions, trained, exams, CLEAN.name, tested) - thresholds
            after = scores_of(predictions, trained, exams, condition, tested) - thresholds
            for suite, fights in itertools.groupby(exams.contests, key=lambda contest: contest.pairing.suite):
                contests = list(fights)
                drawn = _drawn(contests, tested, before, after, resampler)
                labels = {**dict(zip(keys, place, strict=True)), "suite": suite, "condition": condition}
                rows += [labels | row for row in _rates(trained, drawn, contests, exams, settings)]
    return make(FlipRate, rows).sort([*keys, "suite", "condition", "detector", "label", "flip"])


def _drawn(
    contests: list[Contest], tested: list[str], before: Array, after: Array, resampler: Resampler
) -> dict[str, Drawn]:
    """What the pictures of a suite do, by label; `before` and `after` are scores less thresholds, (runs, pictures).

    One stratum's resamples are held at a time, and made again for the next condition.
    """
    position = {image_id: number for number, image_id in enumerate(tested)}
    parts: dict[str, list[Drawn]] = {"real": [], "fake": []}
    pools = {contest.pool: contest.pairing for contest in contests}  # each once
    reals = (("real", pair.real, resampler.reals(pair)) for pair in pools.values())
    fakes = (("fake", one.pairing.fake, resampler.fakes(one.pairing)) for one in contests)
    for label, image_ids, counts in itertools.chain(reals, fakes):
        places = np.array([position[image_id] for image_id in image_ids])
        weights = counts.T.astype(np.float64)
        was, now = before[:, places], after[:, places]
        judged = ~np.isnan(was)
        moved = {"real->fake": (was < 0) & (now >= 0), "fake->real": (was >= 0) & (now < 0)}
        parts[label].append(Drawn(judged, judged @ weights, {flip: each @ weights for flip, each in moved.items()}))
    parts["all"] = [*parts["real"], *parts["fake"]]
    return {label: _together(each) for label, each in parts.items()}


def _together(parts: list[Drawn]) -> Drawn:
    judged = np.concatenate([part.judged for part in parts], axis=1)
    flips = {flip: np.sum([part.flips[flip] for part in parts], axis=0) for flip in parts[0].flips}
    flips["any"] = np.sum(list(flips.values()), axis=0)
    return Drawn(judged, np.sum([part.sizes for part in parts], axis=0), flips)


def _rates(
    trained: list[Row], drawn: dict[str, Drawn], contests: list[Contest], exams: Exams, settings: Evaluate
) -> Iterator[Row]:
    """Columns that differ between detectors, labels and flips; none of a detector that is judged on no picture."""
    names = [contest.pairing.name for contest in exams.contests]
    fought = dict(zip(names, zip(*map(exams.fought, trained), strict=True), strict=True))
    for detector, members in itertools.groupby(range(len(trained)), key=lambda number: trained[number]["detector"]):
        mine = list(members)
        units = units_of(one.pairing for one in contests if any(fought[one.pairing.name][number] for number in mine))
        whole = {"real": units.n_real, "fake": units.n_fake, "all": units.n_real + units.n_fake}
        for label, found in drawn.items():
            some = [number for number in mine if found.judged[number].any()]
            if not some:
                continue
            clusters = units.drawn({"real": "r_acc", "fake": "f_acc"}.get(label, "acc"))
            seeds = seed_weights(len(some), settings.bootstrap, settings.seed)
            sizes, n = found.sizes[some], int(found.judged[some].any(axis=0).sum())
            place = {"detector": detector, "label": label, "n": n, "n_clusters": clusters, "n_seeds": len(some)}
            for flip, counts in found.flips.items():
                # A draw that holds no picture that is judged tells nothing, and counts as the sample.
                sample = np.broadcast_to(counts[some, :1] / sizes[:, :1], sizes.shape)
                rates = np.divide(counts[some], sizes, out=sample.copy(), where=sizes > 0)
                mean = benchmark(rates[:, None], seeds, clusters)
                yield place | {"flip": flip} | bounded(estimate(mean, whole[label]), 0)
