"""The crank of every training: device, precision, order, accumulation, random numbers and checkpoints.

Lightning Fabric places and casts; the order of the pictures and every random number come
from (seed, epoch) alone, so a training that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import datetime
import functools
import logging
import os
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
from nsnet.detectors.protocol import Examples, Labels, Loss, Needs, Watcher
from nsnet.training.checkpoints import Checkpoint, Place
from nsnet.training.settings import Runtime

# Lightning sets it for processes that fork. Every step of an optimiser would load the driver's library again
# to see whether there is a GPU: a tenth of the time of a small head.
NVML_CHECK = "PYTORCH_NVML_BASED_CUDA_CHECK"
# What is asked for, where Fabric must be told something else.
PRECISIONS = {("cpu", "auto"): "32-true", ("cuda", "auto"): "bf16-mixed", ("cpu", "16-mixed"): "bf16-mixed"}


@dataclass(frozen=True)
class Compute:
    """What a training computes with: device (cpu or cuda), precision as Fabric names it, parts of a batch.

    The rest changes no result beyond rounding: whether a backbone's layers are computed twice to save memory,
    processes that read ahead, updates between two checkpoints, processes that train together.
    """

    device: str
    precision: str
    accumulate: int
    saves_memory: bool = False
    workers: int = 0
    checkpoint_steps: int = 200
    devices: int = 1


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
    precision = PRECISIONS.get((device, runtime.precision), runtime.precision)
    devices = runtime.devices if needs.tower else 1
    rest = runtime.gradient_checkpointing, runtime.workers, runtime.checkpoint_steps, devices
    return Compute(device, precision, runtime.accumulate, *rest)


def launch(runtime: Runtime) -> bool:
    """Start the other processes of trainings on several devices: each runs the caller's program from its start.

    Args:
        runtime: what params.yaml asks for.

    Returns:
        Whether this is the first process, which keeps what is trained.
    """
    if runtime.devices == 1:
        return True
    compute = resolve(runtime, Needs("pixels", "crop", tower=True))
    return bool(_fabric(compute.device, compute.precision, compute.devices).global_rank == 0)


class Clock:
    """How long trainings took, and how much of it they waited for batches; seconds."""

    def __init__(self) -> None:
        self.total = self.waiting = 0.0

    def timed(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The batches, with the time until each comes counted as waiting."""
        start = asked = time.perf_counter()
        for batch in batches:
            self.waiting += time.perf_counter() - asked
            yield batch
            asked = time.perf_counter()
        self.total += time.perf_counter() - start


class Runner:
    """Trains the modules of one detector (nsnet.detectors.protocol.Trainer)."""

    def __init__(self, compute: Compute, seed: int, checkpoints: Path | None = None) -> None:
        """Set up a training.

        Args:
            compute: from `resolve`.
            seed: all random numbers and orders follow from it.
            checkpoints: folder of this training alone; None keeps none.
        """
        self.fabric = _fabric(compute.device, compute.precision, compute.devices)
        self.device: torch.device = self.fabric.device
        self.compute, self.seed, self.checkpoints = compute, seed, checkpoints
        self.saves_memory = compute.saves_memory
        self.clock = Clock()

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
        watcher: Watcher | None = None,
    ) -> None:
        """Minimise `loss`, going on from a checkpoint if there is one.

        Args:
            module: what is trained, in place; left on the CPU, in evaluation mode.
            loss, examples, epochs, batch, draws, optimiser, schedule, name, watcher: as
                `nsnet.detectors.protocol.Trainer.minimise`.

        Raises:
            ValueError: there are fewer pictures than processes.
        """
        fabric = self.fabric
        processes = fabric.global_rank, fabric.world_size
        order = _Order(len(examples.labels), batch, self.compute.accumulate, draws, self.seed, processes)
        if min(batch, len(examples.labels)) < fabric.world_size:
            raise ValueError(
                f"train.runtime.devices: {fabric.world_size} processes share each batch, but there are"
                f" {len(examples.labels)} training pictures in batches of {batch}: take fewer devices"
            )
        wrapped, stepper = fabric.setup(module, optimiser)
        parts = {"module": module, "optimiser": optimiser, "schedule": schedule, "watcher": watcher}
        file = None if self.checkpoints is None else self.checkpoints / f"{name or 'training'}.pt"
        checkpoint = Checkpoint(file, {**parts, "precision": fabric.strategy.precision}, fabric)
        place = checkpoint.restore()
        batches = fabric.setup_dataloaders(self._loader(examples, order), use_distributed_sampler=False)
        module.train()
        with torch.random.fork_rng(devices=[] if self.device.type == "cpu" else None):
            while place.epoch < epochs:
                order.start(place)
                if not place.steps:
                    torch.manual_seed(_seed(self.seed, place.epoch, 1 + fabric.global_rank))
                    if watcher is not None:
                        watcher.begin(place.epoch)
                else:
                    checkpoint.restore_random()
                for part, labels, share, last in self.clock.timed(batches):
                    value = loss(wrapped, part, labels)
                    fabric.backward(value if share == 1 else value * share)
                    if last:
                        stepper.step()
                        stepper.zero_grad()
                        if schedule is not None:
                            schedule.step()
                        place = place.after_step(order.steps)
                        if place.total(order.steps) % self.compute.checkpoint_steps == 0:
                            checkpoint.save(place)
        module.eval().to("cpu")

    def gathered(self, local: torch.Tensor) -> torch.Tensor:
        """Rows of a batch that several processes share, in the batch's order, with gradients; alone they are its own.

        Args:
            local: this process's, (b, ...); sizes may differ by one.

        Returns:
            Those of all processes, first process first.
        """
        if self.fabric.world_size == 1:
            return local
        sizes = self.fabric.all_gather(torch.tensor(len(local))).tolist()
        padded = torch.cat([local, local.new_zeros(max(sizes) - len(local), *local.shape[1:])])
        parts = self.fabric.all_gather(padded, sync_grads=local.requires_grad)
        return torch.cat([part[:size] for part, size in zip(parts, sizes, strict=True)])

    def _loader(self, examples: Examples, order: Iterable[Any], kept: bool = True) -> DataLoader[Any]:
        workers = self.compute.workers
        return DataLoader(
            _Fetched(examples),
            sampler=order,
            batch_size=None,
            collate_fn=_as_it_is,
            num_workers=workers,
            pin_memory=self.device.type == "cuda",
            persistent_workers=kept and workers > 0,
            # Its own: each pass over it draws a number, which a training that goes on would draw once more.
            generator=torch.Generator(),
            # Forked processes inherit torch's threads in whatever state they are.
            multiprocessing_context="spawn" if workers else None,
        )

    def batches(self, examples: Examples, batch: int, draw: int = 0) -> Iterable[torch.Tensor]:
        """Inputs in order, on the runner's device.

        Args:
            examples, batch, draw: as `nsnet.detectors.protocol.Trainer.batches`.

        Yields:
            Batches as `Examples.fetch` gives them.
        """
        indices = np.arange(len(examples.labels), dtype=np.int64)
        places = [(indices[start : start + batch], draw, 1.0, True) for start in range(0, len(indices), batch)]
        for inputs, *_ in self._loader(examples, places, kept=False):
            yield inputs.to(self.device, non_blocking=True)


class _Order(Sampler[tuple[Labels, int, float, bool]]):
    """Batches of an epoch in random order, in parts: indices, draw, share of the batch, and whether it ends it.

    Of several processes each takes its share of every part; a last batch that is too small for all is left out.
    """

    def __init__(
        self, count: int, batch: int, accumulate: int, draws: int, seed: int, processes: tuple[int, int] = (0, 1)
    ) -> None:
        self.count, self.batch, self.accumulate, self.draws, self.seed = count, batch, accumulate, draws, seed
        self.rank, self.world = processes
        # A last batch of fewer pictures than processes would leave some without one.
        self.steps = count // batch + (count % batch >= self.world)
        self.place = Place(0, 0)

    def start(self, place: Place) -> None:
        """Go on from a place: batches before it are not fetched."""
        self.place = place

    def __iter__(self) -> Iterator[tuple[Labels, int, float, bool]]:
        epoch = self.place.epoch
        generator = torch.Generator().manual_seed(_seed(self.seed, epoch, 0))
        order = torch.randperm(self.count, generator=generator).numpy()
        draw = epoch % self.draws
        for step in range(self.place.steps, self.steps):
            whole = order[step * self.batch : (step + 1) * self.batch]
            parts = np.array_split(whole, min(self.accumulate, max(len(whole) // self.world, 1)))
            for number, part in enumerate(parts, start=1):
                own = np.array_split(part, self.world)[self.rank]
                yield own, draw, len(part) / len(whole), number == len(parts)


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
def _fabric(accelerator: str, precision: str, devices: int) -> Any:
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)  # it tells every start which devices there are
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of packages that it looks for and does not find
        asked = os.environ.get(NVML_CHECK)
        from lightning_fabric import Fabric  # takes seconds
        from lightning_fabric.strategies.ddp import DDPStrategy

        if asked is None:
            os.environ.pop(NVML_CHECK, None)
        # While the first trains what is small alone, the others wait for it; a week is longer than any of it.
        strategy = DDPStrategy(timeout=datetime.timedelta(days=7)) if devices > 1 else "auto"
        fabric = Fabric(accelerator=accelerator, devices=devices, strategy=strategy, precision=precision)  # type: ignore[arg-type]  # as in settings
        fabric.launch()
        return fabric
