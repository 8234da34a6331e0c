"""How near extraction comes to what the machine allows, and whether its memory stays flat.

    python bench/extraction.py speed [--counts 1,10,100,900,2000] [--model lab-clip] [--rounds 3]
    python bench/extraction.py added
    python bench/extraction.py memory [--pictures 10000,1000000]

Run from a project whose stage `corpus` has run. Two limits are printed. *Slower half*: the
longer of reading-and-decoding alone and of forward passes alone, each with all cores; a
pipeline whose halves had a machine each could reach it. On a CPU both halves want the same
cores, so no program can: *shared cores* is the work that both take alone, one thread, in
processor seconds, divided by the cores. On a GPU the slower half is the one to compare
with. The last column is processor seconds over those of both halves alone: what ours does
beside the work, whoever else uses the cores. Every figure is the best of several rounds in
which the candidates take turns, since neighbours on a shared machine take cores away;
single seconds mean little, ratios do.

Memory is the peak of a process of its own. A million pictures are simulated: parts of
random features, from which the plan and both tables are made.
"""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import torch

from nsnet.core.contracts import check
from nsnet.core.device import threads
from nsnet.corpus.images import decode_rgb
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import make_plan, update_features
from nsnet.features.jobs import Request
from nsnet.features.merge import write_tables
from nsnet.features.parts import part_folder, part_table, write_part
from nsnet.features.pictures import Key, PictureSource
from nsnet.features.recorded import record
from nsnet.features.rows import feature_rows, in_order, patch_rows
from nsnet.features.settings import Backbone as Settings
from nsnet.features.views import View, make_view
from nsnet.params import load_params

KEYS = (Key("crop", 0), Key("full", 0), Key("mosaic", 0))
CORES = os.cpu_count() or 1
TABLES = Path("artifacts/corpus")


def request(samples: Path) -> Request:
    return Request(TABLES / "images.parquet", samples, Path("data"), [CLEAN], [CLEAN], KEYS, "float32", True)


def backbone(model: str) -> tuple[Backbone, int]:
    params = load_params(Path("params.yaml"))
    if model == "lab-clip":
        return load_backbone(params.backbone), params.features.batch
    values = {**params.backbone.model_dump(), "model": model, "weights": "random", "patch_size": 32}
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


def speed(counts: Sequence[int], model: str, rounds: int) -> None:
    tower, batch = backbone(model)
    rows = pl.read_parquet(TABLES / "samples.parquet")
    images = pl.read_parquet(TABLES / "images.parquet").filter(status="used")
    files = dict(images.select("image_id", "path").iter_rows())
    print(f"{model}, {CORES} cores, batches of {batch} views, pictures/s (best of {rounds})")
    columns = ["pictures", "ours", "naive loop", "decode", "forward", "slower half", "shared cores"]
    columns += ["ours/half", "ours/cores", "processor"]
    print("  ".join(f"{name:>12}" for name in columns))
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for count in counts:
            samples = subset(rows, count, folder)
            image_ids = pl.read_parquet(samples)["image_id"].unique(maintain_order=True)
            pictures = {image_id: Path("data") / files[image_id] for image_id in image_ids}
            source = PictureSource(pictures, tower.views)
            views = [view for i in itertools.islice(pictures, 32) for view in source.views(i, CLEAN, KEYS)]
            found = [_round(tower, batch, samples, pictures, source, views, folder) for _ in range(rounds)]
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


def _round(
    tower: Backbone,
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
    naive, _ = clocked(lambda: _naive(tower, request(samples), out))
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
        assert plan.counts()[1] == 0 and not list(plan.jobs(CORES))
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
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["speed", "added", "memory"])
    parser.add_argument("--counts", default="1,10,100,900,2000")
    parser.add_argument("--model", default="lab-clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", default="10000,1000000")
    parser.add_argument("--width", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(CORES)
    if options.what == "speed":
        speed([int(count) for count in options.counts.split(",")], options.model, options.rounds)
    elif options.what == "added":
        added()
    else:
        memory([int(count) for count in options.pictures.split(",")], options.width)


if __name__ == "__main__":
    main()
