"""What every detector offers.

A detector says what it needs, is built from its settings and a context, is fitted on
labelled examples by the runner that it is given, and scores batches. It knows neither
files nor tables: `nsnet.training` feeds it, `nsnet.detectors.files` keeps it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch

from nsnet.detectors.settings import DetectorSettings

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
# A score from here on is called fake; the peers' code calls 0.5 itself real.
THRESHOLD = 0.5


@dataclass(frozen=True)
class Needs:
    """What a detector is given: backbone features of a view (n, d), or that view's pixels (n, size, size, 3)."""

    reads: Literal["features", "pixels"]
    view: str
    draws: int = 1


@dataclass(frozen=True)
class Context:
    """What a detector is built from, beside its settings.

    Attributes:
        backbone: the record of the backbone whose features it reads; kept in its file.
        width: dimension d of a feature.
        basis: float64 (r, d), orthonormal semantic directions of the training set's captions.
        seed: training seed; the control's random directions are drawn from it.
    """

    backbone: Mapping[str, Any]
    width: int
    basis: npt.NDArray[np.float64]
    seed: int


class Examples(Protocol):
    """Labelled inputs, fetched batch by batch: never more than a batch is held.

    Attributes:
        labels: int64 (n,), 1 fake.
    """

    labels: Labels

    def fetch(self, indices: Labels, draw: int) -> torch.Tensor:
        """Inputs of some examples: float32 (b, d) features or uint8 (b, size, size, 3) pixels, of one draw."""


class Trainer(Protocol):
    """Who turns the crank: owns device, precision, order, accumulation and checkpoints (nsnet.training.runner)."""

    def minimise(
        self,
        module: torch.nn.Module,
        loss: Any,
        examples: Examples,
        *,
        epochs: int,
        batch: int,
        draws: int,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
        name: str = "",
    ) -> None:
        """Minimise `loss(module, inputs, labels)` over shuffled batches of `examples`."""

    def batches(self, examples: Examples, batch: int, draw: int = 0) -> Iterable[torch.Tensor]:
        """Inputs in order, on the runner's device."""


class Detector(Protocol):
    """A detector of generated images."""

    Settings: ClassVar[type[DetectorSettings]]

    def __init__(self, settings: Any, context: Context) -> None: ...

    @staticmethod
    def needs(settings: Any) -> Needs:
        """What it is given, known before it is built."""

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train; choose settings on `validation` only; return what was chosen."""

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        """Probability of fake for each input of the batches, in order: float64 (n,) in [0, 1]."""

    def module(self) -> torch.nn.Module:
        """The weights: all that is kept of a trained detector beside its settings."""
