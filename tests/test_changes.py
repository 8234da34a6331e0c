"""One evaluation against an earlier one: shares against a loop, intervals against a bootstrap picture by picture."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import balanced_accuracy_score

from nsnet.evaluation.changes import Scored, changed_detectors, changes_between
from nsnet.evaluation.contests import contests_of
from tests import synthetic

SETTINGS = synthetic.SETTINGS.model_copy(update={"bootstrap": 2000})
PLACE = {"training_set": "biased", "train_condition": "clean", "condition": "clean", "detector": "nsnet"}


@pytest.fixture(scope="module")
def corpus() -> pl.DataFrame:
    return synthetic.samples()


@pytest.fixture(scope="module")
def before(corpus: pl.DataFrame) -> Scored:
    runs = synthetic.runs()
    return Scored(runs, synthetic.predictions(runs, corpus))


def moved(scored: Scored, image_ids: list[str], score: float, seeds: tuple[int, ...] = (0, 1, 2)) -> Scored:
    """The same evaluation, but that nsnet on biased gives some clean pictures another score."""
    theirs = pl.col("run_id").is_in([f"biased-nsnet-{seed}" for seed in seeds])
    there = theirs & (pl.col("condition") == "clean") & pl.col("image_id").is_in(image_ids)
    return Scored(
        scored.runs,
        scored.predictions.with_columns(pl.when(there).then(score).otherwise(pl.col("score")).alias("score")),
    )


def test_equal_evaluations_have_no_changes_whatever_their_runs_are_called(before: Scored, corpus: pl.DataFrame) -> None:
    renamed = Scored(
        before.runs.with_columns(pl.lit("x").add(pl.col("run_id")).alias("run_id")),
        before.predictions.with_columns(pl.lit("x").add(pl.col("run_id")).alias("run_id")),
    )
    assert changed_detectors(renamed, before) == [] and changes_between(renamed, before, corpus, SETTINGS) == []


def test_only_what_scores_otherwise_is_compared_and_each_difference_is_that_of_a_loop(
    before: Scored, corpus: pl.DataFrame
) -> None:
    fakes = [f"blur{number:02}" for number in range(6)]
    now = moved(before, fakes, 0.0, seeds=(0, 1))
    assert changed_detectors(now, before) == [PLACE]
    rows = changes_between(now, before, corpus, SETTINGS)
    assert all({key: row[key] for key in PLACE} == PLACE for row in rows)
    held_out = {"blur", "grid", "noise", "ring"}
    assert {row["generator"] for row in rows} == held_out | {None}
    found = {(row["generator"], row["metric"]): row for row in rows}
    by_generator = {}
    for contest in contests_of(corpus):
        pair, values = contest.pairing, []
        for seed in (0, 1, 2):
            accuracies = []
            for side in (now, before):
                scores = dict(
                    side.predictions.filter(run_id=f"biased-nsnet-{seed}", condition="clean", split="test")
                    .select("image_id", "score")
                    .iter_rows()
                )
                called = [scores[name] >= 0.5 for name in (*pair.real, *pair.fake)]
                labels = [False] * len(pair.real) + [True] * len(pair.fake)
                accuracies.append(balanced_accuracy_score(labels, called))
            values.append(accuracies[0] - accuracies[1])
        by_generator[pair.generator] = np.mean(values)
    for generator in held_out:
        assert found[generator, "acc"]["difference"] == pytest.approx(by_generator[generator], abs=1e-12)
    mean = np.mean([by_generator[generator] for generator in held_out])
    assert found[None, "acc"]["difference"] == pytest.approx(mean, abs=1e-12)
    assert found["grid", "acc"]["difference"] == 0.0
    assert found["blur", "acc"]["ci_low"] < found["blur", "acc"]["difference"] < found["blur", "acc"]["ci_high"]


def test_its_interval_is_that_of_a_paired_bootstrap(before: Scored, corpus: pl.DataFrame) -> None:
    """One changed seed of each: pictures are drawn, both sides on the same ones."""
    single = Scored(before.runs.filter(seed=0), before.predictions.filter(pl.col("run_id").str.ends_with("-0")))
    now = moved(single, [f"ring{number:02}" for number in range(12)], 0.1)
    [row] = [
        row
        for row in changes_between(now, single, corpus, SETTINGS)
        if row["generator"] == "ring" and row["metric"] == "acc"
    ]
    rng = np.random.default_rng(0)
    of = {}
    for side, scored in (("now", now), ("before", single)):
        scores = scored.predictions.filter(run_id="biased-nsnet-0", condition="clean", split="test")
        of[side] = dict(scores.select("image_id", "score").iter_rows())
    ring = [name for name in of["now"] if name.startswith("ring")]
    moves = np.array([(of["now"][name] >= 0.5) - (of["before"][name] >= 0.5) for name in ring], dtype=float) / 2
    draws = [moves[rng.integers(0, len(moves), len(moves))].mean() for _ in range(4000)]
    assert row["difference"] == pytest.approx(moves.mean(), abs=1e-12)
    # The interval is of Newcombe's form with the bootstrap's variance: wider than percentiles near the edge, by half
    # of the deviation at most here, and never on the other side of the draws' middle.
    low, high = np.quantile(draws, [0.025, 0.975])
    assert row["ci_low"] == pytest.approx(low, abs=np.std(draws)) and row["ci_high"] == pytest.approx(
        high, abs=np.std(draws)
    )


def test_pictures_and_generators_that_one_side_lacks_are_left_out(before: Scored, corpus: pl.DataFrame) -> None:
    fewer = Scored(before.runs, before.predictions.filter(~pl.col("image_id").str.starts_with("grid")))
    now = moved(before, ["blur00", "grid00"], 0.0)
    rows = changes_between(now, fewer, corpus, SETTINGS)
    assert {row["generator"] for row in rows} == {"blur", "noise", "ring", None}
    assert changed_detectors(moved(before, ["grid00"], 0.0), fewer) == []


def test_other_numbers_of_seeds_are_compared_unpaired(before: Scored, corpus: pl.DataFrame) -> None:
    fewer = Scored(before.runs.filter(~pl.col("run_id").is_in(["biased-nsnet-2"])), before.predictions)
    rows = changes_between(before, fewer, corpus, SETTINGS)
    assert {row["detector"] for row in rows} == {"nsnet"} and {row["condition"] for row in rows} == {"clean", "jpeg50"}
