"""Patch selection at 1024 x 1024 as ratios: against a per-patch float64 loop, and against decoding a JPEG.

    python bench/patch_selection.py

Each time is the best of several in one run, one picture of lab photographs side by side.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from nsnet.features.patches import mosaic, rank, select, spectral_entropy
from nsnet.lab.camera import photograph
from nsnet.lab.quality import to_uint8
from nsnet.lab.scenes import draw_scene, render

sys.path.insert(0, str(Path(__file__).parent.parent))
from tests.test_patches import entropy_loop

SIZE, PATCH, GRID, LOWEST = 1024, 32, 7, 24


def best(work: Callable[[], object], times: int) -> float:
    """Least wall milliseconds of several runs."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        found.append(time.perf_counter() - start)
    return 1000 * min(found)


def main() -> None:
    rng = np.random.default_rng(0)
    photos = [to_uint8(photograph(render(draw_scene(rng), rng), rng)) for _ in range(25)]
    rows = [np.concatenate(photos[i : i + 5], axis=1) for i in range(0, 25, 5)]
    pixels = np.ascontiguousarray(np.concatenate(rows)[:SIZE, :SIZE])
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)

    def selection() -> object:
        chosen = select(pixels, PATCH, GRID, LOWEST, 0)
        return mosaic(pixels, chosen.rows, chosen.cols, PATCH)

    assert (rank(spectral_entropy(pixels, PATCH)) == rank(entropy_loop(pixels, PATCH))).all()
    loop = best(lambda: entropy_loop(pixels, PATCH), 5)
    ours = best(selection, 40)
    decode = best(lambda: np.asarray(Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")), 40)
    print(f"per-patch loop (entropy only)   {loop:7.2f} ms  {loop / ours:5.1f} x ours")
    print(f"decoding the JPEG, quality 90   {decode:7.2f} ms  {decode / ours:5.1f} x ours")
    print(f"patch selection and mosaic      {ours:7.2f} ms")


if __name__ == "__main__":
    main()
