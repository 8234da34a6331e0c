"""What tests of LoRA share: a vision transformer so small that it trains in a second."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from open_clip.transformer import VisionTransformer

from nsnet.detectors.protocol import CaptionedPool, ContentShift, Context
from nsnet.detectors.settings import LoraSettings
from nsnet.detectors.tuning.lora import LoraDetector
from nsnet.semantics.null_space import Directions, orthonormal
from nsnet.training.examples import PixelExamples
from tests.training import RECORD, WIDTH, pictures

LAYERS = 3
ALL = ("query", "key", "value")


def transformer(layers: int = LAYERS) -> Any:
    """open_clip's, for pictures of 32 pixels; the same weights whenever it is made."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        visual = VisionTransformer(32, 8, 16, layers, 2, 2.0, output_dim=WIDTH)
    return visual.eval().requires_grad_(False)


@dataclass
class SmallTower:
    """As nsnet.features.backbone.Backbone."""

    visual: Any = field(default_factory=transformer)

    @property
    def model(self) -> Any:
        return SimpleNamespace(visual=self.visual)

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.permute(0, 3, 1, 2).float() / 255 - 0.5


def lora(**values: Any) -> LoraSettings:
    shared = {"view": "mosaic", "rank": 2, "alpha": 2, "dropout": 0.5, "flip": True, "epochs": 3, "batch": 8}
    shared |= {"lr": 0.01, "weight_decay": 0.0, "bce_weight": 0.2, "temperature": 0.07, "draws": 1}
    return LoraSettings.model_validate({**shared, **values})


def lora_context(
    seed: int = 0, basis: Directions | None = None, pool: bool = False, shift: bool = False, tower: Any = None
) -> Context:
    """A context with a small tower, and with a pool or pictures under content shift."""
    rng = np.random.default_rng(3)
    shown = None
    if pool:
        real = pictures(rng, 40)
        texts = real.fetch(np.arange(40), 0).float().mean(dim=(1, 2)).numpy() + rng.standard_normal((40, 3))
        shown = CaptionedPool(real, texts.astype(np.float32))
    judged = None
    if shift:
        labelled = pictures(rng, 48)
        judged = ContentShift(PixelExamples([labelled.fetch(np.arange(48), 0).numpy()], labelled.labels), CONTENT)
    directions = orthonormal(np.eye(WIDTH)[:2]) if basis is None else basis
    return Context(RECORD, WIDTH, directions, seed, tower or SmallTower(), shown, judged)


CONTENT = np.arange(48) % 3 == 0


def fitted(detector: LoraDetector, shown: Any, runner: Any) -> LoraDetector:
    detector.fit(shown, shown, runner)
    return detector


def striped(rng: np.random.Generator, count: int) -> PixelExamples:
    """Noise; of fakes every second column, of reals every second row is a little brighter."""
    labels = rng.integers(0, 2, count)
    pixels = rng.integers(0, 225, (count, 32, 32, 3), dtype=np.uint8)
    pixels[labels == 1, :, ::2] += 30
    pixels[labels == 0, ::2] += 30
    return PixelExamples([pixels], labels)
