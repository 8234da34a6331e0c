"""Pictures that are not independent: draws of whole clusters against loops, and the coverage that they repair."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from scipy import stats

from nsnet.evaluation.contests import Contest, contests_of, groups_of
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.intervals import metric_estimates, share_interval
from nsnet.evaluation.means import benchmark, estimate
from nsnet.evaluation.metrics import RealPool, resampled_metrics
from nsnet.evaluation.resampling import Clusters, clustered_resamples, resamples, seed_draws
from nsnet.evaluation.statistics import Evaluation, evaluate_runs
from nsnet.evaluation.units import Units
from tests.synthetic import SETTINGS, predictions, runs, samples

PROMPTS = Clusters(("a", "b", "c", "d"), "prompts")


def test_a_picture_counts_as_often_as_its_cluster_for_all_generators() -> None:
    drawn = resamples(4, 50, 0, "prompts")
    counts = [dict(zip("abcd", row, strict=True)) for row in drawn.tolist()]
    one = clustered_resamples(["b", "a", "b", "d"], PROMPTS, 50, 0, "one")
    other = clustered_resamples(["c", "b"], PROMPTS, 50, 0, "other")
    for draw in range(51):
        assert one[draw].tolist() == [counts[draw][name] for name in "babd"]
        # None of a generator's two: drawn again from them, so that no row is empty.
        if counts[draw]["b"] or counts[draw]["c"]:
            assert other[draw].tolist() == [counts[draw][name] for name in "cb"]
        else:
            assert other[draw].sum() == 2
    empty = sum(row["b"] + row["c"] == 0 for row in counts)
    # One draw in 16 has neither: 3 of 50.
    assert empty > 0 and (other.sum(axis=1) > 0).all() and (one[0] == 1).all()


def test_pictures_without_a_cluster_are_drawn_as_ever() -> None:
    assert (clustered_resamples([None] * 7, PROMPTS, 20, 3, "x") == resamples(7, 20, 3, "x")).all()
    mixed = clustered_resamples([None, "a", None, "c", None], PROMPTS, 20, 3, "x")
    assert (mixed[:, [0, 2, 4]] == resamples(3, 20, 3, "x")).all()
    assert (mixed[:, [1, 3]] == resamples(4, 20, 3, "prompts")[:, [0, 2]]).all()
    with pytest.raises(ValueError, match=r"x: cluster 'e' is not among the 4 of prompts"):
        clustered_resamples(["a", "e"], PROMPTS, 5, 0, "x")


def test_the_variance_is_that_of_a_loop_over_clusters(rng: np.random.Generator) -> None:
    sizes = rng.integers(1, 9, 40)
    names = [f"p{number:02}" for number in np.repeat(np.arange(40), sizes)]
    values = np.concatenate([np.clip(rng.random() + rng.normal(0, 0.1, size), 0, 1) for size in sizes])
    weights = clustered_resamples(names, Clusters(tuple(sorted(set(names))), "x"), 4000, 0, "x")
    ours = (weights[1:] @ values) / weights[1:].sum(axis=1)
    loop = []
    for _ in range(4000):
        picked = [f"p{number:02}" for number in rng.integers(0, 40, 40)]
        held = [value for name in picked for known, value in zip(names, values, strict=True) if known == name]
        loop.append(np.mean(held))
    # 4,000 draws on either side: deviations to sqrt(1 / 8000) = 1.1 % each.
    assert ours.std() == pytest.approx(np.std(loop), rel=0.05)
    alone = resamples(len(values), 4000, 0, "x")[1:] @ values / len(values)
    assert alone.std() < 0.6 * ours.std()


@pytest.mark.parametrize(("prompts", "pictures"), [(40, 5), (8, 25)])
def test_clusters_repair_the_coverage_that_single_pictures_lack(
    prompts: int, pictures: int, rng: np.random.Generator
) -> None:
    truth = stats.norm.cdf(1 / np.sqrt(2))
    names = [f"p{number:02}" for number in np.repeat(np.arange(prompts), pictures)]
    real = np.linspace(0, 0.4, 300)
    pool = RealPool(real, resamples(300, 200, 0, "real"), 0.5)
    known = Clusters(tuple(sorted(set(names))), "p")
    ways = {
        "whole": (clustered_resamples(names, known, 200, 0, "f"), Units(300, prompts, fake_clusters=True)),
        "alone": (resamples(len(names), 200, 0, "f"), None),
    }
    held = dict.fromkeys(ways, 0)
    repeats = 400
    for _ in range(repeats):
        # How easy a prompt is, and how well a picture turned out, with equal variances.
        ease = np.repeat(rng.normal(1, 1, prompts), pictures) + rng.normal(0, 1, len(names))
        fake = np.where(ease > 0, 0.9, 0.1)
        for way, (weights, units) in ways.items():
            found = metric_estimates(real, fake, 0.5, pool.against(fake, weights), units)
            held[way] += found["f_acc"].low <= truth <= found["f_acc"].high
    # 400 samples: a standard error of 0.011 where coverage is 0.95.
    assert held["alone"] / repeats < 0.85 and 0.91 < held["whole"] / repeats < 0.99


def test_one_cluster_is_one_trial(rng: np.random.Generator) -> None:
    names, real, fake = ["p"] * 50, rng.uniform(0, 0.6, 200), rng.uniform(0.4, 1, 50)
    weights = resamples(200, 100, 0, "real"), clustered_resamples(names, Clusters(("p",), "x"), 100, 0, "x")
    units = Units(200, 1, fake_clusters=True)
    found = metric_estimates(real, fake, 0.5, resampled_metrics(real, fake, *weights, 0.5), units)
    for metric, trials in (("f_acc", 1), ("auroc", 1), ("acc", 2)):
        value = found[metric].value
        assert (found[metric].low, found[metric].high) == share_interval(value * trials, trials), metric
    # The reals are as many as ever.
    assert found["r_acc"].high - found["r_acc"].low < 0.15
    values = resampled_metrics(real, fake, *weights, 0.5)["acc"][None, None]
    few = estimate(benchmark(values, seed_draws(1, 100, 0, "x"), 1), 2)
    assert (few.low, few.high) == share_interval(few.value * 2, 2)


def prompted(count: int, only: tuple[str, ...] = ()) -> pl.DataFrame:
    """The small evaluation, where the fakes of each generator answer the same prompts."""
    number = pl.col("image_id").str.slice(-2).str.to_integer(strict=False) % count
    asked = (pl.col("label") == 1) & (pl.col("split") == "test")
    if only:
        asked &= pl.col("generator").is_in(only)
    return samples().with_columns(cluster=pl.when(asked).then(pl.format("prompt {}", number)).otherwise(None))


TRAINED = runs(("biased",)).filter(detector="nsnet")


def judged(corpus: pl.DataFrame) -> Evaluation:
    provenance = {"code_checksum": "code", "data_checksum": "data"}
    return evaluate_runs(TRAINED, Exams(contests_of(corpus), {}), predictions(TRAINED, corpus), SETTINGS, provenance)


def looped(contest: Contest, scores: dict[str, float], counts: np.ndarray) -> list[float]:
    """acc of each draw, picture by picture: reals one by one, fakes with their prompts."""
    pairing = contest.pairing
    prompts = sorted({name for name in pairing.fake_clusters if name})
    reals = resamples(24, SETTINGS.bootstrap, SETTINGS.seed, "real/lab/real")
    found = []
    for draw in range(1 + SETTINGS.bootstrap):
        real = [scores[name] for name, n in zip(pairing.real, reals[draw], strict=True) for _ in range(int(n))]
        often = dict(zip(prompts, counts[draw].tolist(), strict=True))
        pairs = zip(pairing.fake, pairing.fake_clusters, strict=True)
        fake = [scores[name] for name, prompt in pairs for _ in range(int(often[prompt or ""]))]
        found.append((np.mean([score < 0.5 for score in real]) + np.mean([score >= 0.5 for score in fake])) / 2)
    return [float(value) for value in found]


def test_an_evaluation_resamples_prompts_and_equals_a_loop() -> None:
    corpus = prompted(4)
    found = judged(corpus)
    scores = predictions(TRAINED, corpus).filter(split="test", condition="clean")
    held = [contest for contest in contests_of(corpus) if not contest.seen_by("biased")]
    counts = resamples(4, SETTINGS.bootstrap, SETTINGS.seed, "fake clusters/lab")
    values = np.zeros((3, len(held), 1 + SETTINGS.bootstrap))
    for seed, (place, contest) in itertools.product(range(3), enumerate(held)):
        own = dict(scores.filter(run_id=f"biased-nsnet-{seed}").select("image_id", "score").iter_rows())
        values[seed, place] = looped(contest, own, counts)
    near = estimate(benchmark(values, seed_draws(3, SETTINGS.bootstrap, SETTINGS.seed, "runs"), 4), 2 * 4)
    facts = {"training_set": "biased", "detector": "nsnet", "condition": "clean", "group": "held-out"}
    row = found.means.filter(**facts, metric="acc").row(0, named=True)
    assert (row["value"], row["ci_low"], row["ci_high"]) == pytest.approx((near.value, near.low, near.high), abs=1e-9)
    assert row["n_clusters"] == 4 and set(found.results["n_clusters"]) == {4}
    alone = judged(samples()).means
    same = alone.filter(**facts, metric="r_acc").equals(
        found.means.filter(**facts, metric="r_acc").with_columns(n_clusters=pl.lit(None, pl.Int32))
    )
    wide, narrow = (frame.filter(**facts, metric="f_acc").row(0, named=True) for frame in (found.means, alone))
    # Four prompts in place of 42 fakes; the reals, one by one, stay as they are.
    assert same and wide["ci_high"] - wide["ci_low"] > 1.5 * (narrow["ci_high"] - narrow["ci_low"])


def test_other_generators_are_as_they_were() -> None:
    """One generator has prompts: results of the rest do not move by a bit."""
    alone, some = judged(samples()), judged(prompted(3, only=("ring",)))
    others = pl.col("generator") != "ring"
    assert some.results.filter(others).equals(alone.results.filter(others))
    assert set(some.results.filter(~others)["n_clusters"]) == {3}
    groups = {group.name: group.units for group in groups_of(contests_of(prompted(3, only=("ring",))), "biased")}
    assert groups["held-out"] == Units(24, 9 + 10 + 11 + 3, fake_clusters=True)
    assert groups["family:gan"] == Units(24, 9)
