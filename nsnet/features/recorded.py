"""A pass recorded as a graph, so that threads of forward passes do not wait for each other's Python.

An eager pass is some hundred steps, before each of which a thread asks for the interpreter's
lock, which the threads that decode hold. A recorded pass asks once.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from nsnet.features.backbone import Backbone

# Below this many pictures, recording takes longer than it saves.
WORTH = 500


@dataclass(frozen=True, kw_only=True)
class RecordedBackbone(Backbone):
    """A backbone one of whose two kinds of pass comes from a graph.

    Attributes:
        graph: of a pass.
        batch: views in it; other passes are made as ever.
        tokens: whether it is the kind that gives tokens.
    """

    graph: Any
    batch: int
    tokens: bool

    def features(self, pixels: torch.Tensor) -> torch.Tensor:
        """As `Backbone.features`."""
        recorded = not self.tokens and len(pixels) == self.batch
        return self.graph(pixels) if recorded else super().features(pixels)

    def features_and_tokens(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `Backbone.features_and_tokens`."""
        recorded = self.tokens and len(pixels) == self.batch
        return self.graph(pixels) if recorded else super().features_and_tokens(pixels)


class _Pass(torch.nn.Module):
    """A pass as a module that owns the tower's weights, which a graph must not hold as constants."""

    def __init__(self, backbone: Backbone, tokens: bool) -> None:
        super().__init__()
        self.model, self.backbone, self.tokens = backbone.model, backbone, tokens

    def forward(self, pixels: torch.Tensor) -> Any:
        return self.backbone.features_and_tokens(pixels) if self.tokens else self.backbone.features(pixels)


def record(backbone: Backbone, batch: int, tokens: bool) -> Backbone:
    """The same tower with one kind of pass recorded, if it then gives the same bits.

    Args:
        backbone: the tower.
        batch: views in a pass.
        tokens: whether passes give tokens too.

    Returns:
        It, or `backbone` itself: on a GPU or with passes of its own, which wait for no lock, or where a bit differs.
    """
    if backbone.device != "cpu" or backbone.passes is not None:
        return backbone
    shape = batch, backbone.views.size, backbone.views.size, 3
    first, second = np.random.default_rng(0).integers(0, 256, (2, *shape), dtype=np.uint8)
    with torch.inference_mode(), backbone.precision(), warnings.catch_warnings():
        # PyTorch would have graphs made by its compiler, which wants a C++ compiler on every machine.
        warnings.simplefilter("ignore")
        graph = torch.jit.trace(_Pass(backbone, tokens).eval(), torch.from_numpy(first), check_trace=False)
    facts = {field.name: getattr(backbone, field.name) for field in fields(backbone)}
    recorded = RecordedBackbone(**facts, graph=graph, batch=batch, tokens=tokens)
    for pixels in (first, second, second):  # a graph is rewritten in its first two runs
        if not all(map(np.array_equal, _encoded(recorded, pixels, tokens), _encoded(backbone, pixels, tokens))):
            return backbone
    return recorded


def _encoded(backbone: Backbone, pixels: np.ndarray, tokens: bool) -> tuple[np.ndarray, ...]:
    return backbone.encode_patches(pixels) if tokens else (backbone.encode_images(pixels),)
