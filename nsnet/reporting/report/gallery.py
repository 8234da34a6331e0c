"""The most confident mistakes as small pictures, each beside what the detector was shown of it."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
from PIL import Image

from nsnet.corpus.images import Pixels, decode_rgb
from nsnet.features.views import ViewSettings, make_view

EDGE = 144


@dataclass(frozen=True)
class Mistake:
    """A picture called wrong: data URLs of it and of the detector's view, and what to say of them."""

    detector: str
    training_set: str
    label: str
    generator: str
    score: float
    path: str
    picture: str
    view: str
    view_name: str


def mistakes(connection: duckdb.DuckDBPyConnection, root: Path, shown: list[str], count: int) -> list[Mistake]:
    """The worst mistakes of some detectors on pictures as they are.

    Args:
        connection: with the views (`views.open_tables`).
        root: folder that images.path is below.
        shown: names of detectors.
        count: of each detector, training set and label.

    Returns:
        Mistakes whose files are there, in the order of the detectors.
    """
    rows = connection.sql(
        """
        SELECT m.detector, m.training_set, m.label, m.generator, m.score, m.path, m.image_id, r."view", r.backbone
        FROM worst_mistakes m
        JOIN (SELECT training_set, train_condition, detector, any_value("view") AS "view",
                     any_value(backbone) AS backbone
              FROM runs WHERE "current" AND kind <> 'external'
              GROUP BY training_set, train_condition, detector) r USING (training_set, train_condition, detector)
        WHERE m.condition = 'clean' AND m.train_condition = 'clean' AND m.rank <= $count
          AND list_contains($shown, m.detector)
        ORDER BY list_position($shown, m.detector), m.training_set, m.label, m.rank
        """,
        params={"count": count, "shown": shown},
    ).pl()
    return [mistake for row in rows.to_dicts() if (mistake := _mistake(root, row)) is not None]


def _mistake(root: Path, row: dict[str, Any]) -> Mistake | None:
    file = root / row["path"]
    if not file.is_file():
        return None
    pixels = decode_rgb(file.read_bytes())
    record = json.loads(row["backbone"])
    settings = ViewSettings(**{field.name: record[field.name] for field in fields(ViewSettings)})
    view = make_view(row["view"], pixels, row["image_id"], 0, settings)
    return Mistake(
        **{name: row[name] for name in ("detector", "training_set", "generator", "score", "path")},
        label="fake" if row["label"] else "real",
        picture=_data_url(pixels),
        view=_data_url(view.pixels),
        view_name=row["view"],
    )


def _data_url(pixels: Pixels) -> str:
    image = Image.fromarray(pixels)
    image.thumbnail((EDGE, EDGE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def rows_of(found: list[Mistake]) -> pl.DataFrame:
    """The table behind the gallery: everything but the pictures.

    Args:
        found: from `mistakes`.

    Returns:
        A row for each.
    """
    names = ("detector", "training_set", "label", "generator", "score", "path")
    return pl.DataFrame({name: [getattr(one, name) for one in found] for name in names})
