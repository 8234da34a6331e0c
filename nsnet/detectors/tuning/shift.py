"""Which epoch to keep: that of best accuracy where content has changed sides, on the training simulators alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int

from nsnet.detectors.protocol import ContentShift


def shift_accuracy(
    fakes: Bool[np.ndarray, " n"], labels: Int[np.ndarray, " n"], content: Bool[np.ndarray, " n"]
) -> float:
    """Balanced accuracy on the worse of both pairings of content and label.

    A detector that goes by content is right on one pairing and wrong on the other, whichever
    it was trained on.

    Args:
        fakes: which pictures it calls fake.
        labels: 1 fake.
        content: whether a picture has the content.

    Returns:
        In [0, 1].
    """
    paired = content == (labels == 0)
    right = fakes == (labels == 1)
    return min(
        float(np.mean([right[(paired == side) & (labels == label)].mean() for label in (0, 1)]))
        for side in (True, False)
    )


class EpochChoice:
    """The epochs of a training so far, and the weights of the best; the first of equal ones."""

    def __init__(self, shift: ContentShift) -> None:
        self.shift = shift
        self.accuracies: list[float] = []
        self.state: dict[str, torch.Tensor] = {}

    def judge(self, epoch: int, fakes: Bool[np.ndarray, " n"], state: dict[str, torch.Tensor]) -> None:
        """Note what an epoch came to; its weights are kept if it is the best so far.

        Args:
            epoch: the next one, counted from 0.
            fakes: which of the pictures it calls fake.
            state: weights, which are copied.
        """
        assert epoch == len(self.accuracies)
        value = shift_accuracy(fakes, self.shift.pictures.labels, self.shift.content)
        if value > max(self.accuracies, default=-1.0):
            self.state = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        self.accuracies.append(value)

    @property
    def facts(self) -> dict[str, Any]:
        """Number of the chosen epoch, counted from 1, and the accuracies under content shift."""
        return {
            "epoch": 1 + int(np.argmax(self.accuracies)),
            "shift_accuracy": [round(value, 6) for value in self.accuracies],
        }

    def state_dict(self) -> dict[str, Any]:
        return {"accuracies": list(self.accuracies), "state": self.state}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.accuracies, self.state = list(state["accuracies"]), dict(state["state"])
