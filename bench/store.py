"""Whether planning and writing tables of many pictures keep their memory.

    python bench/store.py [--pictures 10000,1000000] [--width 128]

Memory is the peak of a process of its own. The pictures are simulated: parts of random features, from which the plan
and both tables are made.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from nsnet.features.conditions import CLEAN
from nsnet.features.extraction import make_plan
from nsnet.features.jobs import Request
from nsnet.features.merge import write_tables
from nsnet.features.parts import part_folder, part_table, write_part
from nsnet.features.pictures import Key
from nsnet.features.views import View

KEYS = (Key("crop", 0), Key("full", 0), Key("mosaic", 0))


def simulate(folder: Path, pictures: int, width: int) -> None:
    """Tables and a store of `pictures` pictures in forty generators."""
    rng = np.random.default_rng(0)
    blank = View(np.zeros((1, 1, 3), np.uint8), "native")
    names = [sha256(str(number).encode()).hexdigest() for number in range(pictures)]
    generators = [f"g{number * 40 // pictures}" for number in range(pictures)]
    frame = pl.DataFrame({"image_id": names, "path": names, "generator": generators})
    frame.select("image_id", "path", pl.lit("used").alias("status")).write_parquet(folder / "images.parquet")
    samples = frame.select("image_id", "generator", pl.lit("s").alias("suite"), pl.lit("test").alias("split"))
    samples.write_parquet(folder / "samples.parquet")
    for start in range(0, pictures, 64):
        part = names[start : start + 64]
        features = rng.standard_normal((3 * len(part), width), np.float32)
        ids, keys = [name for name in part for _ in KEYS], list(KEYS) * len(part)
        table = part_table(ids, keys, [blank] * len(ids), features, {}, "float32")
        write_part(part_folder(folder / "store", "simulated", CLEAN.id, "s", generators[start]), table, {})


def merged(folder: Path, width: int) -> tuple[float, float, float]:
    """Seconds of planning and of writing, and peak memory in MB."""
    tables = {name: folder / f"{name}.parquet" for name in ("images", "samples")}
    asked = Request(**tables, root=folder, train=[], test=[CLEAN], keys=KEYS, dtype="float32", patches=False)
    start = time.perf_counter()
    with make_plan(asked, folder / "store", "simulated") as plan:
        plan.index()
        assert plan.counts()[1] == 0 and not list(plan.jobs(1))
        planned = time.perf_counter()
        write_tables(plan, width, 49, folder / "out.parquet", folder / "patches.parquet")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return planned - start, time.perf_counter() - planned, peak


def memory(counts: Sequence[int], width: int) -> None:
    for count in counts:
        with TemporaryDirectory() as temporary:
            folder = Path(temporary)
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                pool.submit(simulate, folder, count, width).result()
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                plan, write, peak = pool.submit(merged, folder, width).result()
            size = (folder / "out.parquet").stat().st_size / 1e6
        told = f"plan {plan:.1f} s, tables {write:.1f} s ({size:.0f} MB), peak {peak:.0f} MB"
        print(f"{count:>9} pictures: {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", default="10000,1000000")
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    memory([int(count) for count in options.pictures.split(",")], options.width)


if __name__ == "__main__":
    main()
