"""How near extraction comes to what the machine allows, and what one more generator costs.

    python bench/extraction.py speed [--counts 1,10,100,900,7500] [--model lab-clip] [--runtime torch] [--rounds 3]
    python bench/extraction.py added

Run from a project whose stage `corpus` has run. Two limits are printed. *Slower half*: the
longer of reading-and-decoding alone and of forward passes alone, each with all cores; a
pipeline whose halves had a machine each could reach it. On a CPU both halves want the same
cores, so no program can: *shared cores* is the work that both take alone, one thread, in
processor seconds, divided by the cores. On a GPU the slower half is the one to compare
with. The last column is processor seconds over those of both halves alone: what ours does
beside the work, whoever else uses the cores. Every figure is the best of several rounds in
which the candidates take turns, since neighbours on a shared machine take cores away;
single seconds mean little, ratios do.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import torch
from targets import tell

from nsnet.core.contracts import check
from nsnet.core.device import threads
from nsnet.corpus.images import decode_rgb
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import update_features
from nsnet.features.jobs import Request
from nsnet.features.parts import part_table
from nsnet.features.pictures import Key, PictureSource
from nsnet.features.recorded import record
from nsnet.features.rows import feature_rows, in_order, patch_rows
from nsnet.features.settings import Backbone as Settings
from nsnet.features.views import View, make_view
from nsnet.params import load_params

KEYS = (Key("crop", 0), Key("full", 0), Key("mosaic", 0))
CORES = os.cpu_count() or 1
TABLES = Path("artifacts/corpus")
# What is asked of a runtime, with many pictures: times the naive loop in torch, and of the limit of shared cores.
TIMES_NAIVE, TIMES_LIMIT = {("lab-clip", "torch"): 1.8, ("lab-clip", "int8"): 2.5}, 1.1
# Of the time of all, for one generator of forty.
SHARE = 1 / 20


def request(samples: Path) -> Request:
    return Request(TABLES / "images.parquet", samples, Path("data"), [CLEAN], [CLEAN], KEYS, "float32", True)


def backbone(model: str, runtime: str = "torch") -> tuple[Backbone, int]:
    params = load_params(Path("params.yaml"))
    values = {**params.backbone.model_dump(), "runtime": runtime}
    if model != "lab-clip":
        values |= {"model": model, "weights": "random", "patch_size": 32}
    return load_backbone(Settings.model_validate(values)), params.features.batch


def clocked(work: Callable[[], object]) -> tuple[float, float]:
    """Wall and processor seconds."""
    start, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - processor


def subset(rows: pl.DataFrame, count: int, folder: Path) -> Path:
    """The table samples of `count` pictures, spread over all generators."""
    first = rows.unique("image_id", keep="first", maintain_order=True).select("image_id")
    chosen = first.gather_every(max(1, first.height // count)).head(count)
    path = folder / f"samples-{count}.parquet"
    rows.join(chosen, on="image_id", how="semi").write_parquet(path)
    return path


def speed(counts: Sequence[int], model: str, runtime: str, rounds: int) -> None:
    (tower, batch), (plain, _) = backbone(model, runtime), backbone(model)
    rows = pl.read_parquet(TABLES / "samples.parquet")
    images = pl.read_parquet(TABLES / "images.parquet").filter(status="used")
    files = dict(images.select("image_id", "path").iter_rows())
    print(f"{model}, {runtime}, {CORES} cores, batches of {batch} views, pictures/s (best of {rounds})")
    columns = ["pictures", "ours", "naive loop", "decode", "forward", "slower half", "shared cores"]
    columns += ["ours/half", "ours/cores", "processor"]
    print("  ".join(f"{name:>12}" for name in columns))
    faster = []
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count in counts:
            samples = subset(rows, count, folder)
            image_ids = pl.read_parquet(samples)["image_id"].unique(maintain_order=True)
            pictures = {image_id: Path("data") / files[image_id] for image_id in image_ids}
            source = PictureSource(pictures, tower.views)
            views = [view for i in itertools.islice(pictures, 32) for view in source.views(i, CLEAN, KEYS)]
            found = [_round(tower, plain, batch, samples, pictures, source, views, folder) for _ in range(rounds)]
            ours, cpu, naive, decode, forward, decode_one, forward_one = (
                min(column) for column in zip(*found, strict=True)
            )
            half, shared = max(decode, forward), (decode_one + forward_one) / CORES
            rates = [len(pictures) / seconds for seconds in (ours, naive, decode, forward, half, shared)]
            figures = [f"{len(pictures):>12}", *(f"{rate:12.1f}" for rate in rates)]
            print(
                "  ".join(
                    [*figures, f"{ours / half:12.2f}", f"{ours / shared:12.2f}", f"{cpu / CORES / shared:12.2f}"]
                ),
                flush=True,
            )
            faster.append(naive / ours)
    named, many = f"{model}, {runtime}", f"{counts[-1]:,} pictures"
    tell(f"{named}: times the naive loop at every count, the least", min(faster), least=1)
    if (model, runtime) in TIMES_NAIVE:
        tell(f"{named}: times the naive loop at {many}", faster[-1], least=TIMES_NAIVE[model, runtime])
    if runtime == "torch":
        tell(f"{named}: times the limit at {many}", ours / shared, most=TIMES_LIMIT)


def _round(
    tower: Backbone,
    plain: Backbone,
    batch: int,
    samples: Path,
    pictures: dict[str, Path],
    source: PictureSource,
    views: list[View],
    folder: Path,
) -> tuple[float, ...]:
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    out = [folder / "features.parquet", folder / "patches.parquet"]
    ours, ours_cpu = clocked(lambda: update_features(request(samples), tower, store, *out, batch=batch, workers=CORES))
    naive, _ = clocked(lambda: _naive(plain, request(samples), out))
    few = list(pictures)[: max(32, len(pictures) // 8)]
    scale = len(pictures) / len(few)

    def show(image_id: str) -> object:
        return source.views(image_id, CLEAN, KEYS)

    with threads(1), ThreadPoolExecutor(CORES) as pool:
        decode, _ = clocked(lambda: list(pool.map(show, few)))
        _, decode_one = clocked(lambda: [show(image_id) for image_id in few])
    rows = stack([view.pixels for view in views], len(views))
    passes = len(few) * len(KEYS) / len(rows)

    def forward(tower: Backbone, size: int) -> None:
        for start in range(0, len(rows), size):
            tower.encode_patches(rows[start : start + size])

    best = []
    for size in (batch, min(64, len(rows))):
        for kind in (tower, record(tower, size, tokens=True)):
            whole, _ = clocked(partial(forward, kind, size))
            with threads(1):
                _, one = clocked(partial(forward, kind, size))
            best.append((whole, one))
    whole, one = (min(column) * passes for column in zip(*best, strict=True))
    return ours, ours_cpu, naive, *(scale * value for value in (decode, whole, decode_one, one))


def _naive(tower: Backbone, asked: Request, out: Sequence[Path]) -> None:
    """What one would write first: from the same tables to the same tables, a picture at a time, its views in one call,
    all cores; no store, no checksums, no pass of fixed shape."""
    wanted = pl.read_parquet(asked.samples)["image_id"].unique(maintain_order=True)
    images = pl.read_parquet(asked.images).filter(status="used")
    files = dict(images.select("image_id", "path").iter_rows())
    shown: list[View] = []
    features, slots = [], []
    for image_id in wanted:
        pixels = decode_rgb((asked.root / files[image_id]).read_bytes())
        views = [make_view(key.view, pixels, image_id, key.draw, tower.views) for key in KEYS]
        one, patches = tower.encode_patches(stack([view.pixels for view in views], len(views)))
        shown += views
        features.append(one)
        slots.append(patches[KEYS.index(Key("mosaic", 0))])
    ids, keys = [image_id for image_id in wanted for _ in KEYS], list(KEYS) * len(wanted)
    mosaics = {row: slots[row // len(KEYS)] for row, (view, _) in enumerate(keys) if view == "mosaic"}
    rows = pl.from_arrow(part_table(ids, keys, shown, np.concatenate(features), mosaics, "float32"))
    assert isinstance(rows, pl.DataFrame)
    rows = in_order(rows.with_columns(condition=pl.lit("clean")))
    for path, kind, make in zip(out, (Features, Patches), (feature_rows, patch_rows), strict=True):
        check(kind, make(rows, tower.id, tower.width, "float32")).write_parquet(path)


def added() -> None:
    tower, batch = backbone("lab-clip")
    rows = pl.read_parquet(TABLES / "samples.parquet")
    name = rows.filter(label=1, split="test")["generator"].unique().sort()[0]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fewer = folder / "samples.parquet"
        rows.filter(pl.col("generator") != name).write_parquet(fewer)
        out = (folder / "store", folder / "features.parquet", folder / "patches.parquet")

        def run(samples: Path, patches: bool) -> float:
            asked = replace(request(samples), patches=patches)
            return clocked(lambda: update_features(asked, tower, *out, batch=batch, workers=CORES))[0]

        for patches in (True, False):
            shutil.rmtree(out[0], ignore_errors=True)
            whole = run(fewer, patches)
            more, again = run(TABLES / "samples.parquet", patches), run(TABLES / "samples.parquet", patches)
            told = f"patches {'on' if patches else 'off'}: forty generators {whole:.1f} s, one more {more:.2f} s"
            print(f"{told} (1/{whole / more:.0f}), nothing new {again:.2f} s", flush=True)
            tell(f"one generator of forty, patches {'on' if patches else 'off'}: its share", more / whole, most=SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "added"])
    parser.add_argument("--counts", default="1,10,100,900,7500")
    parser.add_argument("--model", default="lab-clip")
    parser.add_argument("--runtime", choices=["torch", "int8"], default="torch")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(CORES)
    if options.what == "speed":
        speed([int(count) for count in options.counts.split(",")], options.model, options.runtime, options.rounds)
    else:
        added()


if __name__ == "__main__":
    main()
