"""Detectors on frozen features: NS-Net's head, UnivFD's linear probe and everything between.

One head with three switches: the projection (null space or identity), the contrastive
loss with the adapter it trains, and, outside, the view the features come from. UnivFD
is the head with all switches off.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from nsnet.core.device import one_thread
from nsnet.detectors.losses import nsnet_loss
from nsnet.detectors.protocol import Scores, Split, accuracy
from nsnet.detectors.settings import Fitting


class Head(nn.Module):
    """Projection, standardisation, adapter (with the contrastive loss) and one linear layer."""

    def __init__(self, projection: torch.Tensor, contrastive: bool) -> None:
        super().__init__()
        width = len(projection)
        self.projection: torch.Tensor
        self.mean: torch.Tensor
        self.scale: torch.Tensor
        self.register_buffer("projection", projection)
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        # On frozen features the contrastive loss needs something to move: a square layer that
        # starts as the identity stands where the paper has the backbone's LoRA weights.
        self.adapter = nn.Linear(width, width, bias=False) if contrastive else nn.Identity()
        self.linear = nn.Linear(width, 1)
        if isinstance(self.adapter, nn.Linear):
            nn.init.eye_(self.adapter.weight)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def project(self, features: torch.Tensor) -> torch.Tensor:
        """Unit feature times P, float32 (n, d) to (n, d)."""
        return functional.normalize(features, dim=1) @ self.projection

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Features (n, d) to logits (n,) and decoupled features (n, d)."""
        decoupled = self.adapter((self.project(features) - self.mean) / self.scale)
        return self.linear(decoupled).squeeze(1), decoupled


class LinearDetector:
    """A head on frozen features of one view."""

    reads: Literal["features", "pixels"] = "features"

    def __init__(self, settings: Fitting, projection: npt.NDArray[np.float64], contrastive: bool) -> None:
        self.settings = settings
        self.contrastive = contrastive
        self.projection = torch.from_numpy(projection.astype(np.float32))
        self.head = Head(self.projection, contrastive)

    def fit(self, train: Split, validation: Split, seed: int) -> dict[str, Any]:
        """Train with each weight decay; keep the head of least validation BCE, the larger decay on a tie."""
        best: tuple[float, float, Head] | None = None
        for decay in sorted(self.settings.weight_decay, reverse=True):
            with one_thread():
                head = self._train(train, decay, seed)
            logits = self._logits(head, validation.inputs)
            labels = torch.from_numpy(validation.labels).float()
            loss = float(functional.binary_cross_entropy_with_logits(logits, labels))
            if best is None or loss < best[0]:
                best = (loss, decay, head)
        assert best is not None  # config asks for at least one weight decay
        loss, decay, self.head = best
        validation_acc = accuracy(self.score(validation.inputs), validation.labels)
        return {"weight_decay": decay, "validation_bce": round(loss, 6), "validation_acc": validation_acc}

    def score(self, inputs: npt.NDArray[Any]) -> Scores:
        return torch.sigmoid(self._logits(self.head, inputs).double()).numpy()

    def module(self) -> nn.Module:
        return self.head

    @staticmethod
    def _logits(head: Head, inputs: npt.NDArray[Any]) -> torch.Tensor:
        with torch.inference_mode():
            return head(torch.from_numpy(inputs))[0]

    def _train(self, train: Split, decay: float, seed: int) -> Head:
        settings = self.settings
        torch.manual_seed(seed)
        head = Head(self.projection, self.contrastive)
        features, labels = torch.from_numpy(train.inputs), torch.from_numpy(train.labels)
        with torch.no_grad():
            projected = head.project(features)
            head.mean.copy_(projected.mean(dim=0))
            # One scale for all dimensions: the directions the null space emptied must not be blown up again.
            head.scale.fill_(float((projected - head.mean).pow(2).mean().sqrt()))
        optimiser = torch.optim.AdamW(head.parameters(), lr=settings.lr, weight_decay=decay)
        order = torch.Generator().manual_seed(seed)
        bce_weight = settings.bce_weight if self.contrastive else 1.0
        for _ in range(settings.epochs):
            for batch in torch.randperm(len(labels), generator=order).split(settings.batch):
                logits, decoupled = head(features[batch])
                loss = nsnet_loss(logits, decoupled, labels[batch], bce_weight, settings.temperature)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        return head
