"""From scores to tables: results of each run, means over seeds and generators, paired differences.

Images are resampled by suite and generator (or pool), seeds and generators by their
numbers: every detector meets the same draws, so differences are paired.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from nsnet.core.contracts import make
from nsnet.evaluation.contests import HELD_OUT, IN_DOMAIN, Contest, groups_of, pictures_of
from nsnet.evaluation.contracts import EXTERNAL, Differences, Means, Results
from nsnet.evaluation.intervals import Estimate, metric_estimates
from nsnet.evaluation.means import Array
from nsnet.evaluation.metrics import METRICS, RealPool
from nsnet.evaluation.resampling import resamples
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.summaries import Row, bounded, difference_rows, mean_rows, summaries_of

COMPARED = ("acc", "ap", "auroc", "acc_validation")


@dataclass(frozen=True)
class Evaluation:
    """The tables results, means and paired_differences."""

    results: pl.DataFrame
    means: pl.DataFrame
    differences: pl.DataFrame


def evaluate_runs(
    runs: pl.DataFrame,
    contests: list[Contest],
    predictions: pl.DataFrame,
    settings: Evaluate,
    provenance: dict[str, str],
    advance: Callable[[int], None] = lambda count: None,
) -> Evaluation:
    """Compute results, means and differences from one set of resamples.

    Args:
        runs: the table runs.
        contests: from `contests_of`.
        predictions: the table predictions; those of the test split are looked at.
        settings: draws, their seed and the conditions.
        provenance: columns of every result: code_checksum and data_checksum of this evaluation.
        advance: told how many runs are done, once for each condition.

    Returns:
        Results, means and differences; predictions as given.

    Raises:
        ValueError: a run lacks scores of test pictures.
    """
    rows: tuple[list[Row], list[Row], list[Row]] = ([], [], [])
    tested = pictures_of(contests)
    keys = ["training_set", "train_condition"]
    for condition, (place, members) in itertools.product(
        settings.conditions, sorted(runs.partition_by(keys, as_dict=True).items())
    ):
        trained = _shown(members, predictions, condition).sort("detector", "seed").to_dicts()
        if not trained:
            continue
        scores = _scores(predictions, [run["run_id"] for run in trained], condition, tested)
        drawn, results = _contest_draws(trained, contests, tested, scores, settings)
        common = {"condition": condition, **provenance}
        rows[0].extend(row | common for row in results)
        common = {**dict(zip(keys, place, strict=True)), "condition": condition}
        for group in groups_of(contests, str(place[0])):
            for metric in METRICS:
                summaries = summaries_of(trained, drawn[metric], group, metric, settings)
                labels = common | {"suite": group.table, "group": group.name, "metric": metric}
                labels["n_generators"] = len(group.members)
                rows[1].extend(labels | row for row in mean_rows(summaries))
                if metric in COMPARED and group.name in (HELD_OUT, IN_DOMAIN):
                    rows[2].extend(labels | row for row in difference_rows(summaries, group, settings))
        advance(len(trained))
    order = [*keys, "suite", "condition", "group", "metric", "detector"]
    return Evaluation(
        make(Results, rows[0]).sort("run_id", "suite", "generator", "condition", "metric"),
        make(Means, rows[1]).sort(order),
        make(Differences, rows[2]).sort([*order, "reference"]),
    )


def _shown(members: pl.DataFrame, predictions: pl.DataFrame, condition: str) -> pl.DataFrame:
    """Runs that a table of the condition has: ours must have scores, external detectors where they were imported."""
    scored = predictions.filter(split="test", condition=condition)["run_id"].unique()
    return members.filter((pl.col("kind") != EXTERNAL) | pl.col("run_id").is_in(scored.implode()))


def _scores(predictions: pl.DataFrame, run_ids: list[str], condition: str, tested: list[str]) -> Array:
    """Scores of each run on the tested pictures: float64 (runs, pictures)."""
    rows = predictions.filter(pl.col("run_id").is_in(run_ids), split="test", condition=condition)
    order = pl.DataFrame({"image_id": tested})
    columns = []
    for run_id in run_ids:
        scores = order.join(rows.filter(run_id=run_id), on="image_id", how="left", maintain_order="left")["score"]
        if scores.null_count():
            raise ValueError(
                f"run {run_id} has no score of {scores.null_count()} of {len(tested)} test pictures under {condition}"
            )
        columns.append(scores.to_numpy())
    return np.array(columns)


def _contest_draws(
    trained: list[Row], contests: list[Contest], tested: list[str], scores: Array, settings: Evaluate
) -> tuple[dict[str, Array], list[Row]]:
    """Every metric under every resample, float64 (runs, contests, 1 + draws); and the rows of results.

    One pool's resamples are held at a time, and made again for the next training set: large
    suites have thousands of pictures in hundreds of pools.
    """
    drawn = {metric: np.empty((len(trained), len(contests), 1 + settings.bootstrap)) for metric in METRICS}
    rows: list[Row] = []
    position = {image_id: number for number, image_id in enumerate(tested)}
    places = dict(enumerate(contests))
    for (suite, name), members in itertools.groupby(places, key=lambda place: places[place].pool):
        fights = list(members)
        reals = np.array([position[image_id] for image_id in places[fights[0]].pairing.real])
        real_weights = resamples(len(reals), settings.bootstrap, settings.seed, f"real/{suite}/{name}")
        pools = [RealPool(row[reals], real_weights, run["threshold"]) for run, row in zip(trained, scores, strict=True)]
        for place in fights:
            pairing = places[place].pairing
            fakes = np.array([position[image_id] for image_id in pairing.fake])
            weights = resamples(len(fakes), settings.bootstrap, settings.seed, f"fake/{pairing.name}")
            for number, (run, row) in enumerate(zip(trained, scores, strict=True)):
                metrics = pools[number].against(row[fakes], weights)
                for metric, draws in metrics.items():
                    drawn[metric][number, place] = draws
                estimates = metric_estimates(row[reals], row[fakes], run["threshold"], metrics)
                rows += _result_rows(run, places[place], estimates)
    return drawn, rows


def _result_rows(run: Row, contest: Contest, estimates: dict[str, Estimate]) -> Iterator[Row]:
    pairing = contest.pairing
    for metric, bounds in estimates.items():
        yield {
            "run_id": run["run_id"],
            "suite": pairing.suite,
            "generator": pairing.generator,
            "family": pairing.family,
            "in_domain": contest.seen_by(run["training_set"]),
            "metric": metric,
            "n_real": len(pairing.real),
            "n_fake": len(pairing.fake),
            "backbone_id": run["backbone_id"],
            **bounded(bounds, 0),
        }
