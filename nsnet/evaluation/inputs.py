"""What runs look at, batch by batch: features as they were extracted, or pixels of views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt
import torch

from nsnet.core.names import unknown
from nsnet.detectors.protocol import Needs

if TYPE_CHECKING:
    from nsnet.features.conditions import Condition

# Pictures held at once: 12 MB of features at d = 768, 600 MB of pixels at 224.
BATCH = {"features": 4096, "pixels": 128}


class FeatureSource(Protocol):
    """Where features come from: nsnet.features.matrices.FeatureReader."""

    def matrix(
        self, backbone_id: str, condition: str, view: str, draw: int, image_ids: list[str]
    ) -> npt.NDArray[np.float32]: ...


class PixelSource(Protocol):
    """Where pixels come from: nsnet.features.pixels.PixelStore."""

    def block(self, condition: Condition, view: str, draw: int, image_ids: list[str]) -> npt.NDArray[np.uint8]: ...


class Inputs:
    """Inputs of pictures under named conditions; what is read depends on what a detector needs."""

    def __init__(
        self,
        conditions: Mapping[str, Condition],
        features: Callable[[], FeatureSource],
        pixels: Callable[[], PixelSource],
    ) -> None:
        """Take conditions by name, and how to open each source when the first run needs it."""
        self._conditions = conditions
        self._open_features, self._open_pixels = features, pixels
        self._features: FeatureSource | None = None
        self._pixels: PixelSource | None = None

    def condition_id(self, name: str) -> str:
        """What the condition does, whatever its name.

        Raises:
            ValueError: unknown condition, with the nearest ones.
        """
        if name not in self._conditions:
            raise unknown("condition", name, self._conditions)
        return self._conditions[name].id

    def batches(
        self, needs: Needs, backbone_id: str, condition: str, image_ids: list[str], device: torch.device
    ) -> Iterator[torch.Tensor]:
        """Inputs of pictures in order, of the first draw; batches are the same whoever asks.

        Args:
            needs: features or pixels, and of which view.
            backbone_id: whose features.
            condition: name of what is done to the pictures first.
            image_ids: of the pictures.
            device: where batches go.

        Raises:
            ValueError: as the sources: something is missing, and what to do.
        """
        if needs.reads == "features":
            self._features = self._features or self._open_features()
            whole: npt.NDArray[np.generic] = self._features.matrix(backbone_id, condition, needs.view, 0, image_ids)
        else:
            self._pixels = self._pixels or self._open_pixels()
            whole = self._pixels.block(self._conditions[condition], needs.view, 0, image_ids)
        size = BATCH[needs.reads]
        for start in range(0, len(image_ids), size):
            # A copy: blocks are mapped read-only from disk, and torch wants memory that it may write.
            yield torch.from_numpy(np.array(whole[start : start + size])).to(device)
