"""From scores to tables: results per generator, means over groups, paired differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nsnet import config
from nsnet.contracts import METRICS, make
from nsnet.metrics import Array, Weights, interval, resampled_metrics, resamples

CLEAN = "clean"


@dataclass(frozen=True)
class Contest:
    """One generator's fakes against its pool of reals, with the bootstrap counts of both."""

    suite: str
    generator: str
    family: str
    in_domain: bool
    real: list[str]
    fake: list[str]
    real_weights: Weights
    fake_weights: Weights

    @property
    def groups(self) -> list[str]:
        """Groups whose means this generator enters; in-domain ones enter no other group."""
        return ["in-domain"] if self.in_domain else ["held-out", f"family:{self.family}"]


def contests(samples: pl.DataFrame, settings: config.Evaluate) -> list[Contest]:
    """Pair every generator of the test split with its real pool.

    Raises:
        ValueError: no fakes to test, or pools without reals, all of them named.
    """
    test = samples.filter(split="test").unique(["suite", "generator", "image_id"]).sort("image_id")
    fakes = test.filter(label=1).partition_by("suite", "generator", as_dict=True)
    pools = test.filter(label=0).partition_by("suite", "real_pool", as_dict=True)
    if not fakes:
        raise ValueError("the test split has no fakes: nothing to evaluate")
    wanted = {(suite, rows["real_pool"][0]) for (suite, _), rows in fakes.items()}
    empty = sorted(f"{suite}/{pool}" for suite, pool in wanted - set(pools))
    if empty:
        raise ValueError(f"no real test images in {', '.join(empty)}: each fake needs a pool of reals to be told from")
    weights = {
        key: resamples(len(pools[key]), settings.bootstrap, settings.seed, f"real/{key[0]}/{key[1]}") for key in wanted
    }
    found = []
    for (suite, generator), rows in sorted(fakes.items()):
        pool = (suite, rows["real_pool"][0])
        fake_weights = resamples(len(rows), settings.bootstrap, settings.seed, f"fake/{suite}/{generator}")
        real, fake = pools[pool]["image_id"].to_list(), rows["image_id"].to_list()
        facts = suite, generator, rows["family"][0], rows["in_domain"][0]
        found.append(Contest(*facts, real, fake, weights[pool], fake_weights))
    return found


def evaluate_runs(
    runs: pl.DataFrame,
    pairs: list[Contest],
    predictions: pl.DataFrame,
    settings: config.Evaluate,
    git_revision: str,
    advance: Callable[[int], None] = lambda count: None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute the tables results and means, with 95 % intervals from one set of resamples.

    Raises:
        ValueError: if no run of a training set is the baseline's.
    """
    scores = {
        run_id: dict(rows.select("image_id", "score").iter_rows())
        for (run_id,), rows in predictions.partition_by("run_id", as_dict=True).items()
    }
    results: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    for (training_set,), members in sorted(runs.partition_by("training_set", as_dict=True).items()):
        baseline = members.filter(detector=settings.baseline)
        if baseline.is_empty():
            raise ValueError(
                f"evaluate.baseline {settings.baseline!r} was not trained on {training_set};"
                f" trained were {', '.join(members['detector'])}"
            )
        reference: dict[tuple[str, ...], Array] = {}
        # The baseline first: the others are compared with it.
        for run in [*baseline.to_dicts(), *members.filter(pl.col("detector") != settings.baseline).to_dicts()]:
            grouped: dict[tuple[str, ...], list[Array]] = defaultdict(list)
            for pair in pairs:
                drawn = _metrics_of(pair, scores[run["run_id"]])
                results += _result_rows(run, pair, drawn, git_revision)
                for group in pair.groups:
                    for metric in METRICS:
                        grouped[pair.suite, group, metric].append(drawn[metric])
            averaged = {key: np.mean(arrays, axis=0) for key, arrays in grouped.items()}
            reference = reference or averaged
            sizes = {key: len(arrays) for key, arrays in grouped.items()}
            means += _mean_rows(run, averaged, reference, sizes, settings.baseline)
            advance(1)
    order = ["run_id", "suite", "generator", "condition", "metric"]
    mean_order = ["run_id", "suite", "condition", "group", "metric"]
    return make("results", results).sort(order), make("means", means).sort(mean_order)


def _metrics_of(pair: Contest, scores: dict[str, float]) -> dict[str, Array]:
    real, fake = (np.array([scores[image_id] for image_id in ids]) for ids in (pair.real, pair.fake))
    return resampled_metrics(real, fake, pair.real_weights, pair.fake_weights)


def _bounded(draws: Array) -> dict[str, float]:
    low, high = interval(draws)
    return {"value": float(draws[0]), "ci_low": low, "ci_high": high}


def _result_rows(
    run: dict[str, Any], pair: Contest, drawn: dict[str, Array], git_revision: str
) -> Iterator[dict[str, Any]]:
    for metric, draws in drawn.items():
        yield {
            "run_id": run["run_id"],
            "suite": pair.suite,
            "generator": pair.generator,
            "family": pair.family,
            "in_domain": pair.in_domain,
            "condition": CLEAN,
            "metric": metric,
            **_bounded(draws),
            "n_real": len(pair.real),
            "n_fake": len(pair.fake),
            "git_revision": git_revision,
            "data_checksum": run["data_checksum"],
            "backbone_id": run["backbone_id"],
        }


def _mean_rows(
    run: dict[str, Any],
    averaged: dict[tuple[str, ...], Array],
    reference: dict[tuple[str, ...], Array],
    sizes: dict[tuple[str, ...], int],
    baseline: str,
) -> Iterator[dict[str, Any]]:
    for key, draws in averaged.items():
        suite, group, metric = key
        difference = _bounded(draws - reference[key])
        yield {
            "run_id": run["run_id"],
            "suite": suite,
            "condition": CLEAN,
            "group": group,
            "metric": metric,
            "n_generators": sizes[key],
            **_bounded(draws),
            "baseline": baseline,
            "difference": difference["value"],
            "difference_low": difference["ci_low"],
            "difference_high": difference["ci_high"],
        }
