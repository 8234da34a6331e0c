"""Exams: which test pictures a run is judged on, none of them trained on and none of a generator that was."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from nsnet.corpus.protocols import drawn_from
from nsnet.corpus.recognition import TRAINED
from nsnet.evaluation.contests import Contest

# Training set, and the draw of it; None where it was not drawn.
Place = tuple[str, int | None]


@dataclass(frozen=True)
class Pictures:
    """What a training set's runs have seen.

    Attributes:
        seen: image_ids of training and validation pictures.
        validation: those of the latter, in order.
        generators: suite and generator of the fakes.
    """

    seen: frozenset[str] = frozenset()
    validation: tuple[str, ...] = ()
    generators: frozenset[tuple[str, str]] = frozenset()


class Exams:
    """Contests, and which of them a run may take part in.

    Training sets and tests are apart, and every run is judged on all, but for sets that were drawn
    (nsnet.corpus.protocols): those train on pictures that test other draws.
    """

    def __init__(self, contests: list[Contest], trained: Mapping[Place, Pictures]) -> None:
        """Match contests with what was trained on.

        Args:
            contests: of the corpus, from `contests_of`.
            trained: from `trained_pictures`; empty where the runs are of another corpus.
        """
        self.contests = contests
        self._trained = trained
        self._fought = {place: self._open_to(pictures) for place, pictures in trained.items() if place[1] is not None}

    def draws(self, training_set: str) -> list[int | None]:
        """The draws of a training set; None alone where it was not drawn, or is not known."""
        found = sorted(draw for name, draw in self._fought if name == training_set and draw is not None)
        return [*found] or [None]

    def fought(self, run: Mapping[str, Any]) -> list[bool]:
        """Of each contest, whether a run of a drawn set saw neither its generator nor all of its reals; else True."""
        return self._fought.get(self._place(run), [True] * len(self.contests))

    def trained(self, run: Mapping[str, Any]) -> Pictures:
        """What a run has seen: its training set's pictures, of the draw that its seed trains on.

        Args:
            run: row of the table runs.

        Returns:
            The pictures.
        """
        return self._trained.get(self._place(run), Pictures())

    def tested(self, run: Mapping[str, Any]) -> list[str]:
        """image_id of every picture that a run is judged on, in order."""
        pairs = [one.pairing for one, fought in zip(self.contests, self.fought(run), strict=True) if fought]
        pictures = {image_id for pair in pairs for image_id in (*pair.real, *pair.fake)}
        return sorted(pictures - self.trained(run).seen if self._place(run) in self._fought else pictures)

    def _open_to(self, trained: Pictures) -> list[bool]:
        # By name: a biased set leaves pictures of its generators over. By picture: one may bear two names.
        pairs = [contest.pairing for contest in self.contests]
        return [
            (drawn_from(pair.suite), pair.generator) not in trained.generators
            and trained.seen.isdisjoint(pair.fake)
            and not trained.seen.issuperset(pair.real)
            for pair in pairs
        ]

    def _place(self, run: Mapping[str, Any]) -> Place:
        draws = self.draws(run["training_set"])
        return run["training_set"], draws[run["seed"] % len(draws)]


def trained_pictures(samples: pl.DataFrame) -> dict[Place, Pictures]:
    """What each training set holds.

    Args:
        samples: table samples.

    Returns:
        By training set and draw.
    """
    rows = samples.filter(pl.col("training_set").is_not_null() & pl.col("split").is_in(TRAINED))
    found: dict[Place, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    generators: dict[Place, set[tuple[str, str]]] = defaultdict(set)
    columns = ("training_set", "draw", "split", "image_id", "label", "suite", "generator")
    for name, draw, split, image_id, label, suite, generator in rows.select(columns).iter_rows():
        found[name, draw][split].add(image_id)
        if label:
            generators[name, draw].add((suite, generator))
    return {
        place: Pictures(_union(splits.values()), tuple(sorted(splits["validation"])), frozenset(generators[place]))
        for place, splits in found.items()
    }


def _union(parts: Iterable[set[str]]) -> frozenset[str]:
    return frozenset().union(*parts)
