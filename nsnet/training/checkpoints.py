"""Checkpoints of a training: what is trained, what trains it, the place in the epoch and the random numbers there."""

from __future__ import annotations

import hashlib
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from nsnet.core.files import atomic_path

# Bytes of a checkpoint's sha256, which stand before it.
DIGEST = 32


@dataclass(frozen=True)
class Place:
    """How far a training is: whole epochs, and updates of the one after them."""

    epoch: int
    steps: int

    def after_step(self, steps: int) -> Place:
        """The place one update later, in epochs of `steps` updates."""
        return Place(self.epoch, self.steps + 1) if self.steps + 1 < steps else Place(self.epoch + 1, 0)

    def total(self, steps: int) -> int:
        """Updates so far, in epochs of `steps` updates."""
        return self.epoch * steps + self.steps


class Checkpoint:
    """The file of one training, if it keeps any, and the parts that are in it."""

    def __init__(self, file: Path | None, parts: Mapping[str, Any], fabric: Any) -> None:
        """Name what is kept.

        Args:
            file: None keeps nothing.
            parts: objects with state_dict and load_state_dict by name; None for those that a training lacks.
            fabric: Lightning's, which knows the device, and the processes that train together.
        """
        self.file, self.fabric = file, fabric
        self.parts = {name: part for name, part in parts.items() if part is not None}
        self._random: dict[str, torch.Tensor] = {}

    def save(self, place: Place) -> None:
        """Write the file behind its checksum: a damaged one must not be gone on from."""
        if self.file is None:
            return
        random = {name: self._of_all(numbers) for name, numbers in self._random_numbers().items()}
        if self.fabric.global_rank:
            return
        state = {name: part.state_dict() for name, part in self.parts.items()}
        buffer = io.BytesIO()
        torch.save(
            {"epoch": place.epoch, "steps": place.steps, "made_by": self._made_by, "random": random, **state}, buffer
        )
        with atomic_path(self.file) as temporary:
            temporary.write_bytes(hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())

    def restore(self) -> Place:
        """Load the file into the parts.

        Returns:
            The place to go on from: the start, without a file or with one that is damaged or another machine's,
            which is named on stderr.
        """
        if self.file is None or not self.file.exists():
            return Place(0, 0)
        content = self.file.read_bytes()
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            print(f"checkpoint {self.file} is damaged: training starts anew", file=sys.stderr)
            return Place(0, 0)
        # On the CPU: each part moves its own to where it lies.
        state = torch.load(io.BytesIO(content[DIGEST:]), map_location="cpu", weights_only=True)
        if state.get("made_by") != self._made_by:
            asked = f"this training has {self._made_by}"
            print(
                f"checkpoint {self.file} is of {state.get('made_by')}, {asked}: training starts anew", file=sys.stderr
            )
            return Place(0, 0)
        for name, part in self.parts.items():
            part.load_state_dict(state[name])
        self._random = state["random"]
        return Place(int(state["epoch"]), int(state["steps"]))

    def restore_random(self) -> None:
        """Let random numbers go on from where they were when the file was written."""
        # A copy: torch takes a state from the start of a tensor's storage, and crashes where a row is not at it.
        own = {name: numbers[self.fabric.global_rank].clone() for name, numbers in self._random.items()}
        torch.set_rng_state(own["cpu"])
        if "cuda" in own:
            torch.cuda.set_rng_state(own["cuda"], self.fabric.device)

    @property
    def _made_by(self) -> str:
        """Whose random numbers are in the file: they are of a device, and of each process."""
        return f"{self.fabric.world_size} process(es) on {self.fabric.device.type}"

    def _random_numbers(self) -> dict[str, torch.Tensor]:
        numbers = {"cpu": torch.get_rng_state()}
        if self.fabric.device.type == "cuda":
            numbers["cuda"] = torch.cuda.get_rng_state(self.fabric.device)
        return numbers

    def _of_all(self, numbers: torch.Tensor) -> torch.Tensor:
        """A row for each process."""
        return self.fabric.all_gather(numbers).reshape(self.fabric.world_size, -1).cpu()
