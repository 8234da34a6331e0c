"""Stage corpus: read the raw corpora in data/ into the tables images and samples."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nsnet.config import load_params
from nsnet.ingest import ingest
from nsnet.parquet import write_table
from nsnet.paths import Paths
from nsnet.progress import cost


def read_corpus(root: Path, paths: Paths, suite: str, workers: int) -> str:
    """Write both tables and return a sentence that accounts for every file."""
    images, samples = ingest(root, suite, workers)
    write_table("images", images, paths.table("images"))
    write_table("samples", samples, paths.table("samples"))
    return account(images, samples)


def account(images: pl.DataFrame, samples: pl.DataFrame) -> str:
    """images in = used + rejected, and why each was rejected or converted."""
    used, rejected = (images.filter(status=status) for status in ("used", "rejected"))
    assert images.height == used.height + rejected.height
    lines = [
        f"corpus: {images.height} images in = {used.height} used + {rejected.height} rejected;"
        f" {samples.height} samples of {samples.filter(label=1)['generator'].n_unique()} generators"
    ]
    for kind, rows in (("rejected", rejected), ("converted", used.filter(pl.col("reason").is_not_null()))):
        lines += [f"  {kind} {path}: {reason}" for path, reason in rows.select("path", "reason").iter_rows()]
    return "\n".join(lines)


def main() -> None:
    paths = Paths()
    settings = load_params(paths.params).corpus
    with cost(paths.cost("corpus")):
        print(read_corpus(paths.data, paths, settings.suite, settings.workers))
