"""The forty simulated generators: strengths from simulators.yaml, code from one module per family."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from nsnet.core.names import unknown
from nsnet.lab.portable import Image

REGISTRY = Path(__file__).parent / "simulators.yaml"


@dataclass(frozen=True)
class Simulator:
    """A simulated generator: a photograph goes in, a fake comes out.

    Attributes:
        key: name in tables.
        family: one of the five families, which is also the module of `apply`.
        strength: share of the full artefact, in (0, 1].
        apply: (float32 (H, W, 3) picture in [0, 1], rng, strength) to a picture of the same shape.
    """

    key: str
    family: str
    strength: float
    apply: Callable[[Image, np.random.Generator, float], Image]


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
