"""What a suite is made of: counts, pools, generators and training sets; each reports all its faults at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from nsnet.core.settings import Section

Key = Annotated[str, Field(pattern=r"^[a-z0-9_-]+$")]
Certainty = Literal["read", "derived", "issue", "memory"]
# The last three are read from files of the suite's own.
Layout = Literal["labelled", "nature_ai", "shared_pools", "manifest", "listed", "captioned", "named"]
# Text-to-image models by architecture are those of suites that have nothing else; the last five are the lab's.
Family = Literal["gan", "diffusion", "autoregressive", "low-level", "face-swap", "personalised", "platform",
                 "u-net", "dit", "mmdit", "video", "multimodal", "masked",
                 "upsampling", "codecs", "denoisers", "splices", "platforms"]  # fmt: skip


def normalised(name: str) -> str:
    """A name without case and without anything but letters and digits."""
    return "".join(character for character in name.casefold() if character.isalnum())


class Count(Section):
    """A number of pictures and where it comes from; `about` if the source rounds it."""

    value: Annotated[int, Field(ge=0)]
    certainty: Certainty
    about: bool = False


class Release(Section):
    """When a generator could first be used by anybody, year and month."""

    month: Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
    certainty: Certainty


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
        folders: its folder names as unpacked; in YAML, left out if the one is its name. native_size is in pixels.
        pipeline: class of the program that runs it.
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
    pipeline: str | None = None
    released: Release | None = None
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
