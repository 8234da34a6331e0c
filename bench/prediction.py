"""`nsnet predict` against what it cannot be faster than: decoding alone, and forward passes alone, on the same threads.

    python bench/prediction.py [--pictures 200]    # after `make repro`: pictures of the lab's test split

Pictures a second, best of three; the limit is that of doing both and nothing else. Importing is timed in a process of
its own, beside torch alone.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

import nsnet
from nsnet.features.views import View, make_view
from nsnet.prediction.predictor import TOGETHER, Predictor

ROOT = Path(__file__).resolve().parent.parent
DETECTORS = {"univfd": 1, "nsnet": 8}
THREADS = os.cpu_count() or 1
IMPORTS = ("import torch", "import nsnet", "import nsnet; nsnet.load('univfd', detectors='nsnet/shipped')")


def best(work: Callable[[], object], times: int = 3) -> float:
    """Least wall seconds of several runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return min(found)


def decoded(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))


def forward(predictor: Predictor, groups: Sequence[Sequence[View]]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(predictor._scorer.score, groups))


def read(paths: Sequence[Path]) -> None:
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(decoded, paths))


def grouped(predictor: Predictor, paths: Sequence[Path]) -> list[list[View]]:
    """The views of pictures, as many together as `nsnet predict` scores at once."""
    needs, settings, draws = predictor._scorer.needs, predictor._scorer.views, range(predictor.draws)
    views = [[make_view(needs.view, decoded(path), path.name, draw, settings) for draw in draws] for path in paths]
    size = max(1, TOGETHER // predictor.draws)
    return [list(itertools.chain(*views[at : at + size])) for at in range(0, len(views), size)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    count = parser.parse_args().pictures
    paths = sorted((ROOT / "lab/test").glob("*/*/*.jpg"))[:count]
    if len(paths) < count:
        sys.exit(f"{len(paths)} pictures in lab/test, expected {count}: run `make repro` first")
    for name, draws in DETECTORS.items():
        predictor = nsnet.load(name, detectors=ROOT / "nsnet/shipped", draws=draws, workers=THREADS)
        reading = best(partial(read, paths))
        passes = best(partial(forward, predictor, grouped(predictor, paths)))
        whole = best(partial(predictor.predict, paths))
        print(
            f"{name}, {draws} draw(s), {THREADS} threads: predict {count / whole:.0f}/s, decoding alone"
            f" {count / reading:.0f}/s, forward alone {count / passes:.0f}/s, both one after the other"
            f" {count / (reading + passes):.0f}/s: {(reading + passes) / whole:.0%} of the limit"
        )
    for statement in IMPORTS:
        seconds = best(partial(subprocess.run, [sys.executable, "-c", statement], cwd=ROOT, check=True))
        print(f"python -c {statement!r}: {seconds:.2f} s")


if __name__ == "__main__":
    main()
