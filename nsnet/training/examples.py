"""Labelled inputs of one split: features in memory, or pixels mapped from disk; fetched batch by batch."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float32, Int64, UInt8

from nsnet.detectors.protocol import CaptionedPool, ContentShift, Context, Examples, Labels, Needs, Tower
from nsnet.features.conditions import Condition
from nsnet.features.pictures import PictureSource
from nsnet.training.sets import Pictures
from nsnet.training.trainings import Training

# Bytes of views of one split, all draws, that are kept on disk: 26,000 pictures at 224 pixels and three draws. More are
# made of their files each time, which train.runtime.workers should do ahead.
BLOCKS = 12 * 2**30


@runtime_checkable
class FeatureSource(Protocol):
    """Where features come from: nsnet.features.matrices.FeatureReader."""

    def matrix(
        self, backbone_id: str, condition: str, view: str, draw: int, image_ids: list[str]
    ) -> npt.NDArray[np.float32]: ...


@runtime_checkable
class PixelSource(Protocol):
    """Where pixels come from: nsnet.features.pixels.PixelStore."""

    @property
    def source(self) -> PictureSource: ...

    def block(self, condition: Condition, view: str, draw: int, image_ids: list[str]) -> npt.NDArray[np.uint8]: ...


class FeatureExamples:
    """Features of every draw, held in memory: 3 KB a picture and draw at d = 768."""

    def __init__(self, draws: Sequence[Float32[np.ndarray, "n d"]], labels: Int64[np.ndarray, " n"]) -> None:
        """Take a matrix for each draw of the view, rows in the order of `labels` (1 fake)."""
        self.labels = labels
        self._draws = [torch.from_numpy(matrix) for matrix in draws]

    def fetch(self, indices: Int64[np.ndarray, " b"], draw: int) -> Float32[torch.Tensor, "b d"]:
        return self._draws[draw].index_select(0, torch.from_numpy(indices))


class PixelExamples:
    """Views of every draw, usually mapped from disk: a batch is copied when it is fetched."""

    def __init__(self, draws: Sequence[UInt8[np.ndarray, "n size size 3"]], labels: Int64[np.ndarray, " n"]) -> None:
        """Take a block for each draw of the view, pictures in the order of `labels` (1 fake)."""
        self.labels = labels
        self._draws = draws

    def __getstate__(self) -> dict[str, Any]:
        """For processes that read ahead: what is mapped from disk is mapped there anew, not copied."""
        names = [str(draw.filename) if isinstance(draw, np.memmap) else draw for draw in self._draws]
        return {"labels": self.labels, "_draws": names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.labels = state["labels"]
        self._draws = [
            draw if isinstance(draw, np.ndarray) else np.load(draw, mmap_mode="r") for draw in state["_draws"]
        ]

    def fetch(self, indices: Int64[np.ndarray, " b"], draw: int) -> UInt8[torch.Tensor, "b size size 3"]:
        return torch.from_numpy(np.asarray(self._draws[draw][indices]))


class FileExamples:
    """Views made of the pictures' files whenever they are fetched, for sets that are too large for blocks."""

    def __init__(
        self, source: PictureSource, condition: Condition, view: str, image_ids: Sequence[str], labels: Labels
    ) -> None:
        """Take what is shown; pictures in the order of `labels` (1 fake).

        Args:
            source: where pictures come from.
            condition, view: what they are shown as.
            image_ids, labels: of the pictures.
        """
        self.labels = labels
        self._source, self._condition, self._view, self._image_ids = source, condition, view, image_ids

    def fetch(self, indices: Int64[np.ndarray, " b"], draw: int) -> UInt8[torch.Tensor, "b size size 3"]:
        shown = [self._source.view(self._image_ids[place], self._condition, self._view, draw) for place in indices]
        return torch.from_numpy(np.stack([view.pixels for view in shown]))


class Material:
    """Examples as trainings ask for them; the last few are kept, since many detectors want the same."""

    def __init__(
        self,
        backbone_id: str,
        features: FeatureSource,
        pixels: Callable[[], PixelSource],
        tower: Tower | None = None,
        kept: int = 6,
    ) -> None:
        """Read features of one backbone.

        Args:
            backbone_id: whose features.
            features: by condition's name, view and draw.
            pixels: called when the first detector that reads pixels is met.
            tower: the backbone itself.
            kept: examples held at once.
        """
        self._backbone_id, self._features, self._make_pixels, self._limit = backbone_id, features, pixels, kept
        self._tower = tower
        self._pixels: PixelSource | None = None
        self._kept: OrderedDict[tuple[Any, ...], Examples] = OrderedDict()

    def context(self, training: Training) -> Context:
        """What a training's detector is built from, with all that it needs beside its training set.

        Args:
            training: as planned.

        Returns:
            Its context, with tower, caption pool and pictures under content shift where it needs them.

        Raises:
            ValueError: as `examples`.
        """
        needs, beside = training.needs, training.companions
        once = replace(needs, draws=1)
        context = training.context
        if needs.tower:
            context = replace(context, tower=self._tower)
        if needs.pool:
            pictures = self.examples(beside.pool_pictures, once, training.condition)
            context = replace(context, pool=CaptionedPool(pictures, beside.texts))
        if needs.shift:
            pictures = self.examples(beside.shift_pictures, once, training.condition)
            context = replace(context, shift=ContentShift(pictures, beside.content))
        return context

    def examples(self, pictures: Pictures, needs: Needs, condition: Condition) -> Examples:
        """Inputs and labels of pictures, in their order.

        Args:
            pictures: of one split of one training set.
            needs: what the detector reads.
            condition: under which the pictures are shown.

        Returns:
            Inputs, read when they are fetched, and labels.

        Raises:
            ValueError: as the sources: features or pictures are missing.
        """
        key = (pictures, needs.reads, needs.view, needs.draws, condition.name)
        if key not in self._kept:
            self._kept[key] = self._read(pictures, needs, condition)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]

    def _read(self, pictures: Pictures, needs: Needs, condition: Condition) -> Examples:
        labels: Labels = np.array(pictures.labels, np.int64)
        image_ids = list(pictures.image_ids)
        if needs.reads == "features":
            reader = self._features
            matrices = [
                reader.matrix(self._backbone_id, condition.name, needs.view, draw, image_ids)
                for draw in range(needs.draws)
            ]
            return FeatureExamples(matrices, labels)
        if self._pixels is None:
            self._pixels = self._make_pixels()
        size = self._pixels.source.settings.size
        if needs.draws * len(image_ids) * 3 * size * size > BLOCKS:
            return FileExamples(self._pixels.source, condition, needs.view, image_ids, labels)
        blocks = [self._pixels.block(condition, needs.view, draw, image_ids) for draw in range(needs.draws)]
        return PixelExamples(blocks, labels)
