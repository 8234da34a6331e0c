"""What every detector offers, and how a trained one is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from nsnet.core.files import atomic_path

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Split:
    """Labelled inputs: float32 (n, d) features or uint8 (n, size, size, 3) pixels; labels int64 (n,), 1 fake."""

    inputs: npt.NDArray[Any]
    labels: npt.NDArray[np.int64]


class Detector(Protocol):
    """A detector of generated images.

    `reads` says what it is given: backbone features of a view, or that view's pixels.
    """

    reads: Literal["features", "pixels"]

    def fit(self, train: Split, validation: Split, seed: int) -> dict[str, Any]:
        """Train; choose settings on `validation` only; return the chosen settings."""

    def score(self, inputs: npt.NDArray[Any]) -> Scores:
        """Probability of fake for each input, float64 (n,) in [0, 1]."""

    def module(self) -> torch.nn.Module:
        """The trained weights."""


def accuracy(scores: Scores, labels: npt.NDArray[np.int64]) -> float:
    """Share of inputs on the right side of 0.5 (a score of 0.5 is called fake)."""
    return float(((scores >= 0.5) == (labels == 1)).mean())


def save_weights(detector: Detector, path: Path, settings: dict[str, Any]) -> None:
    """Write weights and settings as one safetensors file."""
    tensors = {name: tensor.contiguous() for name, tensor in detector.module().state_dict().items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"settings": json.dumps(settings, sort_keys=True)})


def load_weights(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read what `save_weights` wrote.

    Raises:
        ValueError: if the file is not one of ours.
    """
    with safe_open(path, "pt") as stream:
        metadata = stream.metadata() or {}
        if "settings" not in metadata:
            raise ValueError(f"{path} carries no detector settings: expected a file written by the stage train")
        return {name: stream.get_tensor(name) for name in stream.keys()}, json.loads(metadata["settings"])  # noqa: SIM118
