"""The CLIP-free control: a small convolutional network on the pixels of a view.

It shows what the corpus itself allows: where it fails, the traces of one generator say
nothing of another's; where it succeeds and CLIP fails, the backbone does not see them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float, UInt8
from torch import nn
from torch.nn import functional

from nsnet.core.device import beside
from nsnet.detectors.losses import balanced_bce, class_weights
from nsnet.detectors.protocol import Context, Examples, Needs, Scores, Trainer
from nsnet.detectors.settings import CnnSettings

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

    def forward(self, pixels: UInt8[torch.Tensor, "n size size 3"]) -> Float[torch.Tensor, " n"]:
        """uint8 (n, size, size, 3) to logits (n,)."""
        images = pixels.permute(0, 3, 1, 2).float()
        # Traces are in the residual; without this the network spends its few pictures on content.
        smooth = functional.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
        maps = self.layers((images - smooth) / RESIDUAL_SCALE)
        return self.linear(maps.mean(dim=(2, 3))).squeeze(1)


class CnnDetector:
    """The control as a detector: reads pixels, has no CLIP, no null space and no contrastive loss."""

    Settings: ClassVar[type[CnnSettings]] = CnnSettings

    def __init__(self, settings: CnnSettings, context: Context) -> None:
        self.settings = settings
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            self.network = SmallCnn()

    @staticmethod
    def needs(settings: CnnSettings) -> Needs:
        return Needs(settings.reads, settings.view, settings.draws)

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train with one-cycle AdamW and horizontal flips; nothing is left to choose on `validation`.

        Args:
            train, validation: pixels of both splits.
            trainer: runs the training.

        Returns:
            Nothing: an empty mapping.
        """
        settings, network = self.settings, self.network
        weights = class_weights(train.labels).to(trainer.device)

        def loss(module: Any, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            flips = torch.rand(len(pixels)) < 0.5  # from the trainer's generator, on the CPU whatever the device
            pixels[flips] = pixels[flips].flip(2)
            return balanced_bce(module(pixels), labels, weights)

        optimiser = torch.optim.AdamW(network.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
        steps = settings.epochs * -(-len(train.labels) // settings.batch)
        trainer.minimise(
            network,
            loss,
            train,
            epochs=settings.epochs,
            batch=settings.batch,
            draws=settings.draws,
            optimiser=optimiser,
            schedule=torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.lr, total_steps=steps),
        )
        return {}

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        self.network.eval()
        with torch.inference_mode():
            parts = [beside(self.network, batch)(batch).cpu() for batch in batches]
        return torch.sigmoid(torch.cat(parts).double()).numpy()

    def module(self) -> nn.Module:
        return self.network
