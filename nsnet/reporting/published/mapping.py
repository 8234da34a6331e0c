"""What published names mean here: the sections of mapping.yaml, and what is wrong with them beside the figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from nsnet.core.names import nearest
from nsnet.core.settings import Section
from nsnet.evaluation.metrics import METRICS
from nsnet.features.conditions import CLEAN
from nsnet.features.deliveries import DELIVERIES
from nsnet.suites import suites

Row: TypeAlias = Mapping[str, str]
Reason = Annotated[str, Field(min_length=1)]
Column = Literal["suite", "generator", "method", "train_set", "condition", "metric", "source"]
# What is mapped, and the column of figures.csv that has its printed name; generators are found by the registry first.
Part = Literal["suite", "generator", "training_set", "condition", "metric"]
COLUMNS: dict[Part, Column] = {
    **{"suite": "suite", "generator": "generator", "training_set": "train_set"},
    **{"condition": "condition", "metric": "metric"},
}
WORDS: dict[Part, str] = {
    **{"suite": "suite", "generator": "generator", "training_set": "training set"},
    **{"condition": "condition", "metric": "kind of accuracy"},
}


class Name(Section):
    """What a printed name is called here; null if we have no such thing. Either way with the reason."""

    key: str | None
    why: Reason


class Selection(Section):
    """Figures whose columns hold one of the values named."""

    where: Annotated[dict[Column, list[str]], Field(min_length=1)]

    def takes(self, row: Row) -> bool:
        """Is the figure one of them?"""
        return all(row[column] in values for column, values in self.where.items())


class Override(Selection, Name):
    """Figures for which a printed name means something else than elsewhere."""

    part: Part


class Doubt(Selection):
    """What is known against figures, and who says so."""

    note: Reason
    source: Reason


class Means(Section):
    """How a plain mean over generators is printed, and sources that print it alone, with the generators they count.

    Elsewhere a mean is over the generators whose figures stand beside it.
    """

    printed: str
    why: Reason
    alone: dict[str, int]


class Names(Section):
    """mapping.yaml."""

    suites: dict[str, Name]
    generators: dict[str, Name]
    training_sets: dict[str, Name]
    conditions: dict[str, Name]
    metrics: dict[str, Name]
    means: Means
    exceptions: list[Override]
    doubts: list[Doubt]

    def of(self, part: Part) -> dict[str, Name]:
        """Names of one kind, by what is printed."""
        found: dict[str, Name] = getattr(self, f"{part}s")
        return found

    def meaning(self, part: Part, row: Row) -> Name:
        """What a part of a figure is called here.

        Args:
            part: of the figure.
            row: of figures.csv, with a suite that `faults` does not complain of.

        Returns:
            Its key or null, and why.
        """
        for exception in self.exceptions:
            if exception.part == part and exception.takes(row):
                return exception
        printed = row[COLUMNS[part]]
        if part == "generator":
            suite = self.meaning("suite", row).key
            found = suites()[suite].find(printed) if suite else None
            if found:
                return Name(key=found.key, why=f"the registry finds it by {printed!r}")
        return self.of(part)[printed]

    def faults(self, rows: Iterable[Row]) -> Iterator[str]:
        """What is wrong with these names, beside the figures: unknown keys, and names without a use or a meaning.

        Args:
            rows: of figures.csv.

        Yields:
            A line each.
        """
        rows = list(rows)
        known: dict[Part, set[str]] = {
            "suite": set(suites()),
            "training_set": {key for suite in suites().values() for key in suite.training_sets},
            "condition": {CLEAN.name, *(delivery.name for delivery in DELIVERIES)},
            "metric": set(METRICS),
        }
        for part, keys in known.items():
            printed = {row[COLUMNS[part]] for row in rows}
            yield from self._of_part(part, printed, keys)
        yield from self._of_generators(rows)
        for number, exception in enumerate(self.exceptions):
            yield from _unknown(f"exceptions.{number}", exception.key, known.get(exception.part, set()))
        for kind, selections in (("exceptions", self.exceptions), ("doubts", self.doubts)):
            for number, selection in enumerate(selections):
                if not any(selection.takes(row) for row in rows):
                    yield f"{kind}.{number}: no figure is so: {selection.where}"

    def _of_part(self, part: Part, printed: set[str], keys: set[str]) -> Iterator[str]:
        names = self.of(part)
        yield from (f"{part}s: no meaning of {name!r}{nearest(name, names)}" for name in sorted(printed - names.keys()))
        yield from (f"{part}s.{name}: no figure is so{nearest(name, printed)}" for name in names.keys() - printed)
        for name, meaning in names.items():
            yield from _unknown(f"{part}s.{name}", meaning.key, keys)

    def _of_generators(self, rows: list[Row]) -> Iterator[str]:
        places = {(row["suite"], row["generator"]) for row in rows}
        unused = self.generators.keys() - {generator for _, generator in places}
        yield from (f"generators.{name}: no figure is so" for name in sorted(unused))
        yield from (
            f"generators.{name}: expected null, got {meaning.key!r}: the registry finds generators by their names"
            for name, meaning in self.generators.items()
            if meaning.key is not None
        )
        for printed, generator in sorted(places):
            suite = suites().get(self.suites[printed].key or "") if printed in self.suites else None
            if suite is None or generator in (self.means.printed, *self.generators) or suite.find(generator):
                continue
            near = nearest(generator, [known.name for known in suite.generators.values()])
            yield f"generators: {suite.key} has no {generator!r}, and no reason is given{near}"
        alone = self.means.alone.keys() - {row["source"] for row in rows}
        yield from (f"means.alone: no figure is from {source!r}" for source in sorted(alone))


def _unknown(place: str, key: str | None, known: set[str]) -> Iterator[str]:
    if key is not None and key not in known:
        yield f"{place}: unknown key {key!r}{nearest(key, known)}"
