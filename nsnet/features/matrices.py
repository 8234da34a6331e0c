"""Features as matrices, read from the table features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from jaxtyping import Float

# Rows fetched from DuckDB at a time.
ROWS = 8192


@dataclass(frozen=True)
class FeatureReader:
    """Reads the table features; nothing is kept between calls.

    Attributes:
        table: features.parquet of the stage features.
    """

    table: Path

    def matrix(
        self, backbone_id: str, condition: str, view: str, draw: int, image_ids: Sequence[str]
    ) -> Float[np.ndarray, "n d"]:
        """Features of pictures, float32, in the order of `image_ids`; not normalised.

        Args:
            backbone_id: hash of the backbone record.
            condition: name in params.yaml.
            view, draw: what was shown; draws are counted from 0.
            image_ids: pictures, which may repeat.

        Returns:
            float32 (n, d).

        Raises:
            ValueError: there is no table, or pictures have no such feature; says what there is.
        """
        if not self.table.exists():
            raise ValueError(f"{self.table} does not exist: run `dvc repro features`")
        asked: dict[str, str | int] = {"backbone": backbone_id, "condition": condition, "view": view, "draw": draw}
        places = pa.table({"image_id": pa.array(image_ids, pa.string()), "place": pa.array(range(len(image_ids)))})
        with duckdb.connect() as connection:
            connection.execute("SET enable_progress_bar = false")
            connection.register("asked", places)
            rows = connection.sql(
                "SELECT place, feature FROM read_parquet($table) JOIN asked USING (image_id)"
                " WHERE backbone_id = $backbone AND condition = $condition AND view = $view AND draw = $draw",
                params={"table": str(self.table), **asked},
            ).to_arrow_reader(ROWS)
            matrix: np.ndarray | None = None
            filled = np.zeros(len(image_ids), bool)
            for batch in rows:
                if batch.num_rows == 0:
                    continue
                flat = batch["feature"].flatten().to_numpy(zero_copy_only=False).astype(np.float32, copy=False)
                values = flat.reshape(batch.num_rows, -1)
                if matrix is None:
                    matrix = np.empty((len(image_ids), values.shape[1]), np.float32)
                place = batch["place"].to_numpy()
                matrix[place], filled[place] = values, True
        if not filled.all() or matrix is None:
            first = image_ids[int(np.argmin(filled))] if len(image_ids) else "none was asked for"
            raise ValueError(self._missing(asked, int((~filled).sum()), first))
        return matrix

    def _missing(self, asked: dict[str, str | int], count: int, first: str) -> str:
        with duckdb.connect() as connection:
            there = connection.execute(
                "SELECT DISTINCT backbone_id, condition, view, draw FROM read_parquet(?) ORDER BY ALL",
                [str(self.table)],
            ).fetchall()
        held = "; ".join(f"backbone {b}, condition {c}, view {v}, draw {d}" for b, c, v, d in there) or "no features"
        return (
            f"{count} pictures have no feature of backbone {asked['backbone']}, condition {asked['condition']}, view"
            f" {asked['view']}, draw {asked['draw']} (the first: {first}). {self.table} holds: {held}. Is the view"
            " among features.views, the draw below features.draws, the condition in train.conditions (for training"
            " pictures) or evaluate.conditions (for test pictures)? Then run `dvc repro features`"
        )
