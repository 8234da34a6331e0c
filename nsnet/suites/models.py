"""The registry's objects; each level reports all its faults at once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nsnet.core.names import nearest
from nsnet.core.settings import Section

Key = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
Certainty = Literal["read", "derived", "issue", "memory"]
Layout = Literal["labelled", "nature_ai", "shared_pools", "manifest"]
# The last five are the lab's.
Family = Literal["gan", "diffusion", "autoregressive", "low-level", "face-swap", "personalised", "platform",
                 "upsampling", "codecs", "denoisers", "splices", "platforms"]  # fmt: skip


def normalised(name: str) -> str:
    """A name without case and without anything but letters and digits."""
    return "".join(character for character in name.casefold() if character.isalnum())


class Count(Section):
    """A number of pictures and where it comes from; `about` if the source rounds it."""

    value: Annotated[int, Field(ge=0)]
    certainty: Certainty
    about: bool = False


class Pool(Section):
    """Real pictures. No folders: they lie beside the fakes, as 0_real or nature."""

    key: Key
    name: str
    folders: list[str] = Field(default_factory=list)
    n: Count | None = None
    note: str | None = None

    @property
    def names(self) -> set[str]:
        """All it is called, normalised; nothing if it has no folder of its own."""
        return {normalised(name) for name in (self.key, self.name, *self.folders)} if self.folders else set()


class Generator(Section):
    """One generator of a suite; counts are of its test pictures, and absent if our sources do not give them.

    Attributes:
        folders: its folder names as unpacked; native_size is in pixels.
        real_pool: the pool it is tested against; in YAML, left out if the reals lie beside its fakes.
        in_domain_for: training sets that hold it.
        same_as: "suite/generator" with the same pictures; in YAML the origin alone.
    """

    key: Key
    name: str
    family: Family
    folders: Annotated[list[str], Field(min_length=1)]
    native_size: Annotated[int, Field(ge=1)] | None = None
    real_pool: str
    n_real: Count | None = None
    n_fake: Count | None = None
    n_total: Count | None = None
    in_domain_for: list[str] = Field(default_factory=list)
    same_as: list[str] = Field(default_factory=list)
    note: str | None = None

    @property
    def names(self) -> set[str]:
        """All it is called, normalised."""
        return {normalised(name) for name in (self.key, self.name, *self.folders)}

    @model_validator(mode="after")
    def _halves_sum(self) -> Generator:
        real, fake, total = self.n_real, self.n_fake, self.n_total
        if real and fake and total and (halves := real.value + fake.value) != total.value:
            raise ValueError(f"n_real and n_fake sum to {halves}, n_total is {total.value}")
        return self


class Source(Section):
    """Folders of a training set that hold one generator's fakes and their reals, as unpacked."""

    generator: str
    family: Family
    folders: Annotated[list[str], Field(min_length=1)]


class TrainingSet(Section):
    """Pictures to train on, and their number, real and fake together."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9_.-]+$")]
    suite: str
    title: str
    sources: Annotated[list[Source], Field(min_length=1)]
    n: Count | None = None
    note: str | None = None


class Suite(Section):
    """A suite. `layouts` maps each form in which it is found to a sketch of its folders."""

    key: Key
    title: str
    citation: str
    licence: str
    hosts: list[str]
    layouts: Annotated[dict[Layout, str], Field(min_length=1)]
    generators: Annotated[dict[str, Generator], Field(min_length=1)]
    pools: dict[str, Pool]
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
        """Give each part its key, and each generator that names no pool one of its own."""
        generators, pools = _keyed(values, "generators"), _keyed(values, "pools")
        for key, generator in generators.items():
            if "real_pool" not in generator:
                generator["real_pool"] = key
                pools.setdefault(key, {"key": key, "name": f"Beside {key}", "n": generator.get("n_real")})
        training_sets = _keyed(values, "training_sets", suite=values.get("key"))
        return {**values, "generators": generators, "pools": pools, "training_sets": training_sets}

    @model_validator(mode="after")
    def _consistent(self) -> Suite:
        faults = []
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
