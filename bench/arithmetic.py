"""What so many pictures would take: bytes, lists in memory, hours of a GPU and of cores. Arithmetic, not a run.

    python bench/arithmetic.py --pictures 2681167 --megapixels 0.22 --picture-kb 260     # GenImage
    python bench/arithmetic.py --pictures 10000000 --runs 120

Run where the lab has run (`make repro`): bytes of a row are those of its tables, milliseconds of a picture those of a
core of this machine, operations are counted by torch on ViT-L/14. Settings are the profile `paper`'s. The share of its
peak that a GPU reaches is an assumption, and named one.
"""

from __future__ import annotations

import argparse
import io
import sys
import time
from pathlib import Path

import numpy as np
import open_clip
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from nsnet.corpus.images import decode_rgb
from nsnet.features.views import ViewSettings, make_view

# NVIDIA's figure for dense bfloat16 on an H100 SXM, and the share of it that is assumed.
PEAK, SHARE = 989e12, 0.4
MODEL, WIDTH, VIEWS, SLOTS, SIDE = "ViT-L-14", 768, ("mosaic", "crop"), 49, 1024
HALF = 2  # bytes of a float16
TABLES = {"images": "corpus/images", "samples": "corpus/samples", "predictions": "evaluate/predictions"}


def row_bytes(table: str) -> float:
    """Of a row of the lab's table, compressed as it is."""
    path = Path("artifacts") / f"{TABLES[table]}.parquet"
    if not path.exists():
        raise SystemExit(f"{path} does not exist: run `make repro` first")
    return path.stat().st_size / pq.read_metadata(path).num_rows


def operations() -> float:
    """Of a forward pass of one view; counted on shapes alone, without weights."""
    tower = open_clip.create_model(MODEL, pretrained=None, device="meta").visual
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        tower(torch.empty(1, 3, 224, 224, device="meta"))
    return counter.get_total_flops()


def milliseconds() -> float:
    """Of one core, for decoding a megapixel of JPEG, selecting its patches and cropping it."""
    coarse = np.random.default_rng(0).normal(128, 40, (SIDE // 8, SIDE // 8, 3)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    settings = ViewSettings(224, 32, 7, 24, "bicubic")
    found = []
    for _ in range(20):
        started = time.process_time()
        pixels = decode_rgb(buffer.getvalue())
        for view in VIEWS:
            make_view(view, pixels, "0" * 64, 0, settings)
        found.append(time.process_time() - started)
    return 1e3 * min(found) / (SIDE * SIDE / 1e6)


def amount(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=1_000_000)
    parser.add_argument("--megapixels", type=float, default=SIDE * SIDE / 1e6, help="of a picture, on average")
    parser.add_argument("--picture-kb", type=float, default=400, help="of a file, on average")
    parser.add_argument("--runs", type=int, default=15, help="trainings whose predictions are kept")
    parser.add_argument("--draws", type=int, default=1000, help="of the bootstrap")
    parser.add_argument("--cores", type=int, default=64)
    chosen = parser.parse_args()
    n = chosen.pictures
    rows = {name: row_bytes(name) for name in TABLES}
    id_bytes = sys.getsizeof("0" * 64) + 8
    each, core = operations(), milliseconds() * chosen.megapixels
    gpu_seconds, core_seconds = n * len(VIEWS) * each / (PEAK * SHARE), n * core / 1e3
    told = [
        ("pictures", f"{chosen.picture_kb:g} kB each", amount(n * chosen.picture_kb * 1e3)),
        *((name, f"{rows[name]:.0f} B a row", amount(n * rows[name])) for name in ("images", "samples")),
        ("features", f"{len(VIEWS)} views x {WIDTH} x {HALF} B", amount(n * len(VIEWS) * WIDTH * HALF)),
        ("features of patches, off by default above 100,000", f"{SLOTS} slots", amount(n * SLOTS * WIDTH * HALF)),
        (
            "predictions",
            f"{rows['predictions']:.1f} B x {chosen.runs} runs",
            amount(n * rows["predictions"] * chosen.runs),
        ),
        ("image ids as a list in memory", f"{id_bytes} B each", amount(n * id_bytes)),
        (
            "counts of the bootstrap for one pool of reals, half of all",
            f"(1 + {chosen.draws}) x {n // 2:,} x 4 B",
            amount((1 + chosen.draws) * (n // 2) * 4),
        ),
        (
            f"encoding with {MODEL} on one H100",
            f"{len(VIEWS)} x {each / 1e9:.0f} G operations, {SHARE:.0%} (assumed) of {PEAK / 1e12:.0f} TFLOP/s",
            f"{gpu_seconds / 3600:.2f} hours",
        ),
        (
            f"decoding and patch selection on {chosen.cores} cores",
            f"{core:.1f} ms of this machine's core each",
            f"{core_seconds / chosen.cores / 3600:.2f} hours",
        ),
    ]
    print(f"| {n:,} pictures of {chosen.megapixels:g} megapixels | arithmetic | result |\n| --- | --- | ---: |")
    for name, how, result in told:
        print(f"| {name} | {how} | {result} |")


if __name__ == "__main__":
    main()
