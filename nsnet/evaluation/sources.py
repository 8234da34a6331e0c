"""What runs look at, batch by batch: features as they were extracted, or pixels of views."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from nsnet.core.names import unknown
from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import digest
from nsnet.corpus.contracts import Images
from nsnet.detectors.protocol import Needs
from nsnet.features.conditions import Condition
from nsnet.features.contracts import Features
from nsnet.features.matrices import FeatureReader
from nsnet.features.pictures import PictureSource
from nsnet.features.pixels import PixelStore
from nsnet.features.views import ViewSettings

if TYPE_CHECKING:  # takes seconds, and few detectors need a tower
    from nsnet.features.backbone import Backbone

# Pictures held at once: 12 MB of features at d = 768, 20 MB of pixels at 224.
BATCH = {"features": 4096, "pixels": 128}


class ScoringSource:
    """Inputs of a corpus under named conditions; nothing is opened before a detector needs it."""

    def __init__(
        self,
        paths: Paths,
        root: Path,
        conditions: Mapping[str, Condition],
        backbone: Callable[[], Backbone] | None = None,
    ) -> None:
        """Say where inputs come from.

        Args:
            paths: project of the corpus, with its tables images and features.
            root: folder that images.path is below.
            conditions: by name.
            backbone: loads the one of params.yaml, for detectors that need it.
        """
        self._paths, self._root, self._conditions, self._load = paths, root, conditions, backbone
        self._files: dict[str, Path] = {}
        self._backbone: Backbone | None = None

    def tower(self, record: Mapping[str, Any]) -> Backbone:
        """The backbone of a record, loaded once.

        Args:
            record: that a detector was trained on.

        Returns:
            The backbone.

        Raises:
            ValueError: the backbone at hand is another one.
        """
        if self._backbone is None and self._load is not None:
            self._backbone = self._load()
        if self._backbone is None or self._backbone.id != digest(dict(record)):
            there = "there is none" if self._backbone is None else f"params.yaml names {self._backbone.record['model']}"
            raise ValueError(
                f"a detector was trained on backbone {digest(dict(record))} ({record['model']}), but {there}: restore"
                " the section backbone, or run `dvc repro train`"
            )
        return self._backbone

    def condition_id(self, name: str) -> str:
        """What the condition does, whatever its name.

        Raises:
            ValueError: unknown condition, with the nearest ones.
        """
        if name not in self._conditions:
            raise unknown("condition", name, self._conditions)
        return self._conditions[name].id

    def batches(
        self, needs: Needs, backbone: Mapping[str, Any], condition: str, image_ids: list[str], device: torch.device
    ) -> Iterator[torch.Tensor]:
        """Inputs of pictures in order, of the first draw; batches are the same whoever asks.

        Args:
            needs: features or pixels, and of which view.
            backbone: record of the backbone whose features, or whose views' pixels, are wanted.
            condition: name of what is done to the pictures first.
            image_ids: of the pictures.
            device: where batches go.

        Yields:
            Features, float32 (b, d), or pixels, uint8 (b, size, size, 3), on the device.

        Raises:
            ValueError: features or pictures are missing or not what was ingested, and what to do.
        """
        whole: npt.NDArray[np.generic]
        if needs.reads == "features":
            reader = FeatureReader(self._paths.table(Features))
            whole = reader.matrix(digest(backbone), condition, needs.view, 0, image_ids)
        else:
            store = PixelStore(self._paths.pixel_store, PictureSource(self._known(), _view_settings(backbone)))
            whole = store.block(self._conditions[condition], needs.view, 0, image_ids)
        size = BATCH[needs.reads]
        for start in range(0, len(image_ids), size):
            # A copy: blocks are mapped read-only from disk, and torch wants memory that it may write.
            yield torch.from_numpy(np.array(whole[start : start + size])).to(device)

    def _known(self) -> dict[str, Path]:
        if not self._files:
            rows = read_table(Images, self._paths.table(Images)).filter(status="used").select("image_id", "path")
            self._files = {image_id: self._root / name for image_id, name in rows.iter_rows()}
        return self._files


def _view_settings(backbone: Mapping[str, Any]) -> ViewSettings:
    return ViewSettings(**{field.name: backbone[field.name] for field in fields(ViewSettings)})
