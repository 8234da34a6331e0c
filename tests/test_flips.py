"""Flip rates against a plain loop over predictions, and their intervals against a loop over draws."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest

from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.exams import Exams, Pictures
from nsnet.evaluation.flips import flip_rates
from nsnet.evaluation.intervals import share_interval
from nsnet.evaluation.means import benchmark, estimate
from nsnet.evaluation.resampling import resamples, seed_draws
from nsnet.evaluation.units import Resampler
from tests.synthetic import SETTINGS, predictions, runs, samples

KEY = ("training_set", "detector", "condition", "label", "flip")
CONTESTS = contests_of(samples())
EXAMS = Exams(CONTESTS, {})
LABELS, FLIPS = ("real", "fake", "all"), ("real->fake", "fake->real", "any")
# Sums of some tens of terms below 1 in another order.
EXACT = 1e-12


@pytest.fixture(scope="module")
def scored() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Runs with thresholds of their own, that some scores are equal to, and predictions."""
    trained = runs().with_columns(threshold=(0.3 + 0.05 * pl.int_range(pl.len()).mod(7)).round(2))
    return trained, predictions(trained, samples())


def moves(trained: pl.DataFrame, scores: pl.DataFrame, run_id: str, condition: str) -> dict[str, str]:
    """Picture to its flip, by a loop; no flip is the empty word."""
    [threshold] = trained.filter(run_id=run_id)["threshold"]
    called: dict[tuple[str, str], str] = {}
    for row in scores.filter(run_id=run_id, split="test").to_dicts():
        called[row["image_id"], row["condition"]] = "fake" if row["score"] >= threshold else "real"
    found = {}
    for image_id in {name for name, _ in called}:
        before, after = called[image_id, "clean"], called[image_id, condition]
        found[image_id] = "" if before == after else f"{before}->{after}"
    return found


def test_rates_equal_a_loop_over_predictions(scored: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    trained, scores = scored
    labels = dict(samples().filter(split="test").select("image_id", "label").iter_rows())
    found = {tuple(row[name] for name in KEY): row for row in flip_rates(trained, EXAMS, scores, SETTINGS).to_dicts()}
    expected = set()
    for (training_set, detector), members in trained.partition_by("training_set", "detector", as_dict=True).items():
        by_run = [moves(trained, scores, run_id, "jpeg50") for run_id in members["run_id"]]
        for label, flip in itertools.product(LABELS, FLIPS):
            mine = [name for name in labels if label == "all" or labels[name] == (label == "fake")]
            shares = []
            for flips in by_run:
                shares.append(sum(flips[name] != "" and flip in ("any", flips[name]) for name in mine) / len(mine))
            row = found[training_set, detector, "jpeg50", label, flip]
            assert row["value"] == pytest.approx(sum(shares) / len(shares), abs=EXACT)
            assert (row["n"], row["n_seeds"]) == (len(mine), members.height)
            assert row["ci_low"] <= row["value"] <= row["ci_high"] and row["ci_low"] < row["ci_high"]
            expected.add((training_set, detector, "jpeg50", label, flip))
    assert set(found) == expected and len({row["value"] for row in found.values()}) > 20


def test_intervals_resample_pictures_by_stratum_and_seeds(scored: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    trained, scores = scored
    rates = flip_rates(trained, EXAMS, scores, SETTINGS)
    ids = trained.filter(training_set="biased", detector="nsnet").sort("seed")["run_id"]
    by_run = [moves(trained, scores, run_id, "jpeg50") for run_id in ids]
    strata = {"real/lab/real": CONTESTS[0].pairing.real}
    strata |= {f"fake/{contest.pairing.name}": contest.pairing.fake for contest in CONTESTS}
    for label, kept in (("all", ("real/", "fake/")), ("fake", ("fake/",))):
        chosen = {name: names for name, names in strata.items() if name.startswith(kept)}
        n = sum(map(len, chosen.values()))
        values = np.zeros((len(ids), 1, 1 + SETTINGS.bootstrap))
        for name, names in chosen.items():
            counts = resamples(len(names), SETTINGS.bootstrap, SETTINGS.seed, name)
            for (number, flips), draw in itertools.product(enumerate(by_run), range(1 + SETTINGS.bootstrap)):
                values[number, 0, draw] += sum(
                    int(times) * (flips[picture] == "real->fake") / n
                    for picture, times in zip(names, counts[draw], strict=True)
                )
        mean = benchmark(values, seed_draws(len(ids), SETTINGS.bootstrap, SETTINGS.seed, "runs"))
        expected = estimate(mean, n)
        [row] = rates.filter(training_set="biased", detector="nsnet", label=label, flip="real->fake").to_dicts()
        figures = [row[name] for name in ("value", "ci_low", "ci_high")]
        assert figures == pytest.approx([expected.value, expected.low, expected.high], abs=EXACT)


def test_the_same_scores_flip_nothing_and_the_interval_is_that_of_none_of_n() -> None:
    trained = runs().head(1)
    scores = predictions(trained, samples())
    same = scores.filter(condition="clean", split="test")
    twice = pl.concat([same, same.with_columns(condition=pl.lit("jpeg50"))])
    rates = flip_rates(trained, EXAMS, twice, SETTINGS)
    assert rates.height == len(LABELS) * len(FLIPS) and rates["value"].max() == 0
    for row in rates.to_dicts():
        assert (row["ci_low"], row["ci_high"]) == share_interval(0, row["n"])


@pytest.mark.parametrize("conditions", [["clean"], ["jpeg50"]])
def test_without_two_conditions_of_which_one_is_clean_there_are_no_flips(conditions: list[str]) -> None:
    trained, settings = runs().head(1), SETTINGS.model_copy(update={"conditions": conditions})
    assert flip_rates(trained, EXAMS, predictions(trained, samples()), settings).is_empty()


def test_missing_scores_are_named() -> None:
    trained = runs().head(1)
    scores = predictions(trained, samples()).filter((pl.col("condition") == "clean") | (pl.col("image_id") != "real03"))
    with pytest.raises(ValueError, match=r"run biased-nsnet-0 has no score of 1 of \d+ test pictures under jpeg50"):
        flip_rates(trained, EXAMS, scores, SETTINGS)


def test_pictures_that_a_run_was_trained_on_do_not_count(scored: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """Seed 0 has seen two reals and a generator, seed 1 all reals but one: shares are of what is left of each."""
    trained, scores = scored[0].filter(pl.col("seed") < 2, training_set="biased", detector="nsnet"), scored[1]
    blur = next(contest.pairing.fake for contest in CONTESTS if contest.pairing.generator == "blur")
    reals = CONTESTS[0].pairing.real
    seen = {0: frozenset({*reals[:2], *blur}), 1: frozenset(reals[:-1])}
    exams = Exams(CONTESTS, {("biased", seed): Pictures(names) for seed, names in seen.items()})
    parts = [
        scores.filter(pl.col("image_id").is_in(exams.tested(run)), run_id=run["run_id"]) for run in trained.to_dicts()
    ]
    rates = flip_rates(trained, exams, pl.concat(parts), SETTINGS)
    for label, names in (("real", reals), ("fake", [name for one in CONTESTS for name in one.pairing.fake])):
        shares = []
        for run_id, known in zip(trained.sort("seed")["run_id"], seen.values(), strict=True):
            flips = moves(trained, scores, run_id, "jpeg50")
            left = [name for name in names if name not in known]
            shares.append(sum(flips[name] != "" for name in left) / len(left))
        [row] = rates.filter(label=label, flip="any").to_dicts()
        assert row["value"] == pytest.approx(sum(shares) / 2, abs=EXACT) and row["n_seeds"] == 2
        assert row["n"] == len(set(names) - (seen[0] & seen[1]))


def test_fakes_of_one_prompt_are_drawn_together(scored: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    """Against a loop over the draws of prompts, each draw a share of what it holds."""
    trained, scores = scored
    prompt = pl.when((pl.col("label") == 1) & (pl.col("split") == "test")).then(pl.col("image_id").str.slice(-1))
    contests = contests_of(samples().with_columns(cluster=prompt))
    rates = flip_rates(trained, Exams(contests, {}), scores, SETTINGS)
    ids = trained.filter(training_set="biased", detector="nsnet").sort("seed")["run_id"]
    by_run = [moves(trained, scores, run_id, "jpeg50") for run_id in ids]
    resampler = Resampler([contest.pairing for contest in contests], SETTINGS)
    counts = {contest.pairing.name: resampler.fakes(contest.pairing) for contest in contests}
    values = np.zeros((len(ids), 1, 1 + SETTINGS.bootstrap))
    for (number, flips), draw in itertools.product(enumerate(by_run), range(1 + SETTINGS.bootstrap)):
        held = [
            (int(times), flips[picture] == "fake->real")
            for contest in contests
            for picture, times in zip(contest.pairing.fake, counts[contest.pairing.name][draw], strict=True)
        ]
        values[number, 0, draw] = sum(times * flip for times, flip in held) / sum(times for times, _ in held)
    mean = benchmark(values, seed_draws(len(ids), SETTINGS.bootstrap, SETTINGS.seed, "runs"), 10)
    expected = estimate(mean, 10)
    [row] = rates.filter(training_set="biased", detector="nsnet", label="fake", flip="fake->real").to_dicts()
    figures = [row[name] for name in ("value", "ci_low", "ci_high")]
    assert figures == pytest.approx([expected.value, expected.low, expected.high], abs=EXACT)
    assert row["n_clusters"] == 10 and row["n"] == sum(len(contest.pairing.fake) for contest in contests)
    assert rates.filter(label="real")["n_clusters"].null_count() == rates.filter(label="real").height
