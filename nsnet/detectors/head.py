"""The head that every detector with a null space ends in: unit feature, projection, standardisation, linear layer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from nsnet.detectors.protocol import Context
from nsnet.detectors.settings import NullSpace
from nsnet.semantics.null_space import no_directions, random_directions


class Head(nn.Module):
    """Projection, standardisation, adapter and one linear layer."""

    def __init__(self, projection: Float[torch.Tensor, "d d"], adapter: bool) -> None:
        super().__init__()
        width = len(projection)
        self.projection: torch.Tensor
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("projection", projection)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        # On frozen features the contrastive loss needs something to move: a square layer I + A stands where
        # the paper has the backbone's LoRA weights. Only A is a parameter, zero at the start, so that weight
        # decay draws the layer to the identity; a layer drawn to zero would shrink the features themselves,
        # most where no loss holds them, and a loss switched on or off would be compared with that.
        self.adapter = nn.Linear(width, width, bias=False) if adapter else None
        self.linear = nn.Linear(width, 1)
        for layer in (self.adapter, self.linear):
            if layer is not None:
                nn.init.zeros_(layer.weight)
        nn.init.zeros_(self.linear.bias)

    def project(self, features: Float[torch.Tensor, "n d"]) -> Float[torch.Tensor, "n d"]:
        """Unit feature times P, float32 (n, d) to (n, d)."""
        return functional.normalize(features, dim=1) @ self.projection

    def standardise(self, features: Float[torch.Tensor, "n d"]) -> Float[torch.Tensor, "n d"]:
        """Projected features less the training mean, over one common scale, (n, d)."""
        return (self.project(features) - self.mean) / self.scale

    def decide(
        self, standardised: Float[torch.Tensor, "n d"]
    ) -> tuple[Float[torch.Tensor, " n"], Float[torch.Tensor, "n d"]]:
        """Standardised features (n, d) to logits (n,) and decoupled features (n, d)."""
        decoupled = standardised
        if self.adapter is not None:
            decoupled = standardised + self.adapter(standardised)
        return self.linear(decoupled).squeeze(1), decoupled

    def forward(
        self, features: Float[torch.Tensor, "n d"]
    ) -> tuple[Float[torch.Tensor, " n"], Float[torch.Tensor, "n d"]]:
        """Features (n, d) to logits (n,) and decoupled features (n, d)."""
        return self.decide(self.standardise(features))


def needed_basis(null_space: NullSpace) -> Literal["nothing", "rank", "directions"]:
    """What a null space is made of: the directions themselves, or their number for random ones."""
    if null_space == "none":
        return "nothing"
    return "rank" if null_space == "random" else "directions"


def projection_of(null_space: NullSpace, context: Context) -> Float[torch.Tensor, "d d"]:
    """The projection that a detector starts from.

    Args:
        null_space: of its settings.
        context: with the directions that it needs; random ones are drawn from its seed.

    Returns:
        P, float32 (d, d).
    """
    directions = context.basis
    if null_space == "none":
        directions = no_directions(context.width)
    elif null_space == "random":
        directions = random_directions(len(directions), context.width, context.seed)
    return torch.from_numpy(directions.projection.astype(np.float32))


def statistics(projected: Iterable[Float[torch.Tensor, "_ d"]]) -> tuple[Float[torch.Tensor, " d"], float]:
    """Mean of projected training features and one common scale, summed in float64.

    One scale for all dimensions: the directions the null space emptied must not be blown up again.

    Args:
        projected: batches of them, at least one.

    Returns:
        Mean, float32 (d,), and the root of the mean variance.

    Raises:
        ValueError: all features are the same.
    """
    total, squares, count = torch.zeros(()), torch.zeros(()), 0
    for batch in projected:
        exact = batch.double().cpu()
        total, squares, count = total + exact.sum(dim=0), squares + exact.square().sum(dim=0), count + len(exact)
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0).mean()
    if not variance > 0:
        raise ValueError(f"all {count} training features are the same once projected: there is nothing to learn")
    return mean.float(), float(variance.sqrt())
