"""A backbone that moves, and a head; null space, loss and upkeep are settings, what moves is a kind's own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from torch import nn

from nsnet.core.device import beside
from nsnet.detectors.head import needed_basis, projection_of, statistics
from nsnet.detectors.losses import class_weights, nsnet_loss
from nsnet.detectors.protocol import CaptionedPool, Context, Examples, Labels, Needs, Scores, Trainer
from nsnet.detectors.settings import TuningSettings
from nsnet.detectors.tuning.network import TunedNetwork
from nsnet.detectors.tuning.shift import EpochChoice
from nsnet.detectors.tuning.upkeep import cross_covariance_penalty, estimated_projection

# Views in a pass without gradients.
ROWS = 64
# Training pictures on which the head's mean and scale are measured, once, before anything has moved.
MEASURED = 4096


class TunedDetector(ABC):
    """Reads pixels of one view; brings what it has trained, and a head, to the backbone that its record names."""

    Settings: ClassVar[type[TuningSettings]]

    def __init__(self, settings: TuningSettings, context: Context) -> None:
        """Build it.

        Args:
            settings: of the detector.
            context: with the backbone itself as tower.

        Raises:
            ValueError: there is no tower, or none of a kind that can be moved.
        """
        if context.tower is None:
            raise ValueError(
                f"a detector of kind {settings.kind} needs the backbone that it was trained on"
                f" ({context.backbone.get('model')})"
            )
        self.settings, self._context = settings, context
        projection = projection_of(settings.null_space, context)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(context.seed)
            precision = str(context.backbone.get("precision"))
            visual = self.moving(context.tower.model.visual)
            self.network = TunedNetwork(visual, context.tower, precision, projection)

    @abstractmethod
    def moving(self, visual: nn.Module) -> nn.Module:
        """A copy of the tower in which what is trained requires a gradient; drawn from torch's generator."""

    def regularisation(self) -> torch.Tensor | None:
        """What a kind adds to the loss of each batch, a scalar; nothing by default."""
        return None

    @staticmethod
    def needs(settings: TuningSettings) -> Needs:
        return Needs(
            settings.reads,
            settings.view,
            settings.draws,
            needed_basis(settings.null_space),
            settings.null_space,
            tower=True,
            pool=settings.upkeep != "fixed",
            shift=settings.select == "content-shift",
        )

    def fit(self, train: Examples, validation: Examples, trainer: Trainer) -> Mapping[str, Any]:
        """Train tower and head together (arXiv 2508.01248, total loss; optimiser of arXiv 2511.13108).

        Args:
            train, validation: pixels of both splits.
            trainer: runs the training.

        Returns:
            Where the epoch was chosen: its number, and the accuracy under content shift of each.
        """
        settings, network = self.settings, self.network.to(trainer.device)
        if trainer.saves_memory:
            network.save_memory()
        mean, scale = statistics(self._measured(train, trainer))
        network.head.mean.copy_(mean)
        network.head.scale.fill_(scale)
        watcher = _Upkeep(self, trainer)
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        trainer.minimise(
            network,
            self._loss(train.labels, trainer),
            train,
            epochs=settings.epochs,
            batch=settings.batch,
            draws=settings.draws,
            optimiser=torch.optim.Adam(trained, lr=settings.lr, weight_decay=settings.weight_decay),
            watcher=watcher,
        )
        return watcher.finish()

    def score(self, batches: Iterable[torch.Tensor]) -> Scores:
        self.network.eval()
        parts = []
        for batch in batches:
            beside(self.network, batch)
            for rows in batch.split(ROWS):
                features = self.network.frozen_features(rows)
                with torch.inference_mode():
                    parts.append(self.network.head(features)[0].cpu())
        return torch.sigmoid(torch.cat(parts).double()).numpy()

    def module(self) -> torch.nn.Module:
        return self.network

    def _measured(self, train: Examples, trainer: Trainer) -> Iterator[torch.Tensor]:
        """Projected features of training pictures, from the backbone that nothing has moved."""
        places = np.random.default_rng(self._context.seed).permutation(len(train.labels))[:MEASURED]
        self.network.eval()
        for start in range(0, len(places), ROWS):
            pixels = train.fetch(np.sort(places[start : start + ROWS]), 0).to(trainer.device)
            yield self.network.head.project(self.network.frozen_features(pixels))

    def _loss(self, labels: Labels, trainer: Trainer) -> Any:
        settings, pool = self.settings, self._context.pool
        weights = class_weights(labels).to(trainer.device)
        bce_weight = settings.bce_weight if settings.contrastive else 1.0
        held = _Held(pool, settings.pool_batch, trainer.device) if settings.upkeep == "penalty" and pool else None

        def loss(module: Any, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
            if settings.flip:  # drawn on the CPU whatever the device
                flips = torch.rand(len(pixels)) < 0.5
                pixels[flips] = pixels[flips].flip(2)
            shown, texts = held.draw() if held else (pixels[:0], None)
            own = len(pixels)
            logits, decoupled = module(torch.cat([pixels, shown]))  # one pass: what wraps the module must see one
            whole = [trainer.gathered(rows) for rows in (logits[:own], decoupled[:own], labels)]
            value = nsnet_loss(whole[0], whole[1], whole[2], weights, bce_weight, settings.temperature)
            if texts is not None:
                value = value + settings.penalty * cross_covariance_penalty(decoupled[own:], texts)
            extra = self.regularisation()
            return value if extra is None else value + extra

        return loss


class _Held:
    """Pictures of the pool, drawn for each batch from torch's generator, which checkpoints restore."""

    def __init__(self, pool: CaptionedPool, count: int, device: torch.device) -> None:
        self.pool, self.count, self.device = pool, count, device
        self.texts = torch.nn.functional.normalize(torch.from_numpy(pool.texts), dim=1)

    def draw(self) -> tuple[torch.Tensor, torch.Tensor]:
        places = torch.randperm(len(self.texts))[: self.count]
        shown = self.pool.pictures.fetch(np.sort(places.numpy()), 0)
        return shown.to(self.device), self.texts[places.sort().values].to(self.device)


class _Upkeep:
    """Before each epoch: estimates the null space anew, and judges what the last one left (a `Watcher`)."""

    def __init__(self, detector: TunedDetector, trainer: Trainer) -> None:
        context, settings = detector._context, detector.settings
        self.detector, self.network, self.trainer, self.settings = detector, detector.network, trainer, settings
        self.pool = context.pool if settings.upkeep == "refit" else None
        self.rank = len(context.basis)
        self.choice = EpochChoice(context.shift) if context.shift is not None else None

    def begin(self, epoch: int) -> None:
        self.network.eval()
        if epoch:
            self._judge(epoch - 1)
        if epoch and self.pool is not None:  # what it starts with was estimated before anything moved
            batches = self.trainer.batches(self.pool.pictures, ROWS)
            features = (self.network.frozen_features(batch) for batch in batches)
            projection = estimated_projection(self.settings.null_space, self.rank, features, self.pool.texts)
            self.network.head.projection.copy_(projection)
        self.network.train()

    def finish(self) -> dict[str, Any]:
        """Judge the last epoch, and leave the chosen one in the network."""
        if self.choice is None:
            return {}
        self._judge(self.settings.epochs - 1)
        self.network.load_state_dict(self.choice.state)
        return self.choice.facts

    def state_dict(self) -> dict[str, Any]:
        return {} if self.choice is None else self.choice.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if self.choice is not None:
            self.choice.load_state_dict(state)

    def _judge(self, epoch: int) -> None:
        if self.choice is None:
            return
        scores = self.detector.score(self.trainer.batches(self.choice.shift.pictures, ROWS))
        self.choice.judge(epoch, scores >= 0.5, self.network.state_dict())
