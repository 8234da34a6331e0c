"""A small corpus on disk, the request for its features, and what tests ask of a store that has run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from nsnet.core.provenance import file_sha256
from nsnet.features.backbone import Backbone
from nsnet.features.conditions import CLEAN, Condition
from nsnet.features.extraction import Counts, update_features
from nsnet.features.jobs import Request
from nsnet.features.pictures import Key
from nsnet.features.settings import Jpeg

JPEG = Condition("jpeg50", (Jpeg(op="jpeg", quality=50),))
KEYS = (Key("mosaic", 0), Key("crop", 0), Key("full", 0))
GENERATORS = ("reals", "gan", "a/../odd name")
BATCH = 8


def make_corpus(root: Path) -> Path:
    """Thirty-six pictures of three generators, a third of them for training, and the tables that say so."""
    images, samples = [], []
    for seed in range(36):
        pixels = np.random.default_rng(seed).integers(0, 255, (30, 35, 3), dtype=np.uint8)
        path = root / f"{seed}.png"
        Image.fromarray(pixels).resize((140, 120)).save(path)
        facts = {"image_id": file_sha256(path), "path": path.name}
        images.append({**facts, "status": "used"})
        split = "test" if seed % 3 else "train"
        samples.append({**facts, "suite": "s", "generator": GENERATORS[seed // 12], "split": split})
        if seed == 0:  # the same picture in a second role
            samples.append({**facts, "suite": "z", "generator": "again", "split": "test"})
    images.append({"image_id": "f" * 64, "path": "rejected", "status": "rejected"})
    pl.DataFrame(images).write_parquet(root / "images.parquet")
    pl.DataFrame(samples).write_parquet(root / "samples.parquet")
    return root


def request_for(corpus: Path) -> Request:
    """All views of all pictures as they are, with patches, in float32."""
    tables = {"images": corpus / "images.parquet", "samples": corpus / "samples.parquet"}
    return Request(**tables, root=corpus, train=[CLEAN], test=[CLEAN], keys=KEYS, dtype="float32", patches=True)


class Extraction:
    """Runs requests on stores below a folder, and reads what came of them."""

    def __init__(self, folder: Path, backbone: Backbone) -> None:
        self.folder, self.backbone = folder, backbone

    def __call__(self, request: Request, name: str = "store", tower: Backbone | None = None) -> Counts:
        out = (self.folder / name, self.out("features", name), self.out("patches", name))
        return update_features(request, tower or self.backbone, *out, batch=BATCH, workers=2)

    def out(self, table: str, name: str = "store") -> Path:
        """A table that a run wrote."""
        return self.folder / f"{name}-out" / f"{table}.parquet"

    def contents(self, name: str = "store") -> list[bytes]:
        """The bytes of both tables."""
        return [self.out(table, name).read_bytes() for table in ("features", "patches")]

    def parts(self) -> list[Path]:
        """Parts of the store."""
        return sorted(self.folder.glob("store/*/*/*/*/part-*.parquet"))

    def some(self, request: Request, generators: tuple[str, ...]) -> Request:
        """The same request of a corpus with these generators only."""
        path = self.folder / f"samples-{len(generators)}.parquet"
        pl.read_parquet(request.samples).filter(pl.col("generator").is_in(generators)).write_parquet(path)
        return replace(request, samples=path)
