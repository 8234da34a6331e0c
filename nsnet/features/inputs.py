"""What detectors are given: feature matrices and mosaics, read from the feature store."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import duckdb
import numpy as np
import numpy.typing as npt

from nsnet.core.paths import Paths
from nsnet.features import patches
from nsnet.features.backbone import Backbone
from nsnet.features.contracts import Features, Patches
from nsnet.features.views import read_pixels


@dataclass
class Inputs:
    """Inputs of one backbone's detectors, by image.

    Attributes:
        paths: project whose feature store is read.
        files: image_id to file, for detectors that read pixels.
        backbone: whose features, and how pictures are shown to it.
    """

    paths: Paths
    files: dict[str, Path]
    backbone: Backbone
    _matrices: dict[str, tuple[dict[str, int], npt.NDArray[np.float32]]] = field(default_factory=dict)

    def get(self, reads: Literal["features", "pixels"], view: str, image_ids: list[str]) -> npt.NDArray[Any]:
        """Rows in the order of `image_ids`: float32 (n, d) features, or uint8 (n, size, size, 3) mosaics.

        Raises:
            ValueError: images without features, or pixels asked of a view other than the mosaic.
        """
        if reads == "features":
            return self._features(view, image_ids)
        if view != "mosaic":
            raise ValueError(f"a detector that reads pixels gets the view mosaic, not {view}: change its view")
        return self._mosaics(image_ids)

    def _features(self, view: str, image_ids: list[str]) -> npt.NDArray[np.float32]:
        if view not in self._matrices:
            rows = self._sql(
                "SELECT image_id, feature FROM read_parquet($files)"
                " WHERE backbone_id = $backbone AND view = $view AND draw = 0 ORDER BY image_id",
                files=str(self.paths.table(Features)),
                view=view,
            )
            place = {image_id: i for i, image_id in enumerate(rows["image_id"].to_pylist())}
            flat = rows["feature"].combine_chunks().flatten().to_numpy()
            self._matrices[view] = place, flat.reshape(len(place), -1)
        place, matrix = self._matrices[view]
        missing = [image_id for image_id in image_ids if image_id not in place]
        if missing:
            raise ValueError(
                f"{len(missing)} images have no {view} features of backbone {self.backbone.id}, the first is"
                f" {missing[0]}: is {view} among features.views? Run `dvc repro features`"
            )
        return matrix[[place[image_id] for image_id in image_ids]]

    def _mosaics(self, image_ids: list[str]) -> npt.NDArray[np.uint8]:
        rows = self._sql(
            "SELECT image_id, list(row ORDER BY slot) AS rows, list(col ORDER BY slot) AS cols"
            " FROM read_parquet($files) WHERE backbone_id = $backbone GROUP BY image_id",
            files=str(self.paths.table(Patches)),
        )
        columns = (rows[name].to_pylist() for name in ("image_id", "rows", "cols"))
        views = self.backbone.views
        chosen = {image_id: (np.array(r), np.array(c)) for image_id, r, c in zip(*columns, strict=True)}

        def read(image_id: str) -> npt.NDArray[np.uint8]:
            pixels = read_pixels(self.files[image_id], views)
            return patches.mosaic(pixels, *chosen[image_id], views.patch_size)

        with ThreadPoolExecutor(2) as pool:  # decoding releases the interpreter lock
            return np.stack(list(pool.map(read, image_ids)))

    def _sql(self, statement: str, **values: str) -> Any:
        with duckdb.connect() as connection:
            return connection.sql(statement, params={"backbone": self.backbone.id, **values}).to_arrow_table()
