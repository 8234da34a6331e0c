"""How fast is a scan of many small files, and does its memory stay flat?

    python bench/scan.py [--files 100000] [--workers 2]

Baseline of one run: reading and hashing the same files, and nothing else. Memory is the
peak of the scanning process, measured in a process of its own for a tenth of the files
and for all of them. Times are ratios of one run; single seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image

from nsnet.scan import scan

PER_FOLDER = 1000
SIDE = 48


def draw(root: Path, numbers: range) -> int:
    total = 0
    for number in numbers:
        path = root / f"{number // PER_FOLDER:04d}" / f"{number:07d}.png"
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


def timed_scan(root: Path, index: Path, workers: int) -> tuple[float, float]:
    """Seconds, and peak memory of this process in MB."""
    start = time.perf_counter()
    scan(root, index, [], workers)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def alone(root: Path, index: Path, workers: int) -> tuple[float, float]:
    """A scan in a fresh process, whose memory is nobody else's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(timed_scan, root, index, workers).result()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        small, large = Path(folder, "small"), Path(folder, "large")
        parts = [range(start, min(start + 5000, options.files)) for start in range(0, options.files, 5000)]
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            size = sum(pool.map(draw, itertools.repeat(large), parts)) / 1e6
            sum(pool.map(draw, [small], [range(options.files // 10)]))
        read_and_hash(large)  # once, so that both measurements find the files in the page cache
        hashing = read_and_hash(large)
        _, small_memory = alone(small, Path(folder, "small.parquet"), options.workers)
        first, memory = alone(large, Path(folder, "large.parquet"), options.workers)
        again, _ = alone(large, Path(folder, "large.parquet"), options.workers)
    files = options.files
    print(f"{files:,} files, {size:.0f} MB, {options.workers} workers")
    print(f"read and hash alone  {files / hashing:8,.0f} files/s {size / hashing:7.1f} MB/s")
    print(
        f"first scan           {files / first:8,.0f} files/s {size / first:7.1f} MB/s  {first / hashing:.1f} x hashing"
    )
    print(f"unchanged tree       {files / again:8,.0f} files/s  {first / again:.0f} times faster than the first scan")
    print(f"peak memory          {memory:.0f} MB for {files:,} files, {small_memory:.0f} MB for {files // 10:,}")


if __name__ == "__main__":
    main()
