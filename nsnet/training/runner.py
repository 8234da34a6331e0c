"""The crank of every training: device, precision, order, accumulation, random numbers and checkpoints.

Lightning Fabric places and casts; the order of the pictures and every random number come
from (seed, epoch) alone, so a training that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import functools
import hashlib
import io
import logging
import os
import sys
import time
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from nsnet.core.device import best_device
from nsnet.core.files import atomic_path
from nsnet.detectors.protocol import Examples, Labels, Loss, Needs
from nsnet.training.settings import Runtime

# Bytes of a checkpoint's sha256, which stand before it.
DIGEST = 32
# A checkpoint costs less than what it saves only for trainings that take long.
CHECKPOINT_SECONDS = 20.0
# Lightning sets it for processes that fork. Every step of an optimiser would load the driver's library again
# to see whether there is a GPU: a tenth of the time of a small head.
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"


@dataclass(frozen=True)
class Compute:
    """What a training computes with: device (cpu or cuda), precision as Fabric names it, parts of a batch."""

    device: str
    precision: str
    accumulate: int


def resolve(runtime: Runtime, needs: Needs) -> Compute:
    """What a detector is trained with on this machine.

    Args:
        runtime: what params.yaml asks for.
        needs: a head on features is too small for a GPU, and gets one only when it is asked for.

    Returns:
        Device, precision and parts of a batch, as recorded with the run.

    Raises:
        ValueError: cuda is asked for and there is none.
    """
    if runtime.accelerator == "cuda" and best_device() != "cuda":
        raise ValueError("train.runtime.accelerator is cuda, but torch finds no GPU: set it to auto or cpu")
    automatic = best_device() if needs.reads == "pixels" else "cpu"
    device = automatic if runtime.accelerator == "auto" else runtime.accelerator
    precision = "bf16-mixed" if (device, runtime.precision) == ("cpu", "16-mixed") else runtime.precision
    return Compute(device, precision, runtime.accumulate)


class Runner:
    """Trains the modules of one detector (nsnet.detectors.protocol.Trainer)."""

    def __init__(
        self,
        compute: Compute,
        seed: int,
        checkpoints: Path | None = None,
        checkpoint_seconds: float = CHECKPOINT_SECONDS,
    ) -> None:
        """Set up a training.

        Args:
            compute: from `resolve`.
            seed: all random numbers and orders follow from it.
            checkpoints: folder of this training alone; None keeps none.
            checkpoint_seconds: a checkpoint is written at the end of an epoch if the last is older than this.
        """
        self.fabric = _fabric(compute.device, compute.precision)
        self.device: torch.device = self.fabric.device
        self.compute, self.seed = compute, seed
        self.checkpoints, self.checkpoint_seconds = checkpoints, checkpoint_seconds

    def minimise(
        self,
        module: torch.nn.Module,
        loss: Loss,
        examples: Examples,
        *,
        epochs: int,
        batch: int,
        draws: int,
        optimiser: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler | None = None,
        name: str = "",
    ) -> None:
        """Minimise `loss`, going on from a checkpoint if there is one.

        Args:
            module: what is trained, in place; left on the CPU, in evaluation mode.
            loss, examples, epochs, batch, draws, optimiser, schedule, name: as
                `nsnet.detectors.protocol.Trainer.minimise`.
        """
        fabric = self.fabric
        wrapped, stepper = fabric.setup(module, optimiser)
        parts = {"module": module, "optimiser": optimiser, "schedule": schedule, "precision": fabric.strategy.precision}
        file = None if self.checkpoints is None else self.checkpoints / f"{name or 'training'}.pt"
        start = _restore(file, parts)
        order = _Order(len(examples.labels), batch, self.compute.accumulate, draws, self.seed)
        loader = DataLoader(_Fetched(examples), sampler=order, batch_size=None, collate_fn=_as_it_is)
        batches = fabric.setup_dataloaders(loader, use_distributed_sampler=False)
        module.train()
        saved = time.monotonic()
        for epoch in range(start, epochs):
            order.epoch = epoch
            with torch.random.fork_rng(devices=[] if self.device.type == "cpu" else None):
                torch.manual_seed(_seed(self.seed, epoch, 1))
                for part, labels, share, last in batches:
                    value = loss(wrapped, part, labels)
                    fabric.backward(value if share == 1 else value * share)
                    if last:
                        stepper.step()
                        stepper.zero_grad()
                        if schedule is not None:
                            schedule.step()
            if file is not None and time.monotonic() - saved >= self.checkpoint_seconds:
                _save(file, parts, epoch + 1)
                saved = time.monotonic()
        module.eval().to("cpu")

    def batches(self, examples: Examples, batch: int, draw: int = 0) -> Iterable[torch.Tensor]:
        """Inputs in order, on the runner's device.

        Args:
            examples, batch, draw: as `nsnet.detectors.protocol.Trainer.batches`.

        Yields:
            Batches as `Examples.fetch` gives them.
        """
        indices = np.arange(len(examples.labels), dtype=np.int64)
        for start in range(0, len(indices), batch):
            yield examples.fetch(indices[start : start + batch], draw).to(self.device)


class _Order(Sampler[tuple[Labels, int, float, bool]]):
    """Batches of an epoch in random order, in parts: indices, draw, share of the batch, and whether it ends it."""

    def __init__(self, count: int, batch: int, accumulate: int, draws: int, seed: int) -> None:
        self.count, self.batch, self.accumulate, self.draws, self.seed = count, batch, accumulate, draws, seed
        self.epoch = 0

    def __iter__(self) -> Iterator[tuple[Labels, int, float, bool]]:
        generator = torch.Generator().manual_seed(_seed(self.seed, self.epoch, 0))
        order = torch.randperm(self.count, generator=generator).numpy()
        draw = self.epoch % self.draws
        for start in range(0, self.count, self.batch):
            whole = order[start : start + self.batch]
            parts = np.array_split(whole, min(self.accumulate, len(whole)))
            for number, part in enumerate(parts, start=1):
                yield part, draw, len(part) / len(whole), number == len(parts)


class _Fetched(Dataset[Any]):
    """Inputs and labels of a batch at once: one fetch, not one for each example."""

    def __init__(self, examples: Examples) -> None:
        self.examples, self.labels = examples, torch.from_numpy(examples.labels)

    def __getitem__(self, key: tuple[Labels, int, float, bool]) -> tuple[torch.Tensor, torch.Tensor, float, bool]:
        indices, draw, share, last = key
        return self.examples.fetch(indices, draw), self.labels[torch.from_numpy(indices)], share, last


def _as_it_is(item: Any) -> Any:
    return item


def _seed(seed: int, epoch: int, purpose: int) -> int:
    """A seed of its own for each training seed, epoch and purpose."""
    return int(np.random.SeedSequence([seed, epoch, purpose]).generate_state(1, np.uint32)[0])


@functools.cache
def _fabric(accelerator: str, precision: str) -> Any:
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it tells every start which devices there are
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it looks for and does not find
        asked = os.environ.get(NVML_CHECK)
        from lightning_fabric import Fabric  # takes seconds

        if asked is None:
            os.environ.pop(NVML_CHECK, None)
        return Fabric(accelerator=accelerator, devices=1, precision=precision)  # type: ignore[arg-type]  # as in settings


def _save(file: Path, parts: dict[str, Any], epoch: int) -> None:
    """Write a checkpoint behind its checksum: a damaged one must not be gone on from."""
    state = {name: part.state_dict() for name, part in parts.items() if part is not None}
    buffer = io.BytesIO()
    torch.save({"epoch": epoch, **state}, buffer)
    with atomic_path(file) as temporary:
        temporary.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


def _restore(file: Path | None, parts: dict[str, Any]) -> int:
    """Load a checkpoint into the parts; the number of epochs behind it, 0 without one."""
    if file is None or not file.exists():
        return 0
    checksum, content = file.read_bytes()[:DIGEST], file.read_bytes()[DIGEST:]
    if hashlib.sha256(content).digest() != checksum:
        print(f"checkpoint {file} is damaged: training starts anew", file=sys.stderr)
        return 0
    state = torch.load(io.BytesIO(content), weights_only=True)
    for name, part in parts.items():
        if part is not None:
            part.load_state_dict(state[name])
    return int(state["epoch"])
