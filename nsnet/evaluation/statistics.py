"""From scores to tables: results of each run, means over seeds and generators, paired differences.

Images are resampled by suite and generator (or pool), those in clusters by suite, seeds
and generators by their numbers: every detector meets the same draws, so differences are paired.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl
from jaxtyping import Float64

from nsnet.core.contracts import make
from nsnet.corpus.pairings import Pairing
from nsnet.evaluation.contests import HELD_OUT, IN_DOMAIN, Contest, groups_of, pictures_of
from nsnet.evaluation.contracts import EXTERNAL, ConditionShifts, Differences, Means, RealSources, Results
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.intervals import Estimate, metric_estimates
from nsnet.evaluation.means import Array
from nsnet.evaluation.metrics import METRICS, RealPool
from nsnet.evaluation.real_sources import source_rows
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.shifts import Shifts, clean_first, in_order
from nsnet.evaluation.summaries import Row, bounded, difference_rows, mean_rows, summaries_of
from nsnet.evaluation.units import Resampler, Units, units_of

COMPARED = ("acc", "ap", "auroc", "acc_validation")


@dataclass(frozen=True)
class Evaluation:
    """The tables results, means, paired_differences, condition_shifts and real_sources."""

    results: pl.DataFrame
    means: pl.DataFrame
    differences: pl.DataFrame
    shifts: pl.DataFrame
    real_sources: pl.DataFrame


def evaluate_runs(
    runs: pl.DataFrame,
    exams: Exams,
    predictions: pl.DataFrame,
    settings: Evaluate,
    provenance: dict[str, str],
    advance: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Compute results, means, differences, costs of conditions and R.Acc by source from one set of resamples.

    Args:
        runs: the table runs.
        exams: of the corpus; a run has no result where it takes no part.
        predictions: the table predictions; those of the test split are looked at.
        settings: draws, their seed and the conditions.
        provenance: columns of every result: code_checksum and data_checksum of this evaluation.
        advance: told how many runs are done, once for each condition.

    Returns:
        Results, means, differences, costs of conditions and R.Acc by source.

    Raises:
        ValueError: a run lacks scores of test pictures.
    """
    rows: tuple[list[Row], ...] = ([], [], [], [], [])
    tested = pictures_of(exams.contests)
    resampler = Resampler((contest.pairing for contest in exams.contests), settings)
    shifts, keys = Shifts(settings), ["training_set", "train_condition"]
    for condition, (place, members) in itertools.product(
        clean_first(settings.conditions), sorted(runs.partition_by(keys, as_dict=True).items(), key=in_order)
    ):
        trained = shown_under(members, predictions, condition).sort("detector", "seed").to_dicts()
        if not trained:
            continue
        scores = scores_of(predictions, trained, exams, condition, tested)
        drawn, results = contest_draws(trained, exams, tested, scores, resampler, settings)
        common = {"condition": condition, **provenance}
        rows[0].extend(row | common for row in results)
        common = {**dict(zip(keys, place, strict=True)), "condition": condition}
        shifts.next_condition(condition)
        sources = source_rows(trained, exams.contests, tested, scores, resampler, settings)
        rows[4].extend(common | row for row in sources)
        judged = [any(one) for one in zip(*map(exams.fought, trained), strict=True)]
        for group in groups_of(exams.contests, str(place[0]), judged):
            for metric in METRICS:
                summaries = summaries_of(trained, drawn, group, metric, settings)
                labels: Row = common | {"suite": group.table, "group": group.name, "metric": metric}
                labels |= {"n_generators": len(group.members), "n_clusters": group.units.n_clusters}
                rows[1].extend(labels | row for row in mean_rows(summaries))
                if metric in COMPARED and group.name in (HELD_OUT, IN_DOMAIN):
                    rows[2].extend(labels | row for row in difference_rows(summaries, group, settings))
                moved = shifts.rows((str(place[0]), str(place[1])), condition, group, metric, summaries)
                rows[3].extend(labels | row for row in moved)
        advance(len(trained))
    order = [*keys, "suite", "condition", "group", "metric", "detector"]
    return Evaluation(
        make(Results, rows[0]).sort("run_id", "suite", "generator", "condition", "metric"),
        make(Means, rows[1]).sort(order),
        make(Differences, rows[2]).sort([*order, "reference"]),
        make(ConditionShifts, rows[3]).sort([*order, "comparison"]),
        make(RealSources, rows[4]).sort([*keys, "suite", "condition", "real_pool", "source", "detector"]),
    )


def shown_under(members: pl.DataFrame, predictions: pl.DataFrame, condition: str) -> pl.DataFrame:
    """Runs that a table of the condition has: ours must have scores, external detectors where they were imported.

    Args:
        members: rows of the table runs.
        predictions: the table predictions.
        condition: that pictures are shown under.

    Returns:
        Some of the rows.
    """
    scored = predictions.filter(split="test", condition=condition)["run_id"].unique()
    return members.filter((pl.col("kind") != EXTERNAL) | pl.col("run_id").is_in(scored.implode()))


def scores_of(
    predictions: pl.DataFrame, trained: list[Row], exams: Exams, condition: str, tested: list[str]
) -> Float64[np.ndarray, "runs pictures"]:
    """Scores of runs on the test pictures.

    Args:
        predictions: the table predictions.
        trained: rows of the table runs.
        exams: of the corpus.
        condition: that the pictures were shown under.
        tested: image_id of each picture.

    Returns:
        float64 (runs, pictures), in the order of both; NaN for pictures that a run is not judged on.

    Raises:
        ValueError: a run lacks scores of pictures that it is judged on.
    """
    run_ids = [run["run_id"] for run in trained]
    rows = predictions.filter(pl.col("run_id").is_in(run_ids), split="test", condition=condition)
    order = pl.DataFrame({"image_id": tested})
    columns = []
    for run in trained:
        scores = order.join(rows.filter(run_id=run["run_id"]), on="image_id", how="left", maintain_order="left")
        lacking = set(scores.filter(pl.col("score").is_null())["image_id"]) & set(exams.tested(run))
        if lacking:
            raise ValueError(
                f"run {run['run_id']} has no score of {len(lacking)} of {len(tested)} test pictures under {condition}"
            )
        columns.append(scores["score"].fill_null(math.nan).to_numpy())
    return np.array(columns)


def contest_draws(
    trained: list[Row], exams: Exams, tested: list[str], scores: Array, resampler: Resampler, settings: Evaluate
) -> tuple[dict[str, Array], list[Row]]:
    """Every metric under every resample, and the rows of results.

    One pool's resamples are held at a time, and made again for the next training set: large
    suites have thousands of pictures in hundreds of pools.

    Args:
        trained: rows of the table runs.
        exams: of the corpus.
        tested: image_id of each picture.
        scores: float64 (runs, pictures), in the order of both; NaN where a run is not judged.
        resampler: of the corpus.
        settings: draws and their seed.

    Returns:
        By metric float64 (runs, contests, 1 + draws), entry 0 the sample's, NaN where a run takes no
        part; and a row of the table results for each metric of a run on a contest, but for its condition.
    """
    contests = exams.contests
    drawn = {metric: np.full((len(trained), len(contests), 1 + settings.bootstrap), math.nan) for metric in METRICS}
    rows: list[Row] = []
    position = {image_id: number for number, image_id in enumerate(tested)}
    fought = [exams.fought(run) for run in trained]
    places = dict(enumerate(contests))
    for _, members in itertools.groupby(places, key=lambda place: places[place].pool):
        fights = list(members)
        pool = places[fights[0]].pairing
        reals = np.array([position[image_id] for image_id in pool.real])
        real_weights = resampler.reals(pool)
        pools = {
            number: _pool(scores[number, reals], real_weights, run)
            for number, run in enumerate(trained)
            if any(fought[number][place] for place in fights)
        }
        for place in fights:
            pairing = places[place].pairing
            fakes = np.array([position[image_id] for image_id in pairing.fake])
            weights, whole = resampler.fakes(pairing), units_of([pairing])
            for number, run in enumerate(trained):
                if not fought[number][place]:
                    continue
                metrics = pools[number].against(scores[number, fakes], weights)
                for metric, draws in metrics.items():
                    drawn[metric][number, place] = draws
                judged = ~np.isnan(scores[number, reals])
                units = whole if judged.all() else units_of([_judged(pairing, judged)])
                real = scores[number, reals[judged]]
                estimates = metric_estimates(real, scores[number, fakes], run["threshold"], metrics, units)
                rows += _result_rows(run, places[place], len(real), units, estimates)
    return drawn, rows


def _judged(pairing: Pairing, judged: npt.NDArray[np.bool_]) -> Pairing:
    """A generator with the reals that a run is judged on."""
    return replace(
        pairing,
        real=list(itertools.compress(pairing.real, judged)),
        real_clusters=list(itertools.compress(pairing.real_clusters, judged)),
        real_sources=list(itertools.compress(pairing.real_sources, judged)),
    )


def _pool(scores: Array, weights: npt.NDArray[np.float32], run: Row) -> RealPool:
    """A run's pool under resamples, without the reals that it is not judged on."""
    judged = ~np.isnan(scores)
    if not judged.all():
        scores, kept = scores[judged], weights[:, judged]
        # A draw that holds none of those left tells nothing, and counts as the sample.
        weights = np.where(kept.any(axis=1, keepdims=True), kept, 1)
    return RealPool(scores, weights, run["threshold"], run["temperature"])


def _result_rows(
    run: Row, contest: Contest, n_real: int, units: Units, estimates: dict[str, Estimate]
) -> Iterator[Row]:
    pairing = contest.pairing
    for metric, bounds in estimates.items():
        yield {
            "run_id": run["run_id"],
            "suite": pairing.suite,
            "generator": pairing.generator,
            "family": pairing.family,
            "in_domain": contest.seen_by(run["training_set"]),
            "metric": metric,
            "n_real": n_real,
            "n_fake": len(pairing.fake),
            "n_clusters": units.n_clusters,
            "backbone_id": run["backbone_id"],
            **bounded(bounds, 0),
        }
