"""Which generators enter which means: every test generator with its pool, its suite and its protocols."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from nsnet.corpus.pairings import Pairing, pairings
from nsnet.suites import protocols

HELD_OUT, IN_DOMAIN = "held-out", "in-domain"


@dataclass(frozen=True)
class Contest:
    """One generator's fakes against its pool of reals, and the tables (suite, protocols) it is reported in."""

    pairing: Pairing
    tables: tuple[str, ...]

    @property
    def pool(self) -> tuple[str, str]:
        """What contests share that are fought against the same reals."""
        return self.pairing.suite, self.pairing.real_pool

    def seen_by(self, training_set: str) -> bool:
        """Whether the training set holds the generator."""
        return training_set in self.pairing.in_domain_for

    def groups(self, training_set: str) -> list[tuple[str, str]]:
        """(table, group) whose means this generator enters; one seen in training enters no held-out group."""
        names = [IN_DOMAIN] if self.seen_by(training_set) else [HELD_OUT, f"family:{self.pairing.family}"]
        own = (self.pairing.suite, f"generator:{self.pairing.name}")
        return [own, *((table, name) for table in self.tables for name in names)]


@dataclass(frozen=True)
class Group:
    """Contests whose mean is taken: their places in the list of contests, and the images behind them."""

    table: str
    name: str
    members: list[int]
    n_real: int
    n_fake: int


def contests_of(samples: pl.DataFrame) -> list[Contest]:
    """The contests of a corpus, those of one pool next to each other.

    A generator enters the means of its suite and of every protocol that names it, which
    names no picture twice.

    Raises:
        ValueError: no fakes to test, or pools without reals, all of them named.
    """
    known = protocols()
    contests = [
        Contest(pair, (pair.suite, *(key for key, protocol in known.items() if pair.name in protocol.members)))
        for pair in pairings(samples)
    ]
    return sorted(contests, key=lambda contest: (contest.pool, contest.pairing.generator))


def groups_of(contests: list[Contest], training_set: str, judged: Sequence[bool] | None = None) -> list[Group]:
    """Every group of a training set, by table and name; an image that serves several contests counts once.

    Args:
        contests: of the corpus.
        training_set: whose in-domain generators count.
        judged: which contests some run takes part in; all if left out.

    Returns:
        Groups, sorted, with the places of their members in `contests`.
    """
    members: dict[tuple[str, str], list[int]] = defaultdict(list)
    for place, contest in enumerate(contests):
        for key in contest.groups(training_set) if judged is None or judged[place] else ():
            members[key].append(place)
    return [
        Group(
            table,
            name,
            places,
            _distinct(contests[place].pairing.real for place in places),
            _distinct(contests[place].pairing.fake for place in places),
        )
        for (table, name), places in sorted(members.items())
    ]


def pictures_of(contests: list[Contest]) -> list[str]:
    """image_id of every picture in a contest, in order."""
    return sorted({image_id for contest in contests for image_id in (*contest.pairing.real, *contest.pairing.fake)})


def _distinct(lists: Iterable[list[str]]) -> int:
    return len(set().union(*lists))
