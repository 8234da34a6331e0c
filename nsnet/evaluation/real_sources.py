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
from nsnet.evaluation.means import Array, benchmark, estimate
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
        scores: of each run, (runs, pictures); NaN for pictures that it is not judged on.
        resampler: of the same corpus.
        settings: draws and their seed.

    Yields:
        A row for each source and detector.

    Raises:
        ValueError: fewer than two draws.
    """
    position = {image_id: number for number, image_id in enumerate(tested)}
    names = [run["detector"] for run in trained]
    own_thresholds = np.array([run["threshold"] for run in trained])
    thresholds = {"r_acc": np.full(len(trained), THRESHOLD), "r_acc_validation": own_thresholds}
    for _, members in itertools.groupby(contests, key=lambda contest: contest.pool):
        pool = next(members).pairing
        for source, places in _places(pool).items():
            weights = resampler.source(pool, source, places).astype(np.float64)
            mine = scores[:, [position[pool.real[place]] for place in places]]
            shares = {metric: _shares(mine, limits, weights) for metric, limits in thresholds.items()}
            for detector, runs in itertools.groupby(range(len(trained)), key=names.__getitem__):
                own = [number for number in runs if not np.isnan(mine[number]).all()]
                if not own:
                    continue
                judged = [place for place, known in zip(places, ~np.isnan(mine[own]).all(axis=0), strict=True) if known]
                images = [pool.real[place] for place in judged]
                clusters = [pool.real_clusters[place] for place in judged]
                drawn = len(units(pool.suite, images, clusters))
                n_clusters = drawn if any(clusters) else None
                seeds = seed_weights(len(own), settings.bootstrap, settings.seed)
                row = {"suite": pool.suite, "real_pool": pool.real_pool, "source": source, "detector": detector}
                row |= {"n_real": len(judged), "n_clusters": n_clusters, "n_seeds": len(own)}
                for metric, share in shares.items():
                    bounds = bounded(estimate(benchmark(share[own][:, None], seeds, n_clusters), drawn), 0)
                    ends = {f"{metric}_low": bounds["ci_low"], f"{metric}_high": bounds["ci_high"]}
                    row |= {metric: bounds["value"]} | ends
                yield row


def _shares(scores: Array, thresholds: Array, weights: Array) -> Array:
    """Share of each run's judged pictures called real under each weighting, (runs, 1 + draws)."""
    total = (~np.isnan(scores)).astype(np.float64) @ weights.T
    right = (scores < thresholds[:, None]).astype(np.float64) @ weights.T
    shares = np.divide(right, total, out=np.full_like(right, np.nan), where=total > 0)
    # A draw that holds none of a run's pictures tells nothing, and counts as the sample.
    return np.where(total > 0, shares, shares[:, :1])


def _places(pool: Pairing) -> dict[str, list[int]]:
    """Places of each source's pictures among a pool's, by name; the pool's own where they have none."""
    found = defaultdict(list)
    for place, source in enumerate(pool.real_sources):
        found[source or pool.real_pool].append(place)
    return dict(sorted(found.items()))
