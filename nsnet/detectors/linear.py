"""Detectors on frozen features: NS-Net's head, UnivFD's linear probe and everything between.

One head with four switches: the projection (null space or identity), the adapter, the
contrastive loss that trains it, and, outside, the view the features come from. UnivFD is
the head with all switches off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from nsnet.core.device import beside
from nsnet.detectors.losses import balanced_bce, class_weights, nsnet_loss
from nsnet.detectors.protocol import Context, Examples, Needs, Scores, Trainer
from nsnet.detectors.settings import LinearSettings
from nsnet.semantics.null_space import no_directions, random_directions

# Rows measured or scored at a time; no result depends on it beyond rounding.
ROWS = 4096


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


class Candidates(nn.Module):
    """Heads that differ in their weight decay only, trained side by side: each batch is fetched and projected once.

    Their losses are added and AdamW scales each parameter alone, so each head is what it would be alone.
    """

    def __init__(self, heads: list[Head]) -> None:
        super().__init__()
        self.heads = nn.ModuleList(heads)

    def forward(self, features: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Features (n, d) to logits (n,) and decoupled features (n, d) of each head."""
        first: Any = self.heads[0]
        standardised = first.standardise(features)
        heads: Any = self.heads
        return [head.decide(standardised) for head in heads]


class LinearDetector:
    """A head on frozen features of one view."""

    Settings: ClassVar[type[LinearSettings]] = LinearSettings

    def __init__(self, settings: LinearSettings, context: Context) -> None:
        self.settings = settings
        directions = context.basis
        if settings.null_space == "none":
            directions = no_directions(context.width)
        elif settings.null_space == "random":
            directions = random_directions(len(directions), context.width, context.seed)
        self.projection = torch.from_numpy(directions.projection.astype(np.float32))
        self.head = Head(self.projection, settings.adapter)

    @staticmethod
    def needs(settings: LinearSettings) -> Needs:
        if settings.null_space == "none":
            return Needs("features", settings.view, settings.draws)
        if settings.null_space == "random":  # as many directions as the captions have
            return Needs("features", settings.view, settings.draws, "rank")
        return Needs("features", settings.view, settings.draws, "directions", settings.null_space)

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train with each weight decay; keep the head of least balanced validation BCE, the larger decay on a tie.

        Args:
            train, validation: features of both splits.
            trainer: runs the training.

        Returns:
            The weight decay that was chosen.
        """
        mean, scale = self._statistics(train, trainer)
        decays = sorted(set(self.settings.weight_decay), reverse=True)
        heads = [Head(self.projection, self.settings.adapter) for _ in decays]
        for head in heads:
            head.mean.copy_(mean)
            head.scale.fill_(scale)
        self._minimise(heads, decays, train, trainer)
        weights, labels = class_weights(validation.labels), torch.from_numpy(validation.labels)
        losses = [
            float(balanced_bce(_logits(head, trainer.batches(validation, ROWS)), labels, weights)) for head in heads
        ]
        best = int(np.argmin(losses))  # of equal ones the first
        self.head = heads[best].to("cpu")
        return {"weight_decay": decays[best], "validation_bce": round(losses[best], 6)}

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        return torch.sigmoid(_logits(self.head, batches).double()).numpy()

    def module(self) -> nn.Module:
        return self.head

    def _minimise(self, heads: list[Head], decays: list[float], train: Examples, trainer: Trainer) -> None:
        settings = self.settings
        weights = class_weights(train.labels).to(trainer.device)
        bce_weight = settings.bce_weight if settings.contrastive else 1.0

        def loss(module: Any, features: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            losses = [
                nsnet_loss(logits, decoupled, labels, weights, bce_weight, settings.temperature)
                for logits, decoupled in module(features)
            ]
            return torch.stack(losses).sum()

        groups: Any = [
            {"params": head.parameters(), "weight_decay": decay} for head, decay in zip(heads, decays, strict=True)
        ]
        trainer.minimise(
            Candidates(heads),
            loss,
            train,
            epochs=settings.epochs,
            batch=settings.batch,
            draws=settings.draws,
            # One kernel for all parameters: a head is so small that AdamW's loop costs more than its gradients.
            optimiser=torch.optim.AdamW(groups, lr=settings.lr, fused=True),
        )

    def _statistics(self, train: Examples, trainer: Trainer) -> tuple[torch.Tensor, float]:
        """Mean (d,) of the projected training features and one common scale, summed in float64 over all draws.

        One scale for all dimensions: the directions the null space emptied must not be blown up again.
        """
        width = len(self.projection)
        if not self.settings.standardise:
            return torch.zeros(width), 1.0
        head = Head(self.projection, False).to(trainer.device)
        total = torch.zeros(width, dtype=torch.float64)
        squares, count = torch.zeros(width, dtype=torch.float64), 0
        with torch.inference_mode():
            for draw in range(self.settings.draws):
                for batch in trainer.batches(train, ROWS, draw):
                    projected = head.project(batch).double().cpu()
                    total += projected.sum(dim=0)
                    squares += projected.pow(2).sum(dim=0)
                    count += len(batch)
        mean = total / count
        variance = (squares / count - mean.pow(2)).clamp(min=0).mean()
        if not variance > 0:
            raise ValueError(f"all {count} training features are the same once projected: there is nothing to learn")
        return mean.float(), float(variance.sqrt())


def _logits(head: Head, batches: Iterable[torch.Tensor]) -> Float[torch.Tensor, " n"]:
    with torch.inference_mode():
        parts = [beside(head, batch)(batch)[0].cpu() for batch in batches]
    return torch.cat(parts)
