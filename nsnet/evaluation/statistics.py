"""From scores to tables: results per generator, means over groups, paired differences."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from nsnet.core.contracts import make
from nsnet.corpus.pairings import Pairing, pairings
from nsnet.evaluation.contracts import METRICS, Means, Results
from nsnet.evaluation.metrics import Array, Weights, interval, resampled_metrics, resamples
from nsnet.evaluation.settings import Evaluate
from nsnet.suites import protocols


@dataclass(frozen=True)
class Contest:
    """One generator's fakes against its pool of reals, with the bootstrap counts of both."""

    pairing: Pairing
    tables: list[str]
    real_weights: Weights
    fake_weights: Weights

    def groups(self, training_set: str) -> list[tuple[str, str]]:
        """(table, group) whose means this generator enters; one seen in training enters no other group."""
        seen = training_set in self.pairing.in_domain_for
        names = ["in-domain"] if seen else ["held-out", f"family:{self.pairing.family}"]
        return [(table, name) for table in self.tables for name in names]


def draw_contests(samples: pl.DataFrame, settings: Evaluate) -> list[Contest]:
    """Draw the bootstrap counts of every pairing; a pool of reals is drawn once for all its generators.

    A generator enters the means of its suite and of every protocol that names it, which
    names no picture twice.

    Raises:
        ValueError: no fakes to test, or pools without reals, all of them named.
    """
    pairs = pairings(samples)
    pools = {(pair.suite, pair.real_pool): len(pair.real) for pair in pairs}
    weights = {
        (suite, pool): resamples(count, settings.bootstrap, settings.seed, f"real/{suite}/{pool}")
        for (suite, pool), count in pools.items()
    }
    found = []
    for pair in pairs:
        tables = [pair.suite, *(key for key, known in protocols().items() if pair.name in known.members)]
        fake_weights = resamples(len(pair.fake), settings.bootstrap, settings.seed, f"fake/{pair.name}")
        found.append(Contest(pair, tables, weights[pair.suite, pair.real_pool], fake_weights))
    return found


def evaluate_runs(
    runs: pl.DataFrame,
    contests: list[Contest],
    predictions: pl.DataFrame,
    settings: Evaluate,
    provenance: dict[str, str],
    advance: Callable[[int], None] = lambda count: None,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compute the tables results and means, with 95 % intervals from one set of resamples.

    `provenance` is put into every result row: git_revision and data_checksum of this evaluation.

    Raises:
        ValueError: if no run of a training set is the baseline's.
    """
    scores = {
        run_id: dict(rows.select("image_id", "score").iter_rows())
        for (run_id,), rows in predictions.partition_by("run_id", as_dict=True).items()
    }
    results: list[dict[str, Any]] = []
    means: list[dict[str, Any]] = []
    for (training_set, condition), members in sorted(
        runs.partition_by("training_set", "condition", as_dict=True).items()
    ):
        baseline = members.filter(detector=settings.baseline)
        if baseline.is_empty():
            raise ValueError(
                f"evaluate.baseline {settings.baseline!r} was not trained on {training_set} ({condition});"
                f" trained were {', '.join(members['detector'])}"
            )
        reference: dict[tuple[str, ...], Array] = {}
        # The baseline first: the others are compared with it.
        for run in [*baseline.to_dicts(), *members.filter(pl.col("detector") != settings.baseline).to_dicts()]:
            grouped: dict[tuple[str, ...], list[Array]] = defaultdict(list)
            for contest in contests:
                drawn = _metrics_of(contest, scores[run["run_id"]])
                results += _result_rows(run, contest, drawn, provenance)
                for place in contest.groups(training_set):
                    for metric in METRICS:
                        grouped[*place, metric].append(drawn[metric])
            averaged = {key: np.mean(arrays, axis=0) for key, arrays in grouped.items()}
            reference = reference or averaged
            sizes = {key: len(arrays) for key, arrays in grouped.items()}
            means += _mean_rows(run, averaged, reference, sizes, settings.baseline)
            advance(1)
    order = ["run_id", "suite", "generator", "condition", "metric"]
    mean_order = ["run_id", "suite", "condition", "group", "metric"]
    return make(Results, results).sort(order), make(Means, means).sort(mean_order)


def _metrics_of(contest: Contest, scores: dict[str, float]) -> dict[str, Array]:
    sides = contest.pairing.real, contest.pairing.fake
    real, fake = (np.array([scores[image_id] for image_id in ids]) for ids in sides)
    return resampled_metrics(real, fake, contest.real_weights, contest.fake_weights)


def _bounded(draws: Array) -> dict[str, float]:
    low, high = interval(draws)
    return {"value": float(draws[0]), "ci_low": low, "ci_high": high}


def _result_rows(
    run: dict[str, Any], contest: Contest, drawn: dict[str, Array], provenance: dict[str, str]
) -> Iterator[dict[str, Any]]:
    for metric, draws in drawn.items():
        yield {
            "run_id": run["run_id"],
            "suite": contest.pairing.suite,
            "generator": contest.pairing.generator,
            "family": contest.pairing.family,
            "in_domain": run["training_set"] in contest.pairing.in_domain_for,
            "condition": run["condition"],
            "metric": metric,
            **_bounded(draws),
            "n_real": len(contest.pairing.real),
            "n_fake": len(contest.pairing.fake),
            **provenance,
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
            "condition": run["condition"],
            "group": group,
            "metric": metric,
            "n_generators": sizes[key],
            **_bounded(draws),
            "baseline": baseline,
            "difference": difference["value"],
            "difference_low": difference["ci_low"],
            "difference_high": difference["ci_high"],
        }
