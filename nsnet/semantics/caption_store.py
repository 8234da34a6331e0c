"""Captions that a model wrote, kept by picture: sixteen shards by the first digit of the image's hash.

A shard's name ends in a hash of its bytes, which is verified on every read.
"""

from __future__ import annotations

import hashlib
import io
import sys
from pathlib import Path

import polars as pl

from nsnet.core.files import atomic_path
from nsnet.core.parquet import SHARDS

SCHEMA = {"image_id": pl.String(), "caption": pl.String()}
DIGITS = 16


class CaptionStore:
    """Captions of one model, in a folder of their own.

    What is there stays: captions of pictures that are not asked for now may be tomorrow.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shards = {shard: self._read(shard) for shard in SHARDS}

    def captions(self, image_ids: list[str]) -> pl.DataFrame:
        """Columns image_id and caption of the pictures that have one, by image_id."""
        return pl.concat(self._shards.values()).filter(pl.col("image_id").is_in(image_ids)).sort("image_id")

    def add(self, fresh: pl.DataFrame) -> None:
        """Keep new captions at once: a run that is killed later has them.

        A whole shard is written for a few rows: milliseconds, where a batch takes a model seconds.
        """
        for shard in sorted(set(fresh["image_id"].str.head(1))):
            rows = fresh.filter(pl.col("image_id").str.starts_with(shard)).select(*SCHEMA)
            self._shards[shard] = _merged([self._shards[shard], rows])
            self._write(shard)

    def _read(self, shard: str) -> pl.DataFrame:
        """A shard, put together from several files if a run was killed between two of them."""
        whole = []
        for file in sorted(self._folder.glob(f"{shard}-*.parquet")):
            content = file.read_bytes()
            if _digits(content) == file.stem.partition("-")[2]:
                whole.append(pl.read_parquet(io.BytesIO(content)))
            else:
                aside = file.with_name(f"damaged-{file.name}")
                print(f"{file} is damaged: set aside as {aside.name}, its captions are made anew", file=sys.stderr)
                file.replace(aside)
        return _merged(whole)

    def _write(self, shard: str) -> None:
        """Write a shard under its new name, and only then remove it under its old one."""
        buffer = io.BytesIO()
        self._shards[shard].write_parquet(buffer, compression="zstd", statistics=True)
        before = set(self._folder.glob(f"{shard}-*.parquet"))
        target = self._folder / f"{shard}-{_digits(buffer.getvalue())}.parquet"
        with atomic_path(target) as temporary:
            temporary.write_bytes(buffer.getvalue())
        for file in before - {target}:
            file.unlink()


def _digits(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:DIGITS]


def _merged(parts: list[pl.DataFrame]) -> pl.DataFrame:
    rows = pl.concat([pl.DataFrame(schema=SCHEMA), *parts])
    return rows.unique("image_id", keep="first", maintain_order=True).sort("image_id")
