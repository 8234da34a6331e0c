"""R.Acc by source of the reals against a loop, with its intervals and its printed table."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.evaluation.assessment import pictures_checksum
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.contracts import RealSources
from nsnet.evaluation.exams import Exams, Pictures
from nsnet.evaluation.intervals import share_interval
from nsnet.evaluation.means import benchmark, estimate
from nsnet.evaluation.resampling import resamples, seed_draws
from nsnet.evaluation.statistics import evaluate_runs
from nsnet.reporting.tables import printed
from nsnet.reporting.views import open_tables
from tests.synthetic import SETTINGS, predictions, runs, samples, write_project

PROVENANCE = {"code_checksum": "code", "data_checksum": "data"}
# Means of the same few numbers, added in another order.
CLOSE = 1e-12
NAMES = ("training_set", "train_condition", "suite", "condition", "real_pool", "source", "detector")


def several() -> pl.DataFrame:
    """Reals of a camera and of unknown source in one pool; the camera's in bursts of two. A second suite shares one."""
    real = (pl.col("label") == 0) & (pl.col("split") == "test")
    number = pl.col("image_id").str.slice(-2).str.to_integer(strict=False)
    camera = real & (number < 10)
    corpus = samples().with_columns(
        source=pl.when(camera).then(pl.lit("camera")).otherwise(None),
        cluster=pl.when(camera).then(pl.format("burst {}", number // 2)).otherwise(None),
    )
    shared = corpus.filter(pl.col("image_id").is_in(["real00", "ring00"])).with_columns(suite=pl.lit("other"))
    return pl.concat([corpus, shared, corpus.filter(image_id="real01")])


@pytest.fixture(scope="module")
def found() -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Runs, predictions and the table."""
    corpus, trained = several(), runs()
    scores = predictions(trained, corpus)
    table = evaluate_runs(trained, Exams(contests_of(corpus), {}), scores, SETTINGS, PROVENANCE).real_sources
    return trained, scores, table


def test_shares_equal_a_loop(found: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    trained, scores, table = found
    sources = {f"real{number:02}": [("lab", "camera" if number < 10 else "real")] for number in range(24)}
    sources["real00"].append(("other", "camera"))
    right: dict[tuple[str, ...], list[tuple[bool, bool]]] = defaultdict(list)
    for row in scores.filter(split="test").join(trained, on="run_id").to_dicts():
        for suite, source in sources.get(row["image_id"], []):
            place = (row["training_set"], row["train_condition"], suite, row["condition"], "real", source)
            right[(*place, row["detector"])].append((row["score"] < 0.5, row["score"] < row["threshold"]))
    assert table.height == len(right) == 2 * 2 * 5 * 3
    sizes = {("lab", "camera"): (10, 5), ("lab", "real"): (14, None), ("other", "camera"): (1, 1)}
    for row in table.to_dicts():
        called = right[tuple(row[name] for name in NAMES)]
        assert row["n_seeds"] == (2 if row["detector"] == "univfd" else 3)
        assert (row["n_real"], row["n_clusters"]) == sizes[row["suite"], row["source"]]
        assert len(called) == row["n_real"] * row["n_seeds"]
        for number, metric in enumerate(("r_acc", "r_acc_validation")):
            assert row[metric] == pytest.approx(np.mean([one[number] for one in called]), abs=CLOSE)
            assert row[f"{metric}_low"] <= row[metric] <= row[f"{metric}_high"]
    assert (table["r_acc"] != table["r_acc_validation"]).any()


def test_intervals_are_those_of_means_over_seeds_and_clusters(
    found: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame],
) -> None:
    _, scores, table = found
    place = {"training_set": "biased", "condition": "clean", "detector": "nsnet", "suite": "lab"}
    seeds = seed_draws(3, SETTINGS.bootstrap, SETTINGS.seed, "runs")
    bursts = np.repeat(resamples(5, SETTINGS.bootstrap, SETTINGS.seed, "real clusters/lab"), 2, axis=1)
    alone = resamples(14, SETTINGS.bootstrap, SETTINGS.seed, "real/lab/real/real")
    for source, weights, clusters, first in (("camera", bursts, 5, 0), ("real", alone, None, 10)):
        values = np.zeros((3, 1, 1 + SETTINGS.bootstrap))
        for seed in range(3):
            known = scores.filter(run_id=f"biased-nsnet-{seed}", split="test", condition="clean")
            own = dict(known.select("image_id", "score").iter_rows())
            right = np.array([own[f"real{first + number:02}"] < 0.5 for number in range(weights.shape[1])])
            for draw, counts in enumerate(weights):
                values[seed, 0, draw] = np.mean(np.repeat(right, counts.astype(int)))
        expected = estimate(benchmark(values, seeds, clusters), clusters or 14)
        row = table.filter(**place, source=source).row(0, named=True)
        stored = (row["r_acc"], row["r_acc_low"], row["r_acc_high"])
        # Sums of some tens of terms; ends amplify the rounding of a variance.
        assert stored == pytest.approx((expected.value, expected.low, expected.high), abs=1e-9)


def test_a_source_that_is_its_pool_has_its_draws() -> None:
    corpus, trained = samples(), runs().filter(detector="nsnet")
    evaluation = evaluate_runs(
        trained, Exams(contests_of(corpus), {}), predictions(trained, corpus), SETTINGS, PROVENANCE
    )
    means = evaluation.means.filter(metric="r_acc", group="generator:lab/blur")
    joined = means.join(evaluation.real_sources, on=["training_set", "condition", "detector"])
    assert joined.height == evaluation.real_sources.height == 2 * 2
    for column, other in (("value", "r_acc"), ("ci_low", "r_acc_low"), ("ci_high", "r_acc_high")):
        assert joined[column].to_list() == pytest.approx(joined[other].to_list(), abs=1e-9)


def test_one_picture_is_one_trial(found: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]) -> None:
    """In a cluster by itself: what it shows is bounded as a single answer, however many seeds give it."""
    for row in found[2].filter(suite="other").to_dicts():
        low, high = share_interval(row["r_acc"], 1)
        assert (row["r_acc_low"], row["r_acc_high"]) == pytest.approx((low, high), abs=CLOSE)


def test_printed_by_detector_with_intervals(
    found: tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame], tmp_path: Path
) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    write_table(RealSources, found[2], paths.table(RealSources))
    with open_tables(paths, paths, SETTINGS) as connection:
        tables = {one.name: one for one in printed(connection) if one.report.name == "real_sources"}
    assert set(tables) == {"real_sources_biased", "real_sources_unbiased"}
    for one in tables.values():
        assert one.rows.select(one.report.key).is_unique().all() and one.rows.height == 2 * 5 * 3
    lines = tables["real_sources_biased"].markdown.splitlines()
    names = ["suite", "condition", "detector", "real pool", "source", "n real", "n clusters", "n seeds"]
    assert lines[0].strip("| ").split(" | ") == [*names, "r acc", "r acc validation"]
    assert [line.split(" | ")[2:7] for line in lines[2:4]] == [
        ["nsnet", "real", "camera", "10", "5"],
        ["nsnet", "real", "real", "14", ""],
    ]


def test_clusters_and_sources_are_part_of_the_data_checksum() -> None:
    plain, more = (pictures_checksum(contests_of(corpus)) for corpus in (samples(), several()))
    assert plain != more
    # What the tables of corpora without clusters and sources have been called.
    assert plain == "785d71ef64fa"


def test_reals_that_were_trained_on_do_not_count() -> None:
    corpus, trained = samples(), runs(("biased",)).filter(detector="nsnet")
    scores = predictions(trained, corpus)
    seen = [f"real{number:02}" for number in range(20)]
    exams = Exams(contests_of(corpus), {("biased", 0): Pictures(frozenset(seen))})
    kept = scores.filter((pl.col("run_id") != "biased-nsnet-0") | ~pl.col("image_id").is_in(seen))
    table = evaluate_runs(trained, exams, kept, SETTINGS, PROVENANCE).real_sources.filter(condition="clean")
    row = table.row(0, named=True)
    tested = kept.filter(pl.col("image_id").str.starts_with("real"), split="test", condition="clean")
    by_run = tested.group_by("run_id").agg((pl.col("score") < 0.5).mean())
    # Seed 0 by its four reals, the others by 24: each a third of the mean.
    assert (row["n_real"], row["n_seeds"]) == (24, 3)
    assert row["r_acc"] == pytest.approx(by_run["score"].mean(), abs=CLOSE)
    assert row["r_acc_low"] < row["r_acc"] < row["r_acc_high"]
