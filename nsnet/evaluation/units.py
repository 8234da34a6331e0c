"""What is drawn: pictures by themselves, and clusters of pictures that are not independent of each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from nsnet.corpus.pairings import Pairing
from nsnet.evaluation.resampling import Clusters, clustered_resamples
from nsnet.evaluation.settings import Evaluate


@dataclass(frozen=True)
class Units:
    """Numbers of independent reals and fakes.

    Attributes:
        n_real, n_fake: clusters, and pictures that are in none; each counts once however many generators share it.
        real_clusters, fake_clusters: whether any of them is a cluster.
    """

    n_real: int
    n_fake: int
    real_clusters: bool = False
    fake_clusters: bool = False

    def drawn(self, metric: str) -> int | None:
        """Units of the side whose clusters are fewest among those that a metric depends on; None without clusters."""
        sides = {"r_acc": [(self.n_real, self.real_clusters)], "f_acc": [(self.n_fake, self.fake_clusters)]}
        both = [*sides["r_acc"], *sides["f_acc"]]
        return min((count for count, clustered in sides.get(metric, both) if clustered), default=None)

    @property
    def n_clusters(self) -> int | None:
        """Units of the fakes; None where no fake is in a cluster."""
        return self.n_fake if self.fake_clusters else None


def units_of(pairings: Iterable[Pairing]) -> Units:
    """The units behind some generators and their pools.

    Args:
        pairings: of one or several suites; clusters of two suites are not the same.

    Returns:
        Their numbers.
    """
    real: set[object] = set()
    fake: set[object] = set()
    clustered = [False, False]
    for pair in pairings:
        real |= units(pair.suite, pair.real, pair.real_clusters)
        fake |= units(pair.suite, pair.fake, pair.fake_clusters)
        clustered[0] |= any(pair.real_clusters)
        clustered[1] |= any(pair.fake_clusters)
    return Units(len(real), len(fake), *clustered)


def units(suite: str, image_ids: Sequence[str], clusters: Sequence[str | None]) -> set[object]:
    """What is drawn of some pictures: their clusters, and pictures that have none.

    Args:
        suite: whose clusters they are.
        image_ids: of the pictures.
        clusters: of each, or None.

    Returns:
        (suite, cluster) or image_id.
    """
    return {
        image_id if cluster is None else (suite, cluster) for image_id, cluster in zip(image_ids, clusters, strict=True)
    }


class Resampler:
    """Bootstrap counts of the pictures of every generator and pool, by names and a seed alone."""

    def __init__(self, pairings: Iterable[Pairing], settings: Evaluate) -> None:
        """Learn the clusters of each suite.

        Args:
            pairings: of the corpus.
            settings: draws and their seed.
        """
        self._settings = settings
        found: dict[str, set[str | None]] = defaultdict(set)
        for pair in pairings:
            found[f"real clusters/{pair.suite}"].update(pair.real_clusters)
            found[f"fake clusters/{pair.suite}"].update(pair.fake_clusters)
        self._clusters = {
            name: Clusters(tuple(sorted(one for one in known if one is not None)), name)
            for name, known in found.items()
        }

    def fakes(self, pairing: Pairing) -> Float32[np.ndarray, "rows n_fake"]:
        """Counts of a generator's fakes, (1 + draws, n_fake), as `clustered_resamples`."""
        return self._draw(pairing.fake_clusters, f"fake clusters/{pairing.suite}", f"fake/{pairing.name}")

    def reals(self, pairing: Pairing) -> Float32[np.ndarray, "rows n_real"]:
        """Counts of its pool's reals, (1 + draws, n_real), as `clustered_resamples`."""
        name = f"real/{pairing.suite}/{pairing.real_pool}"
        return self._draw(pairing.real_clusters, f"real clusters/{pairing.suite}", name)

    def source(self, pairing: Pairing, source: str, places: Sequence[int]) -> Float32[np.ndarray, "rows n"]:
        """Counts of the reals of one source of its pool: those of the pool if it has no other.

        Args:
            pairing: of a generator that is compared with the pool.
            source: its name.
            places: of its pictures among the pool's.

        Returns:
            As `clustered_resamples`, (1 + draws, pictures of the source).
        """
        if len(places) == len(pairing.real):
            return self.reals(pairing)
        clusters = [pairing.real_clusters[place] for place in places]
        name = f"real/{pairing.suite}/{pairing.real_pool}/{source}"
        return self._draw(clusters, f"real clusters/{pairing.suite}", name)

    def _draw(self, clusters: Sequence[str | None], among: str, name: str) -> Float32[np.ndarray, "rows n"]:
        draws, seed = self._settings.bootstrap, self._settings.seed
        return clustered_resamples(clusters, self._clusters[among], draws, seed, name)
