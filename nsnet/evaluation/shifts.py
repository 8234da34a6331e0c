"""What a condition costs: the same pictures shown otherwise, and training on what is shown, paired."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from nsnet.evaluation.contests import HELD_OUT, Group
from nsnet.evaluation.means import difference_estimate
from nsnet.evaluation.settings import Evaluate
from nsnet.evaluation.summaries import Row, Summary, bounded, difference_of, population_columns
from nsnet.features.conditions import CLEAN

SHIFTED = ("acc", "ap", "auroc")
# What a row's figure is compared with: the same runs on pictures as they are, or runs trained on those, under the
# same condition.
DELIVERED, MATCHED = "delivered", "matched"

Means = Mapping[str, Summary]


@dataclass
class Shifts:
    """Pairs up held-out means of several conditions, met in the order of the evaluation: clean ones first.

    Attributes:
        settings: draws and their seed.
    """

    settings: Evaluate
    _kept: dict[tuple[str, ...], Means] = field(default_factory=dict)

    def rows(
        self, place: tuple[str, str], condition: str, group: Group, metric: str, summaries: Means
    ) -> Iterator[Row]:
        """Compare what has just been summarised with what was kept, and keep it if others will need it.

        Args:
            place: training set and training condition.
            condition: that the pictures were shown under.
            group: of contests; but for held-out ones nothing is compared.
            metric: of `SHIFTED`, or nothing is compared.
            summaries: by detector.

        Yields:
            Columns of the table condition_shifts that differ between detectors and comparisons.

        Raises:
            ValueError: as `difference_estimate`.
        """
        if group.name != HELD_OUT or metric not in SHIFTED:
            return
        training_set, train_condition = place
        of = group.table, metric, training_set
        if condition == CLEAN.name or train_condition == CLEAN.name:
            self._kept[*of, train_condition, condition] = summaries
        if condition == CLEAN.name:
            return
        yield from self._compared(DELIVERED, group, summaries, self._kept.get((*of, train_condition, CLEAN.name), {}))
        if train_condition != CLEAN.name:
            yield from self._compared(MATCHED, group, summaries, self._kept.get((*of, CLEAN.name, condition), {}))

    def next_condition(self, condition: str) -> None:
        """Forget what only the last condition's comparisons needed.

        Args:
            condition: that comes next.
        """
        self._kept = {place: kept for place, kept in self._kept.items() if place[-1] in (CLEAN.name, condition)}

    def _compared(self, comparison: str, group: Group, these: Means, those: Means) -> Iterator[Row]:
        for detector, one in these.items():
            if (other := those.get(detector)) is None:
                continue
            here, elsewhere = difference_of(one, other, group, self.settings)
            near = bounded(difference_estimate(here, one.benchmark, other.benchmark, one.size), -1)
            far = None
            if elsewhere and one.population and other.population:
                far = difference_estimate(elsewhere, one.population, other.population, one.size)
            row = {"comparison": comparison, "detector": detector, "difference": near.pop("value"), **near}
            yield row | population_columns(far, -1)


def clean_first(conditions: list[str]) -> list[str]:
    """Conditions in the order in which they can be compared.

    Args:
        conditions: evaluate.conditions.

    Returns:
        The same, `clean` first.
    """
    return sorted(conditions, key=lambda name: name != CLEAN.name)


def in_order(part: tuple[tuple[object, ...], object]) -> tuple[str, bool, str]:
    """Sort key of the runs of a place: by training set, those trained on pictures as they are first.

    Args:
        part: (training set, training condition) and whatever belongs to it.

    Returns:
        The key.
    """
    training_set, train_condition = map(str, part[0])
    return training_set, train_condition != CLEAN.name, train_condition
