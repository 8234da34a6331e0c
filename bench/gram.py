"""The spectrum of a million captions: the Gram matrix, fed batch by batch, against an SVD of all features at once.

    python bench/gram.py [--captions 1000000] [--width 512] [--batch 512]

Captions are drawn: twelve strong directions and many weak ones, about as an encoder of texts gives them. Each way has
a process of its own, whose peak of memory is its own; drawing, which both need, is not counted in their times.
The SVD is LAPACK's, of float32 as the features are, which it may overwrite. Where its memory (twice the features')
does not fit in three quarters of what is free, it gets as many captions as do, and is told for that number. First
both are held against an SVD in float64 of a hundredth of the captions.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import psutil
from scipy.linalg import svd
from targets import tell

from nsnet.semantics.spectrum import CaptionGram

Batches = Iterable[npt.NDArray[np.float32]]
# Singular values, and right singular vectors in rows.
Found = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
STRONG = 12


class Cost(NamedTuple):
    """Seconds, peak memory in MB beyond what the process had at first, and what was found: singular values, vectors."""

    seconds: float
    memory: float
    values: npt.NDArray[np.float64]
    vectors: npt.NDArray[np.float64]


class Drawn(NamedTuple):
    """Captions, drawn as they are asked for, float32 (batch, width) at a time."""

    captions: int
    width: int
    batch: int

    def rows(self, number: int) -> npt.NDArray[np.float32]:
        """Those of a batch."""
        count = min(self.batch, self.captions - number * self.batch)
        drawn = np.random.default_rng([1, number]).standard_normal((count, self.width), np.float32)
        return drawn @ _turned(self.width)


@cache
def _turned(width: int) -> npt.NDArray[np.float32]:
    scales = np.concatenate([np.geomspace(1, 0.2, STRONG), np.geomspace(0.02, 0.001, width - STRONG)])
    turned = np.linalg.qr(np.random.default_rng(0).standard_normal((width, width)))[0] * scales[:, None]
    return turned.astype(np.float32)


def gram(batches: Batches, of: Drawn) -> Found:
    total = CaptionGram(normalise=False)
    for rows in batches:
        total.add(rows, np.ones(len(rows), np.int64))
    spectrum = total.spectrum(centre=False)
    return spectrum.values, spectrum.vectors


def whole(batches: Batches, of: Drawn, dtype: str = "float32") -> Found:
    features = np.empty((of.captions, of.width), dtype, order="F")  # as LAPACK has matrices: no copy is made
    for number, rows in enumerate(batches):
        features[number * of.batch : number * of.batch + len(rows)] = rows
    _, values, vectors = svd(features, full_matrices=False, overwrite_a=True, check_finite=False)
    return values.astype(np.float64), vectors.astype(np.float64)


def timed(work: Callable[..., Found], of: Drawn, *options: str) -> Cost:
    drawing = 0.0

    def batches() -> Iterator[npt.NDArray[np.float32]]:
        nonlocal drawing
        for number in range(-(-of.captions // of.batch)):
            begun = time.perf_counter()
            rows = of.rows(number)
            drawing += time.perf_counter() - begun
            yield rows

    def peak() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    first, start = peak(), time.perf_counter()
    found = work(batches(), of, *options)
    return Cost(time.perf_counter() - start - drawing, peak() - first, *found)


def alone(work: Callable[..., Found], of: Drawn, *options: str) -> Cost:
    """The cost of some work in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(timed, work, of, *options).result()


def compare(of: Drawn) -> None:
    """Print how far both ways are from float64, in the values and in the space of the strong directions."""
    exact = alone(whole, of, "float64")
    for name, found in (("Gram", alone(gram, of)), ("SVD", alone(whole, of))):
        values = np.abs(found.values / exact.values - 1).max()
        strong = found.vectors[:STRONG] @ exact.vectors[:STRONG].T
        print(
            f"{name} of {of.captions:,} captions against float64: singular values to {values:.1e} of each, the {STRONG}"
            f" strong directions to {np.sqrt(max(0, 1 - np.linalg.svd(strong)[1].min() ** 2)):.1e} (sine of angle)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captions", type=int, default=1_000_000)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--batch", type=int, default=512)
    options = parser.parse_args()
    captions, sizes = options.captions, (options.width, options.batch)
    compare(Drawn(captions // 100, *sizes))
    fitting = int(0.75 * psutil.virtual_memory().available / (2 * 4 * options.width))
    few = min(captions, fitting)
    ours, theirs = alone(gram, Drawn(captions, *sizes)), alone(whole, Drawn(few, *sizes))
    for name, count, cost in (("Gram", captions, ours), ("SVD", few, theirs)):
        sized = f"{name:4} of {count:,} captions x {options.width}"
        print(f"{sized}: {cost.seconds:.1f} s, {cost.memory:,.0f} MB", flush=True)
    a_caption = (theirs.seconds / few) / (ours.seconds / captions), theirs.memory / ours.memory
    tell("Gram: MB of memory", ours.memory, most=200)
    print(f"a caption, SVD over Gram: {a_caption[0]:.1f} times the time; in all {a_caption[1]:.0f} times the memory")


if __name__ == "__main__":
    main()
