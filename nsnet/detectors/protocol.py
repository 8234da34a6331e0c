"""What every detector offers.

A detector says what it needs, is built from its settings and a context, is fitted on
labelled examples by the trainer that it is given, and scores batches. It knows neither
files nor tables: `nsnet.training` feeds it, `nsnet.detectors.files` keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from nsnet.detectors.settings import DetectorSettings
from nsnet.semantics.null_space import Directions

Scores = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
# From the module, inputs and labels (b,) of a batch to a scalar: the batch's mean loss.
Loss = Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class Needs:
    """What a detector is given, known before it is built; all that determines a training beside its settings.

    Attributes:
        reads: backbone features of a view (n, d), or that view's pixels (n, size, size, 3).
        view: mosaic, crop or full.
        draws: mosaics of each training picture, shown in turn.
        basis: of the null space's directions, themselves, their number alone, or nothing.
        null_space: whose directions: text (of the training set's captions) or a kind of nsnet.semantics.image_basis.
        tower: whether it must have the backbone itself, to train it on.
        pool: whether it is shown the caption pool while it is trained.
        shift: whether it is judged under content shift while it is trained.
        files: files that it is made from, which the run's identity must name by their bytes.
    """

    reads: Literal["features", "pixels"]
    view: str
    draws: int = 1
    basis: Literal["nothing", "rank", "directions"] = "nothing"
    null_space: str = "text"
    tower: bool = False
    pool: bool = False
    shift: bool = False
    files: tuple[Path, ...] = ()


@runtime_checkable
class Examples(Protocol):
    """Labelled inputs, fetched batch by batch: never more than a batch is held.

    Attributes:
        labels: int64 (n,), 1 fake.
    """

    labels: Labels

    def fetch(self, indices: Labels, draw: int) -> torch.Tensor:
        """Inputs of some examples: float32 (b, d) features or uint8 (b, size, size, 3) pixels, of one draw.

        Args:
            indices: which, int64 (b,).
            draw: from 0; detectors that ask for several are shown another each epoch.

        Returns:
            The inputs, in the order of `indices`.
        """


@runtime_checkable
class Tower(Protocol):
    """The backbone itself: nsnet.features.backbone.Backbone.

    Attributes:
        model: whose `visual` makes features (b, d) of normalised pixels.
    """

    @property
    def model(self) -> Any: ...

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (b, size, size, 3) to what `model.visual` takes."""


@dataclass(frozen=True)
class CaptionedPool:
    """The caption pool as a training is shown it.

    Attributes:
        pictures: in the detector's view; all of them real.
        texts: features of their captions, float32 (n, k), of any space.
    """

    pictures: Examples
    texts: npt.NDArray[np.float32]


@dataclass(frozen=True)
class ContentShift:
    """Validation pictures of all training sets: whatever goes with the label in one, both pairings are in them.

    Attributes:
        pictures: in the detector's view, with their labels.
        content: whether a picture's caption has a content word, bool (n,).
    """

    pictures: Examples
    content: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Context:
    """What a detector is built from, beside its settings.

    Attributes:
        backbone: the record of the backbone whose features it reads; kept in its file.
        width: dimension d of a feature.
        basis: the r directions of the null space that the detector needs; none when a detector
            is loaded: its tensors hold what was made of them.
        seed: training seed; the control's random directions are drawn from it.
        tower: the backbone itself, not to be changed, for a detector that needs it.
        pool: captioned real pictures, for a training that needs them.
        shift: what a training that needs it is judged on.
    """

    backbone: Mapping[str, Any]
    width: int
    basis: Directions
    seed: int
    tower: Tower | None = None
    pool: CaptionedPool | None = None
    shift: ContentShift | None = None


@runtime_checkable
class Watcher(Protocol):
    """Looks at a training between its epochs, and may change what is no parameter; kept in its checkpoints."""

    def begin(self, epoch: int) -> None:
        """Called before the first batch of an epoch, counted from 0; not again when it goes on from its middle."""

    def state_dict(self) -> dict[str, Any]:
        """What must outlive a kill."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


@runtime_checkable
class Trainer(Protocol):
    """Who turns the crank: owns device, precision, order, accumulation and checkpoints (nsnet.training.runner).

    Attributes:
        device: where batches lie; a module that meets them must be moved there.
        saves_memory: whether a module should compute its inner values twice rather than hold them.
    """

    device: torch.device
    saves_memory: bool

    def minimise(
        self,
        module: torch.nn.Module,
        loss: Loss,
        examples: Examples,
        *,
        epochs: int,
        batch: int,
        draws: int,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
        name: str = "",
        watcher: Watcher | None = None,
    ) -> None:
        """Minimise `loss(module, inputs, labels)` over shuffled batches of `examples`.

        Args:
            module: trained in place; in evaluation mode on the CPU afterwards.
            loss: mean over the batch, to be called with the module that it is given.
            examples: what is shown, once an epoch.
            epochs: passes over the examples.
            batch: examples behind one update.
            draws: mosaics drawn in turn, epoch by epoch.
            optimiser: over the module's parameters.
            schedule: moved on after every update.
            name: tells apart the minimisations of one `fit`, for their checkpoints.
            watcher: called before each epoch.
        """

    def gathered(self, local: torch.Tensor) -> torch.Tensor:
        """Rows of a batch that several processes share, in the batch's order, with gradients; alone they are its own.

        A loss of a detector that needs the backbone is of gathered rows: what one process would have seen.
        """

    def batches(self, examples: Examples, batch: int, draw: int = 0) -> Iterable[torch.Tensor]:
        """Inputs in order, on the trainer's device.

        Args:
            examples: what to show.
            batch: examples in each, fewer in the last.
            draw: of all of them.

        Yields:
            Batches as `Examples.fetch` gives them.
        """


@runtime_checkable
class Detector(Protocol):
    """A detector of generated images."""

    Settings: ClassVar[type[DetectorSettings]]

    def __init__(self, settings: Any, context: Context) -> None: ...

    @staticmethod
    def needs(settings: Any) -> Needs:
        """What it is given, known before it is built."""

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train; choose settings on `validation` only; return what was chosen.

        Args:
            train, validation: inputs and labels of both splits.
            trainer: runs the training.

        Returns:
            Names and values of what was chosen, kept with the run.
        """

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        """Probability of fake for each input of the batches, in order: float64 (n,) in [0, 1]."""

    def module(self) -> torch.nn.Module:
        """The weights: all that is kept of a trained detector beside its settings and its context."""
