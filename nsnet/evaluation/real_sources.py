"""R.Acc by source of the reals: a pool may hold several, of which a detector calls one real and another fake."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64

from nsnet.corpus.pairings import Pairing
from nsnet.detectors.thresholds import THRESHOLD
from nsnet.evaluation.contests import Contest
from nsnet.evaluation.means import benchmark, estimate
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.summaries import Row, bounded, seed_weights
from nsnet.evaluation.units import Resampler, units


def source_rows(
    trained: list[Row],
    contests: list[Contest],
    tested: list[str],
    scores: Float64[np.ndarray, "runs pictures"],
    resampler: Resampler,
    settings: Evaluate,
) -> Iterator[Row]:
    """Columns of the table real_sources that differ between sources and detectors.

    Args:
        trained: rows of the table runs, those of one detector next to each other.
        contests: of the corpus, those of one pool next to each other.
        tested: image_id of each column of scores.
        scores: of each run, (runs, pictures).
        resampler: of the same corpus.
        settings: draws and their seed.

    Yields:
        A row for each source and detector.

    Raises:
        ValueError: fewer than two draws.
    """
    position = {image_id: number for number, image_id in enumerate(tested)}
    names = [run["detector"] for run in trained]
    thresholds = {"r_acc": [THRESHOLD] * len(trained), "r_acc_validation": [run["threshold"] for run in trained]}
    for _, members in itertools.groupby(contests, key=lambda contest: contest.pool):
        pool = next(members).pairing
        for source, places in _places(pool).items():
            weights = resampler.source(pool, source, places).astype(np.float64)
            images = [pool.real[place] for place in places]
            clusters = [pool.real_clusters[place] for place in places]
            drawn = len(units(pool.suite, images, clusters))
            n_clusters = drawn if any(clusters) else None
            mine = scores[:, [position[image_id] for image_id in images]]
            shares = {
                metric: (mine < np.array(limits)[:, None]).astype(np.float64) @ weights.T / weights.sum(axis=1)
                for metric, limits in thresholds.items()
            }
            for detector, runs in itertools.groupby(range(len(trained)), key=names.__getitem__):
                own = list(runs)
                seeds = seed_weights(len(own), settings.bootstrap, settings.seed)
                row = {"suite": pool.suite, "real_pool": pool.real_pool, "source": source, "detector": detector}
                row |= {"n_real": len(places), "n_clusters": n_clusters, "n_seeds": len(own)}
                for metric, share in shares.items():
                    bounds = bounded(estimate(benchmark(share[own][:, None], seeds, n_clusters), drawn), 0)
                    ends = {f"{metric}_low": bounds["ci_low"], f"{metric}_high": bounds["ci_high"]}
                    row |= {metric: bounds["value"]} | ends
                yield row


def _places(pool: Pairing) -> dict[str, list[int]]:
    """Places of each source's pictures among a pool's, by name; the pool's own where they have none."""
    found = defaultdict(list)
    for place, source in enumerate(pool.real_sources):
        found[source or pool.real_pool].append(place)
    return dict(sorted(found.items()))
