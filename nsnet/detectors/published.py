"""A linear head as its authors published it, such as UnivFD's fc_weights.pth: nothing is trained.

UnivFD scores fc(encode_image(x)) (WisconsinAIVision/UniversalFakeDetect, models/clip_models.py):
the projected CLIP feature as it is, not L2-normalised and not standardised.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from nsnet.core.device import beside
from nsnet.detectors.protocol import Context, Examples, Needs, Scores, Trainer
from nsnet.detectors.settings import PublishedSettings

# What torch's unpickler meets in bytes that are no pickle.
GARBLED = (LookupError, ValueError, TypeError, AttributeError, struct.error)


class PublishedDetector:
    """sigmoid(w . f + b) on unnormalised features f of one view."""

    Settings: ClassVar[type[PublishedSettings]] = PublishedSettings

    def __init__(self, settings: PublishedSettings, context: Context) -> None:
        self.settings = settings
        self.linear = nn.Linear(context.width, 1)

    @staticmethod
    def needs(settings: PublishedSettings) -> Needs:
        return Needs(settings.reads, settings.view, files=(Path(settings.weights),))

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Take the published weights as they are.

        Args:
            train, validation, trainer: not looked at.

        Returns:
            Nothing: an empty mapping.

        Raises:
            OSError, ValueError: as `read_head`.
        """
        self.linear.load_state_dict(read_head(Path(self.settings.weights), self.linear.in_features))
        return {}

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        with torch.inference_mode():
            parts = [beside(self.linear, batch)(batch).squeeze(1).cpu() for batch in batches]
        return torch.sigmoid(torch.cat(parts).double()).numpy()

    def module(self) -> nn.Module:
        return self.linear


def read_head(file: Path, width: int) -> dict[str, torch.Tensor]:
    """Read a linear head of a given width from .safetensors, or from a .pth that holds nothing but tensors.

    Args:
        file: with the tensors weight (1, width) and bias (1,).
        width: dimension of the backbone's features.

    Returns:
        weight and bias, float32.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file cannot be read, or holds other tensors: what was found and what was expected.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist: expected the weights of a published head")
    try:
        content = load_file(file) if file.suffix == ".safetensors" else torch.load(file, "cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError, *GARBLED) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{file} cannot be read ({reason}): expected tensors, as .safetensors or .pth") from error
    expected = {"weight": (1, width), "bias": (1,)}
    tensors = content if isinstance(content, dict) else {}
    if {name: _shape(value) for name, value in tensors.items()} != expected:
        held = ", ".join(f"{name} {_shape(value)}" for name, value in tensors.items()) or type(content).__name__
        raise ValueError(
            f"{file} holds {held}; expected weight (1, {width}) and bias (1,), for this backbone's features"
        )
    return {name: tensors[name].float() for name in expected}


def _shape(value: Any) -> Any:
    return tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
