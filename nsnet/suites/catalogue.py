"""Suites, protocols and the registry of both; each level reports all its faults at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field, model_validator

from nsnet.core.names import nearest
from nsnet.core.settings import Section
from nsnet.suites.contents import Generator, Key, Layout, Pool, TrainingSet, normalised


class Suite(Section):
    """A suite, of generators or of real pools alone.

    `layouts` maps each form in which it is found to a sketch of its folders.
    """

    key: Key
    title: str
    citation: str
    licence: str
    hosts: list[str]
    layouts: Annotated[dict[Layout, str], Field(min_length=1)]
    generators: dict[str, Generator] = Field(default_factory=dict)
    pools: dict[str, Pool] = Field(default_factory=dict)
    training_sets: dict[str, TrainingSet] = Field(default_factory=dict)
    notes: list[str] = Field(default_factory=list)

    def find(self, folder: str) -> Generator | None:
        """The generator of that key, name or folder, whatever its case and punctuation."""
        return self.generators_by_name.get(normalised(folder))

    def find_pool(self, folder: str) -> Pool | None:
        """The pool in that folder. Reals beside the fakes have no folder of their own and are not found."""
        return self.pools_by_name.get(normalised(folder))

    def knows(self, folder: str) -> bool:
        """Is it called like one of the suite's generators, pools or training folders?"""
        name = normalised(folder)
        return name in self.generators_by_name or name in self.pools_by_name or name in self.training_folders

    @cached_property
    def generators_by_name(self) -> dict[str, Generator]:
        """Generators by everything they are called, normalised."""
        return {name: generator for generator in self.generators.values() for name in generator.names}

    @cached_property
    def pools_by_name(self) -> dict[str, Pool]:
        """Pools by everything they are called, normalised."""
        return {name: pool for pool in self.pools.values() for name in pool.names}

    @cached_property
    def training_folders(self) -> set[str]:
        """Folders of the training sets, normalised."""
        sources = (source for known in self.training_sets.values() for source in known.sources)
        return {normalised(folder) for source in sources for folder in source.folders}

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        """Give each part its key, each generator its folder, and one that names no pool one of its own."""
        generators, pools = _keyed(values, "generators"), _keyed(values, "pools")
        for key, generator in generators.items():
            if isinstance(name := generator.get("name"), str):
                generator.setdefault("folders", [name])
            if "real_pool" not in generator:
                generator["real_pool"] = key
                pools.setdefault(key, {"key": key, "name": f"Beside {key}", "n": generator.get("n_real")})
        training_sets = _keyed(values, "training_sets", suite=values.get("key"))
        return {**values, "generators": generators, "pools": pools, "training_sets": training_sets}

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        faults = [] if self.generators or self.pools else ["expected generators or pools, got neither"]
        owners: dict[str, str] = {}
        parts: list[Generator | Pool] = [*self.generators.values(), *self.pools.values()]
        for owned in parts:
            owner = f"{type(owned).__name__.lower()} {owned.key}"
            for name in sorted(owned.names):
                first = owners.setdefault(name, owner)
                if first != owner:
                    faults.append(f"{owner}: the name {name!r}, case and punctuation aside, is that of {first} too")
        for key, generator in self.generators.items():
            faults += _missing(f"generator {key}: real_pool", [generator.real_pool], self.pools)
        if faults:
            raise ValueError("\n".join(faults))
        return self


class Protocol(Section):
    """A list of generators that makes up a published mean, and how sure the list is."""

    key: Key
    title: str
    statement: str
    size: int
    members: list[str]


class Registry(Section):
    """All suites and protocols; what one says of another is checked here."""

    suites: dict[str, Suite]
    protocols: dict[str, Protocol]

    @model_validator(mode="before")
    @classmethod
    def _fill_in(cls, values: Any) -> Any:
        return {name: _keyed(values, name) for name in ("suites", "protocols")}

    @model_validator(mode="after")
    def _consistent(self) -> Registry:
        faults = []
        training_sets: dict[str, str] = {}
        for suite in self.suites.values():
            for key in suite.training_sets:
                if (first := training_sets.setdefault(key, suite.key)) != suite.key:
                    faults.append(f"training set {key} is defined by {first} and by {suite.key}")
        members = {f"{suite.key}/{g.key}": g for suite in self.suites.values() for g in suite.generators.values()}
        for member, generator in members.items():
            faults += _missing(f"{member}: in_domain_for", generator.in_domain_for, training_sets)
            faults += _missing(f"{member}: same_as", generator.same_as, members)
        for protocol in self.protocols.values():
            faults += _missing(f"protocol {protocol.key}: members", protocol.members, members)
            got, distinct = len(protocol.members), len(set(protocol.members))
            if not got == distinct == protocol.size:
                expected = f"protocol {protocol.key}: expected {protocol.size} members"
                faults.append(f"{expected}, got {got}, {distinct} of them distinct")
            for member in sorted(set(protocol.members) & members.keys()):
                copies = sorted(set(members[member].same_as) & set(protocol.members))
                faults += [
                    f"protocol {protocol.key}: {member} and {copy} are the same pictures"
                    for copy in copies
                    if member < copy
                ]
        if faults:
            raise ValueError("\n".join(faults))
        return self


def _keyed(values: dict[str, Any], part: str, **more: Any) -> dict[str, Any]:
    return {key: {"key": key, **more, **value} for key, value in values.get(part, {}).items()}


def _missing(place: str, names: list[str], known: Collection[str]) -> Iterator[str]:
    return (f"{place}: unknown {name!r}{nearest(name, known)}" for name in names if name not in known)
