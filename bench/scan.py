"""How fast is a scan of many small files, and does its memory stay flat?

    python bench/scan.py [--files 100000] [--workers 2]

Baseline of one run: reading and hashing the same files, and nothing else. Memory is the
peak of a process of its own, for a tenth of the files and for all of them: a scan
streams, ingest holds the tables it makes. Times are ratios of one run; single seconds
depend on the machine.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
from PIL import Image

from nsnet.corpus.ingest import ingest
from nsnet.corpus.scan import scan

PER_FOLDER = 1000
# Files that a process draws at a time.
DRAWN = 2500
SIDE = 48
LABELS = ("0_real", "1_fake")


def draw(root: Path, numbers: range) -> int:
    total = 0
    for number in numbers:
        path = root / LABELS[number % 2] / f"{number // PER_FOLDER:04d}" / f"{number:07d}.png"
        path.parent.mkdir(exist_ok=True, parents=True)
        pixels = np.random.default_rng(number).integers(0, 255, (SIDE // 4, SIDE // 4, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(path, compress_level=1)
        os.utime(path, (1e9, 1e9))
        total += path.stat().st_size
    return total


def read_and_hash(root: Path) -> float:
    start = time.perf_counter()
    for path in sorted(root.rglob("*.png")):
        hashlib.sha256(path.read_bytes()).hexdigest()
    return time.perf_counter() - start


class Cost(NamedTuple):
    """Seconds, and peak memory in MB of the scanning process and of its largest worker."""

    seconds: float
    memory: float
    worker: float


def timed(work: Callable[..., object], *values: object) -> Cost:
    start = time.perf_counter()
    work(*values)
    seconds = time.perf_counter() - start
    own, worker = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return Cost(seconds, own, worker)


def alone(work: Callable[..., object], *values: object) -> Cost:
    """The cost of some work in a fresh process, whose memory is nobody else's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(timed, work, *values).result()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        parts = [range(start, min(start + DRAWN, options.files)) for start in range(0, options.files, DRAWN)]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            size = sum(pool.map(draw, itertools.repeat(large), parts)) / 1e6
            sum(pool.map(draw, [small], [range(options.files // 10)]))
        read_and_hash(large)  # once, so that both measurements find the files in the page cache
        hashing = read_and_hash(large)
        few_first, few_again, few_read, first, again, read = (
            alone(work, root, root.with_suffix(".parquet"), setting, options.workers)
            for root in (small, large)
            for work, setting in ((scan, []), (scan, []), (ingest, None))
        )
    files = options.files
    print(f"{files:,} files, {size:.0f} MB, {options.workers} workers")
    for name, seconds, ratio in (
        ("read and hash alone", hashing, ""),
        ("first scan", first.seconds, f"{first.seconds / hashing:.1f} times as long as hashing"),
        ("scan, unchanged", again.seconds, f"{first.seconds / again.seconds:.0f} times faster than the first scan"),
        ("ingest, unchanged", read.seconds, "scan, roles, duplicates and tables"),
    ):
        print(f"{name:20} {files / seconds:8,.0f} files/s {size / seconds:7.1f} MB/s  {ratio}")
    print(f"peak memory in MB    {files // 10:8,} files {files:9,} files")
    for name, few, all_ in (
        ("first scan", few_first.memory, first.memory),
        ("  its largest worker", few_first.worker, first.worker),
        ("scan, unchanged", few_again.memory, again.memory),
        ("ingest, unchanged", few_read.memory, read.memory),
    ):
        print(f"{name:20} {few:14.0f} {all_:15.0f}")


if __name__ == "__main__":
    main()
