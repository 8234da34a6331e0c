"""Detectors on frozen features: NS-Net's head, UnivFD's linear probe and everything between.

One head with four switches: the projection (null space or identity), the adapter, the
contrastive loss that trains it, and, outside, the view the features come from. UnivFD is
the head with all switches off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from nsnet.core.device import beside
from nsnet.detectors.head import Head, needed_basis, projection_of, statistics
from nsnet.detectors.losses import balanced_bce, class_weights, nsnet_loss
from nsnet.detectors.protocol import Context, Examples, Needs, Scores, Trainer
from nsnet.detectors.settings import LinearSettings

# Rows measured or scored at a time; no result depends on it beyond rounding.
ROWS = 4096


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
        self.projection = projection_of(settings.null_space, context)
        self.head = Head(self.projection, settings.adapter)

    @staticmethod
    def needs(settings: LinearSettings) -> Needs:
        basis = needed_basis(settings.null_space)
        return Needs(settings.reads, settings.view, settings.draws, basis, settings.null_space)

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train with each weight decay; keep the head of least balanced validation BCE, the larger decay on a tie.

        Args:
            train, validation: features of both splits.
            trainer: runs the training.

        Returns:
            The weight decay that was chosen.
        """
        mean, scale = torch.zeros(len(self.projection)), 1.0
        if self.settings.standardise:
            mean, scale = statistics(self._projected(train, trainer))
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

    def _projected(self, train: Examples, trainer: Trainer) -> Iterator[torch.Tensor]:
        """Training features of all draws, projected."""
        head = Head(self.projection, False).to(trainer.device)
        with torch.inference_mode():
            for draw in range(self.settings.draws):
                for batch in trainer.batches(train, ROWS, draw):
                    yield head.project(batch)


def _logits(head: Head, batches: Iterable[torch.Tensor]) -> Float[torch.Tensor, " n"]:
    with torch.inference_mode():
        parts = [beside(head, batch)(batch)[0].cpu() for batch in batches]
    return torch.cat(parts)
