"""Decisions that change when the same picture is shown under another condition: flip rates with intervals."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator

import numpy as np
import polars as pl
from jaxtyping import Bool

from nsnet.core.contracts import make
from nsnet.evaluation.contests import Contest, pictures_of
from nsnet.evaluation.contracts import FlipRate
from nsnet.evaluation.means import Array, benchmark, estimate
from nsnet.evaluation.resampling import resamples
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.statistics import scores_of
from nsnet.evaluation.summaries import Row, bounded, seed_weights
from nsnet.features.conditions import CLEAN

LABELS = {"real": ["real"], "fake": ["fake"], "all": ["real", "fake"]}
FLIPS = {"real->fake": ["real->fake"], "fake->real": ["fake->real"], "any": ["real->fake", "fake->real"]}


def flip_rates(
    runs: pl.DataFrame, contests: list[Contest], predictions: pl.DataFrame, settings: Evaluate
) -> pl.DataFrame:
    """Share of test pictures of which a run says another thing than of the same pictures as they are (`clean`).

    A run says fake where its score is at or above its own threshold. Pictures are resampled by
    generator and by pool, in the same draws as for results, each with both of its decisions;
    training seeds in the same draws as for means.

    Args:
        runs: the table runs.
        contests: from `contests_of`.
        predictions: the table predictions; those of the test split are looked at.
        settings: draws, their seed and the conditions.

    Returns:
        The table flip_rate; empty unless `clean` and another one are among the conditions.

    Raises:
        ValueError: a run lacks scores of test pictures.
    """
    keys, rows, tested = ["training_set", "train_condition"], [], pictures_of(contests)
    others = [name for name in settings.conditions if name != CLEAN.name]
    compared = others and CLEAN.name in settings.conditions
    for place, members in sorted(runs.partition_by(keys, as_dict=True).items()) if compared else ():
        trained = members.sort("detector", "seed").to_dicts()
        called = [_called_fake(predictions, trained, name, tested) for name in (CLEAN.name, *others)]
        common = dict(zip(keys, place, strict=True))
        for suite, fights in itertools.groupby(contests, key=lambda contest: contest.pairing.suite):
            sizes, drawn = _flipped(list(fights), tested, called[0], np.stack(called[1:]), settings)
            rows += [
                {**common, "suite": suite, "condition": condition, **row}
                for number, condition in enumerate(others)
                for row in _rates(trained, sizes, {key: draws[number] for key, draws in drawn.items()}, settings)
            ]
    return make(FlipRate, rows).sort([*keys, "suite", "condition", "detector", "label", "flip"])


def _called_fake(
    predictions: pl.DataFrame, trained: list[Row], condition: str, tested: list[str]
) -> Bool[np.ndarray, "runs pictures"]:
    """Which pictures each run calls fake, at its own threshold."""
    thresholds = np.array([run["threshold"] for run in trained])
    return scores_of(predictions, [run["run_id"] for run in trained], condition, tested) >= thresholds[:, None]


def _flipped(
    contests: list[Contest],
    tested: list[str],
    before: Bool[np.ndarray, "runs pictures"],
    after: Bool[np.ndarray, "conditions runs pictures"],
    settings: Evaluate,
) -> tuple[Counter[str], dict[tuple[str, str], Array]]:
    """Pictures of a suite by label, and how many flip in each draw by label and flip: (conditions, runs, 1 + draws)."""
    position = {image_id: number for number, image_id in enumerate(tested)}
    sizes: Counter[str] = Counter()
    drawn: dict[tuple[str, str], Array] = defaultdict(lambda: np.zeros((*after.shape[:2], 1 + settings.bootstrap)))
    for label, name, image_ids in _strata(contests):
        places = np.array([position[image_id] for image_id in image_ids])
        weights = resamples(len(places), settings.bootstrap, settings.seed, name).T
        sizes[label] += len(places)
        was, now = before[:, places], after[..., places]
        for flip, moved in (("real->fake", ~was & now), ("fake->real", was & ~now)):
            drawn[label, flip] += moved.astype(np.float32) @ weights  # whole numbers, exact below 2^24 pictures
    return sizes, drawn


def _strata(contests: list[Contest]) -> Iterator[tuple[str, str, list[str]]]:
    """Label, name of the resamples and pictures of every pool, each once, and every generator."""
    for contest in {contest.pool: contest for contest in contests}.values():
        yield "real", f"real/{'/'.join(contest.pool)}", contest.pairing.real
    for contest in contests:
        yield "fake", f"fake/{contest.pairing.name}", contest.pairing.fake


def _rates(
    trained: list[Row], sizes: Counter[str], drawn: dict[tuple[str, str], Array], settings: Evaluate
) -> Iterator[Row]:
    """Columns that differ between detectors, labels and flips; `drawn` is (runs, 1 + draws) here."""
    for detector, members in itertools.groupby(range(len(trained)), key=lambda number: trained[number]["detector"]):
        mine = list(members)
        seeds = seed_weights(len(mine), settings.bootstrap, settings.seed)
        for (label, labels), (flip, flips) in itertools.product(LABELS.items(), FLIPS.items()):
            n = sum(sizes[each] for each in labels)
            counts = sum(drawn[key][mine] for key in itertools.product(labels, flips))
            figures = bounded(estimate(benchmark(np.expand_dims(counts / n, 1), seeds), n), 0)
            yield {"detector": detector, "label": label, "flip": flip, "n": n, "n_seeds": len(mine), **figures}
