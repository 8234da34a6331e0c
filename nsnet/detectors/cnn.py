"""The CLIP-free control: a small convolutional network on the mosaics' pixels.

It shows what the corpus itself allows: where it fails, the traces of one generator say
nothing of another's; where it succeeds and CLIP fails, the backbone does not see them.
"""

from __future__ import annotations

import itertools
from typing import Any, Literal

import numpy.typing as npt
import torch
from torch import nn
from torch.nn import functional

from nsnet.detectors.protocol import Scores, Split, accuracy
from nsnet.detectors.settings import Fitting

# Typical standard deviation of a photograph's residual, in grey levels of 255.
RESIDUAL_SCALE = 6.0


class SmallCnn(nn.Module):
    """62 k parameters: high-pass residual, four strided convolutions, mean pooling, one linear layer."""

    def __init__(self) -> None:
        super().__init__()
        channels = (3, 24, 40, 56, 64)
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.linear = nn.Linear(channels[-1], 1)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """uint8 (n, size, size, 3) to logits (n,)."""
        images = pixels.permute(0, 3, 1, 2).float()
        # Traces are in the residual; without this the network spends its few pictures on content.
        smooth = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
        maps = self.layers((images - smooth) / RESIDUAL_SCALE)
        return self.linear(maps.mean(dim=(2, 3))).squeeze(1)


class CnnDetector:
    """The control as a detector: reads pixels, has no CLIP, no null space and no contrastive loss."""

    reads: Literal["features", "pixels"] = "pixels"

    def __init__(self, settings: Fitting) -> None:
        self.settings = settings
        self.network = SmallCnn()

    def fit(self, train: Split, validation: Split, seed: int) -> dict[str, Any]:
        """Train with one-cycle AdamW and horizontal flips; nothing is left to choose on `validation`."""
        settings = self.settings
        torch.manual_seed(seed)
        self.network = network = SmallCnn()
        pixels, labels = torch.from_numpy(train.inputs), torch.from_numpy(train.labels).float()
        order = torch.Generator().manual_seed(seed)
        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.cnn_lr, weight_decay=settings.cnn_weight_decay)
        steps = settings.cnn_epochs * -(-len(labels) // settings.cnn_batch)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.cnn_lr, total_steps=steps)
        for _ in range(settings.cnn_epochs):
            network.train()
            for batch in torch.randperm(len(labels), generator=order).split(settings.cnn_batch):
                shown = pixels[batch]
                flips = torch.rand(len(batch), generator=order) < 0.5
                shown[flips] = shown[flips].flip(2)
                loss = functional.binary_cross_entropy_with_logits(network(shown), labels[batch])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        network.eval()
        return {"validation_acc": accuracy(self.score(validation.inputs), validation.labels)}

    def score(self, inputs: npt.NDArray[Any]) -> Scores:
        self.network.eval()
        with torch.inference_mode():
            parts = [self.network(part) for part in torch.from_numpy(inputs).split(256)]
        return torch.sigmoid(torch.cat(parts).double()).numpy()

    def module(self) -> nn.Module:
        return self.network
