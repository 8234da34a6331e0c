"""The forty simulated generators: strengths from simulators.yaml, code from one module per family."""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import yaml

from nsnet.core.names import unknown
from nsnet.lab.portable import Image

REGISTRY = Path(__file__).parent / "simulators.yaml"


class Simulate(Protocol):
    """What each of the forty functions in this package's modules is; their docstrings say how the artefact is made."""

    def __call__(self, image: Image, rng: np.random.Generator, strength: float, /) -> Image:
        """Make a fake of a photograph.

        Args:
            image: float32 (H, W, 3), display-referred (gamma 1/2.2) in [0, 1]; sides are multiples of 8, from 128 on.
            rng: what is drawn at random; a simulator may leave it alone.
            strength: share of the full artefact, in (0, 1].

        Returns:
            The fake, float32 of the same shape; values may leave [0, 1] and are clipped when saved.
        """


@dataclass(frozen=True)
class Simulator:
    """A simulated generator: a photograph goes in, a fake comes out.

    Attributes:
        key: name in tables.
        family: one of the five families, which is also the module of `apply`.
        strength: share of the full artefact, in (0, 1].
        apply: the function that makes a fake of a photograph.
    """

    key: str
    family: str
    strength: float
    apply: Simulate


@functools.cache
def simulators() -> dict[str, Simulator]:
    """All simulators by key, in the registry's order (family by family, easy to hard)."""
    by_key = {}
    for family, members in yaml.safe_load(REGISTRY.read_text()).items():
        module = importlib.import_module(f"{__name__}.{family}")
        for key, strength in members.items():
            by_key[key] = Simulator(key, family, float(strength), getattr(module, key))
    return by_key


def simulator(key: str) -> Simulator:
    """One simulator by name.

    Raises:
        ValueError: unknown name, with the nearest ones.
    """
    if key not in simulators():
        raise unknown("simulator", key, simulators())
    return simulators()[key]
