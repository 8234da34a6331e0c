"""Results, means and differences of an evaluation against loops over draws and scikit-learn."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from nsnet.evaluation.contests import Contest, contests_of, groups_of, pictures_of
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.means import benchmark, estimate, population
from nsnet.evaluation.resampling import generator_draws, resamples, seed_draws
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.evaluation.units import Units
from tests.synthetic import DETECTORS, SETTINGS, evaluation, predictions, runs, samples

Whole = tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, Evaluation]
# Sums of some tens of terms below 1 in another order.
EXACT = 1e-12


@pytest.fixture(scope="module")
def whole() -> Whole:
    return evaluation()


def scores_of(scores: pl.DataFrame, run_id: str, condition: str) -> dict[str, float]:
    rows = scores.filter(run_id=run_id, condition=condition, split="test")
    return dict(rows.select("image_id", "score").iter_rows())


def sides(contest: Contest, scores: dict[str, float]) -> tuple[np.ndarray, np.ndarray]:
    pairing = contest.pairing
    return np.array([scores[name] for name in pairing.real]), np.array([scores[name] for name in pairing.fake])


def test_results_equal_scikit_learn(whole: Whole) -> None:
    corpus, trained, scores, found = whole
    rows = found.results.filter(run_id="biased-nsnet-1", condition="jpeg50")
    known = scores_of(scores, "biased-nsnet-1", "jpeg50")
    for contest in contests_of(corpus):
        real, fake = sides(contest, known)
        labels, both = np.repeat([0, 1], [len(real), len(fake)]), np.r_[real, fake]
        balance = np.r_[np.full(len(real), 1 / len(real)), np.full(len(fake), 1 / len(fake))]
        expected = {
            "acc": balanced_accuracy_score(labels, both >= 0.5),
            "acc_validation": balanced_accuracy_score(labels, both >= 0.45),
            "ap": average_precision_score(labels, both, sample_weight=balance),
            "auroc": roc_auc_score(labels, both),
            "plain_acc": float(((both >= 0.5) == labels).mean()),
            "plain_ap": average_precision_score(labels, both),
        }
        mine = rows.filter(generator=contest.pairing.generator)
        assert set(mine["n_real"]) == {24} and set(mine["n_fake"]) == {len(fake)}
        stored = dict(mine.select("metric", "value").iter_rows())
        assert {name: stored[name] for name in expected} == pytest.approx(expected, abs=EXACT)
    assert rows.filter((pl.col("ci_low") > pl.col("value")) | (pl.col("ci_high") < pl.col("value"))).is_empty()
    assert found.results.height == trained.height * 2 * 5 * 14
    assert set(found.results["n_clusters"]) == set(found.means["n_clusters"]) == {None}


def looped(whole: Whole, detector: str, members: list[Contest]) -> np.ndarray:
    """acc of a detector by seed, generator and draw on biased/clean, image by image."""
    _, trained, scores, _ = whole
    mine = trained.filter(training_set="biased", detector=detector).sort("seed")["run_id"].to_list()
    values = np.zeros((len(mine), len(members), 1 + SETTINGS.bootstrap))
    for (seed, run_id), (place, contest) in itertools.product(enumerate(mine), enumerate(members)):
        real, fake = sides(contest, scores_of(scores, run_id, "clean"))
        pairing = contest.pairing
        real_counts = resamples(len(real), SETTINGS.bootstrap, SETTINGS.seed, f"real/lab/{pairing.real_pool}")
        fake_counts = resamples(len(fake), SETTINGS.bootstrap, SETTINGS.seed, f"fake/{pairing.name}")
        for draw in range(1 + SETTINGS.bootstrap):
            reals = [score for score, count in zip(real, real_counts[draw], strict=True) for _ in range(int(count))]
            fakes = [score for score, count in zip(fake, fake_counts[draw], strict=True) for _ in range(int(count))]
            right = sum(score < 0.5 for score in reals) / len(reals) + sum(score >= 0.5 for score in fakes) / len(fakes)
            values[seed, place, draw] = right / 2
    return values


def test_means_equal_a_loop_over_draws(whole: Whole) -> None:
    corpus, _, _, found = whole
    held = [contest for contest in contests_of(corpus) if not contest.seen_by("biased")]
    values = looped(whole, "nsnet", held)
    seeds = seed_draws(3, SETTINGS.bootstrap, SETTINGS.seed, "runs")
    generators = generator_draws(4, SETTINGS.bootstrap, SETTINGS.seed, "lab/held-out")
    # An error of one image in a hundred would do; the smaller side has 9 + 10 + 11 + 12 fakes, but 24 reals are fewer.
    near = estimate(benchmark(values, seeds), 2 * 24)
    far_mean = population(values, seeds, generators)
    assert far_mean is not None
    far = estimate(far_mean, 2 * 24)
    row = found.means.filter(
        training_set="biased", detector="nsnet", condition="clean", group="held-out", metric="acc"
    ).row(0, named=True)
    assert (row["n_generators"], row["n_seeds"]) == (4, 3)
    expected = (near.value, near.low, near.high, far.low, far.high)
    stored = tuple(row[name] for name in ("value", "ci_low", "ci_high", "population_low", "population_high"))
    assert stored == pytest.approx(expected, abs=1e-9)
    assert near.low < near.value < near.high


def test_differences_are_paired_and_turn_their_sign(whole: Whole) -> None:
    _, trained, _, found = whole
    place = ["training_set", "train_condition", "suite", "condition", "group", "metric"]
    pairs = found.differences.select(*place, "detector", "reference").unique()
    assert pairs.height == found.differences.height == 2 * 2 * 2 * 4 * len(DETECTORS) * (len(DETECTORS) - 1)
    turned = found.differences.join(
        found.differences, left_on=[*place, "detector", "reference"], right_on=[*place, "reference", "detector"]
    )
    for one, other in (("difference", "difference_right"), ("ci_low", "ci_high_right")):
        assert (turned[one] == -turned[other]).all(), one
    joined = found.differences
    for side in ("detector", "reference"):
        means = found.means.select(*place, pl.col("detector").alias(side), pl.col("value").alias(f"mean_{side}"))
        joined = joined.join(means, on=[*place, side])
    gap = joined["mean_detector"] - joined["mean_reference"] - joined["difference"]
    assert joined.height == found.differences.height and gap.abs().max() < EXACT  # type: ignore[operator]
    assert trained.filter(detector="univfd")["seed"].n_unique() == 2  # as against three: seeds cannot pair up


def test_pairing_narrows_the_interval(whole: Whole) -> None:
    """A detector against its twin that errs on the same pictures: the difference is known better than either mean."""
    corpus, trained, scores, _ = whole
    twin = trained.filter(detector="nsnet", training_set="biased")
    others = twin.with_columns(detector=pl.lit("twin"), run_id="twin-" + pl.col("run_id"))
    raised = scores.join(twin.select("run_id"), on="run_id").with_columns(
        run_id="twin-" + pl.col("run_id"), score=(pl.col("score") + 0.02).clip(0, 1)
    )
    both = pl.concat([twin, others])
    found = evaluate_runs(
        both,
        Exams(contests_of(corpus), {}),
        pl.concat([scores, raised]),
        SETTINGS,
        {"code_checksum": "code", "data_checksum": "data"},
    )
    facts = {"condition": "clean", "group": "held-out", "metric": "acc"}
    pair = found.differences.filter(detector="twin", **facts).row(0, named=True)
    mean = found.means.filter(detector="twin", **facts).row(0, named=True)
    assert pair["ci_low"] < pair["difference"] < pair["ci_high"]
    # Were they independent, the interval of the difference would be 1.4 times as wide as that of a mean.
    assert pair["ci_high"] - pair["ci_low"] < 0.8 * (mean["ci_high"] - mean["ci_low"])


def test_in_domain_never_enters_a_held_out_group(whole: Whole) -> None:
    corpus, *_, found = whole
    contests = contests_of(corpus)
    by_name = {group.name: group for group in groups_of(contests, "biased")}
    names = {name: {contests[place].pairing.generator for place in by_name[name].members} for name in by_name}
    assert names["in-domain"] == {"seen"} and names["held-out"] == {"blur", "grid", "noise", "ring"}
    assert names["family:gan"] == {"blur"} and "generator:lab/seen" in names
    assert by_name["held-out"].units == Units(24, 9 + 10 + 11 + 12)
    unseen = next(group for group in groups_of(contests, "other") if group.name == "held-out")
    assert len(unseen.members) == 5
    again = (
        found.results.filter(~pl.col("in_domain"), metric="ap", condition="clean")
        .filter(pl.col("run_id").str.starts_with("biased-nsnet-0"))["value"]
        .mean()
    )
    by_seed = found.means.filter(detector="nsnet", training_set="biased", group="held-out", metric="ap")
    assert by_seed.height == 2 and again is not None
    assert found.means.filter(pl.col("group") == "in-domain")["population_low"].null_count() > 0


def test_protocols_have_means_of_their_own() -> None:
    corpus = samples().with_columns(
        suite=pl.lit("aigibench"), generator=pl.col("generator").replace({"blur": "progan", "grid": "r3gan"})
    )
    groups = {(group.table, group.name): len(group.members) for group in groups_of(contests_of(corpus), "biased")}
    assert groups["aigibench", "held-out"] == 4 and groups["paper40", "held-out"] == 2
    assert ("paper40", "generator:aigibench/progan") not in groups


def test_missing_scores_are_named() -> None:
    corpus, trained = samples(), runs().head(1)
    scores = predictions(trained, corpus).filter(pl.col("image_id") != "real03")
    with pytest.raises(ValueError, match=r"run biased-nsnet-0 has no score of 1 of \d+ test pictures under clean"):
        evaluate_runs(
            trained, Exams(contests_of(corpus), {}), scores, SETTINGS, {"code_checksum": "", "data_checksum": ""}
        )
    assert pictures_of(contests_of(corpus))[0] == "blur00"
