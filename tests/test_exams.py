"""Training sets that are drawn: no run is judged on pictures or generators it was trained on; means against loops."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from nsnet.core.contracts import make
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.contracts import Predictions
from nsnet.evaluation.exams import Exams, trained_pictures
from nsnet.evaluation.means import benchmark, benchmark_draws, population, population_draws
from nsnet.evaluation.resampling import generator_draws, seed_draws
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from tests.synthetic import SETTINGS, runs

GENERATORS = ("a", "b", "c", "d")
# Draw to the generators that it trains on, and to the reals.
DRAWN = {0: ("a",), 1: ("b",), 2: ("a", "c")}
REALS = {0: range(4), 1: range(3, 8), 2: range(10, 13)}


def corpus() -> pl.DataFrame:
    common: dict[str, Any] = {
        "suite": "s",
        "real_pool": "pool",
        "class_name": None,
        "caption": None,
        "caption_source": None,
    }
    common |= {"source": None, "cluster": None, "in_domain_for": []}
    tested = {"split": "test", "training_set": None, "draw": None}
    real = {"generator": "photos", "family": "real", "label": 0}
    rows: list[dict[str, Any]] = [common | tested | real | {"image_id": f"r{n:02}"} for n in range(20)]
    for name in GENERATORS:
        fake = {"generator": name, "family": "f", "label": 1}
        rows += [common | tested | fake | {"image_id": f"{name}{n}"} for n in range(6)]
        for draw, names in DRAWN.items():
            place = {"training_set": "biased", "draw": draw}
            splits = {n: "validation" if n == 0 else "train" for n in range(6)}
            rows += [
                common | place | fake | {"image_id": f"{name}{n}", "split": split}
                for n, split in splits.items()
                if name in names
            ]
    for draw, numbers in REALS.items():
        place = {"training_set": "biased", "draw": draw}
        rows += [
            common | place | real | {"image_id": f"r{n:02}", "split": "validation" if n == numbers[0] else "train"}
            for n in numbers
        ]
    return make(Samples, rows)


def trained() -> pl.DataFrame:
    return runs(("biased",)).filter(pl.col("detector").is_in(["nsnet", "nsnet-plain"]))


@pytest.fixture(scope="module")
def whole() -> tuple[Exams, pl.DataFrame, pl.DataFrame, Evaluation]:
    samples = corpus()
    exams = Exams(contests_of(samples), trained_pictures(samples))
    rng = np.random.default_rng(5)
    rows = []
    for run in trained().to_dicts():
        for condition in SETTINGS.conditions:
            for name in exams.tested(run):
                score = float(np.clip(rng.normal(0.45 + 0.2 * (name[0] != "r"), 0.2), 0, 1).round(2))
                place = {"run_id": run["run_id"], "image_id": name, "condition": condition, "split": "test"}
                rows.append(place | {"score": score})
    scores = make(Predictions, rows)
    found = evaluate_runs(trained(), exams, scores, SETTINGS, {"code_checksum": "c", "data_checksum": "d"})
    return exams, trained(), scores, found


def test_a_run_is_judged_on_what_it_was_not_trained_on(whole: Any) -> None:
    exams, rows, _, found = whole
    for run in rows.to_dicts():
        seed = run["seed"]
        names = [one.pairing.generator for one, fought in zip(exams.contests, exams.fought(run), strict=True) if fought]
        assert names == [name for name in GENERATORS if name not in DRAWN[seed]]
        reals = {f"r{n:02}" for n in range(20)} - {f"r{n:02}" for n in REALS[seed]}
        assert set(exams.tested(run)) == reals | {f"{name}{n}" for name in names for n in range(6)}
        assert exams.trained(run).validation == tuple(
            sorted([f"r{REALS[seed][0]:02}", *(f"{name}0" for name in DRAWN[seed])])
        )
        results = found.results.filter(run_id=run["run_id"])
        assert set(results["generator"]) == set(names)
        assert set(results["n_real"]) == {len(reals)}


def test_other_pictures_of_a_drawn_sets_generator_are_not_judged() -> None:
    """A biased set leaves pictures of its generators over; a table that was drawn from its suite holds them."""
    whole = corpus()
    left = whole.filter(pl.col("split") == "test").with_columns(
        suite=pl.lit("s-swapped"),
        image_id=pl.when(pl.col("label") == 1).then("image_id" + pl.lit("x")).otherwise("image_id"),
    )
    samples = pl.concat([whole, left])
    exams = Exams(contests_of(samples), trained_pictures(samples))
    for run in trained().to_dicts():
        judged = [one.pairing for one, fought in zip(exams.contests, exams.fought(run), strict=True) if fought]
        assert {pair.suite for pair in judged} == {"s", "s-swapped"}
        assert {pair.generator for pair in judged} == set(GENERATORS) - set(DRAWN[run["seed"]])


def test_what_may_leak_is_judged_where_nothing_was_drawn() -> None:
    """`corpus.allow_leakage` lets test pictures be trained on: they count, and the generator does not vanish."""
    leaking = corpus().with_columns(draw=pl.lit(None, pl.Int32))
    exams = Exams(contests_of(leaking), trained_pictures(leaking))
    for run in trained().to_dicts():
        assert all(exams.fought(run)) and len(exams.tested(run)) == 20 + 4 * 6
        assert exams.draws("biased") == [None] and exams.trained(run).validation


def test_more_seeds_than_draws_take_turns() -> None:
    exams = Exams(contests_of(corpus()), trained_pictures(corpus()))
    assert exams.draws("biased") == [0, 1, 2] and exams.draws("elsewhere") == [None]
    runs_of = [{"training_set": "biased", "seed": seed} for seed in range(6)]
    assert [exams.fought(run) for run in runs_of[:3]] == [exams.fought(run) for run in runs_of[3:]]
    assert exams.fought(runs_of[0]) != exams.fought(runs_of[1])


def test_runs_of_another_corpus_are_judged_on_all() -> None:
    exams = Exams(contests_of(corpus()), {})
    run = trained().row(0, named=True)
    assert all(exams.fought(run)) and len(exams.tested(run)) == 20 + 4 * 6


def test_the_mean_is_over_draws_of_the_mean_over_their_held_out_generators(whole: Any) -> None:
    exams, rows, scores, found = whole
    by_image = {(run, name): score for run, name, score in scores.filter(condition="clean").select(
        "run_id", "image_id", "score").iter_rows()}  # fmt: skip
    means = {}
    for detector in ("nsnet", "nsnet-plain"):
        seeds = []
        for run in rows.filter(detector=detector).to_dicts():
            tested = exams.tested(run)
            right = [by_image[run["run_id"], name] < 0.5 for name in tested if name[0] == "r"]
            accuracies = []
            for generator in GENERATORS:
                fakes = [by_image[run["run_id"], name] >= 0.5 for name in tested if name[0] == generator]
                accuracies += [(np.mean(right) + np.mean(fakes)) / 2] if fakes else []
            seeds.append(np.mean(accuracies))
        means[detector] = seeds
    place = {"group": "held-out", "metric": "acc", "condition": "clean"}
    for detector, seeds in means.items():
        row = found.means.filter(detector=detector, **place).row(0, named=True)
        assert row["value"] == pytest.approx(np.mean(seeds), abs=1e-12)  # rounding
        assert row["ci_low"] < row["value"] < row["ci_high"] and row["n_seeds"] == 3
        assert row["n_generators"] == 4 and row["population_low"] < row["ci_high"]
    pair = found.differences.filter(detector="nsnet", reference="nsnet-plain", **place).row(0, named=True)
    assert pair["difference"] == pytest.approx(
        np.mean(means["nsnet"]) - np.mean(means["nsnet-plain"]), abs=1e-12
    )  # rounding
    only = found.means.filter(detector="nsnet", metric="acc", condition="clean", group="generator:s/c")
    assert only["n_seeds"].to_list() == [2]  # draw 2 was trained on c


def test_draws_with_holes_equal_a_loop(rng: np.random.Generator) -> None:
    values = rng.random((3, 5, 41))
    values[0, [0, 1]] = values[1, 2] = values[2, [1, 2, 3, 4]] = math.nan
    seeds, generators = seed_draws(3, 40, 0, "x"), generator_draws(5, 40, 0, "x")
    fixed, drawn = benchmark_draws(values, seeds), population_draws(values, seeds, generators)
    empty = 0
    for draw in range(41):
        by_seed = [np.nanmean(values[s, :, draw]) for s in range(3)]
        assert fixed[draw] == pytest.approx(np.dot(by_seed, seeds[draw]), abs=1e-13)  # rounding
        total = weight = 0.0
        for s in range(3):
            mine = [g for g in range(5) if not math.isnan(values[s, g, 0])]
            drawn_of = sum(generators[draw, g] for g in mine)
            if drawn_of > 0:
                total += seeds[draw, s] * sum(generators[draw, g] * values[s, g, draw] for g in mine) / drawn_of
                weight += seeds[draw, s]
        empty += weight == 0
        assert drawn[draw] == pytest.approx(total / weight if weight else drawn[0], abs=1e-13)  # rounding
    assert empty > 0  # seed 2 alone was drawn, and none of its one generator
    mean = population(values, seeds, generators)
    assert mean is not None and not np.isnan(mean.draws).any() and not math.isnan(mean.variance)
    assert benchmark(values, seeds).variance > 0
