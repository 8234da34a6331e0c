"""How near extraction comes to what the machine allows, and what one more generator costs.

    python bench/extraction.py speed [--counts 1,10,100,500,7500] [--model lab-clip] [--batch 8] [--runtime torch]
        [--rounds 3] [--seconds 300]
    python bench/extraction.py added

Run from a project whose stage `corpus` has run. The limit is the time of reading-and-decoding
alone and that of forward passes alone, one after the other, each with every core (`halves.py`);
the last count is held against the mean of what they took before it and after it, and what it
would be against either says how much is noise. What took turns is compared, since neighbours on a
shared machine take cores away: ratios are medians of turns, of which few pictures have many, and
the last count the rounds, or fewer where they would take more seconds; pictures a second are of
the best turn. A machine tries short passes once (`nsnet.features.short_passes`): that first run is
told apart, all others know.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from halves import DECODED, Halves
from scipy.stats import quantile_test
from targets import Interval, tell

from nsnet.core.contracts import check
from nsnet.corpus.images import decode_rgb
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN
from nsnet.features.contracts import Features, Patches
from nsnet.features.extraction import update_features
from nsnet.features.jobs import Request
from nsnet.features.parts import part_table
from nsnet.features.pictures import Key
from nsnet.features.recorded import WORTH
from nsnet.features.rows import feature_rows, in_order, patch_rows
from nsnet.features.settings import Backbone as Settings
from nsnet.features.views import View, make_view
from nsnet.params import load_params

Seconds = npt.NDArray[np.float64]
KEYS = (Key("crop", 0), Key("full", 0), Key("mosaic", 0))
CORES = os.cpu_count() or 1
TABLES = Path("artifacts/corpus")
# What is asked of a runtime, with many pictures: times the naive loop in torch, and of the limit.
TIMES_NAIVE, TIMES_LIMIT = {("lab-clip", "torch"): 1.8, ("lab-clip", "int8"): 2.5}, 1.1
# Turns and seconds of a count that is not the last, at most; how few pictures are tried beforehand; and the fewest
# turns of which a median has an interval of 95 %.
PAIRS, LONG, FEW, SIX = 120, 12, 100, 6
# Of the time of all, for one generator of forty.
SHARE = 1 / 20


def request(samples: Path) -> Request:
    return Request(TABLES / "images.parquet", samples, Path("data"), [CLEAN], [CLEAN], KEYS, "float32", True)


def settings_of(model: str, runtime: str = "torch") -> Settings:
    values = {**load_params(Path("params.yaml")).backbone.model_dump(), "runtime": runtime}
    if model != "lab-clip":
        values |= {"model": model, "weights": "random", "patch_size": 32}
    return Settings.model_validate(values)


def clocked(work: Callable[[], object]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def subset(rows: pl.DataFrame, count: int, folder: Path) -> Path:
    """The table samples of `count` pictures, spread over all generators."""
    first = rows.unique("image_id", keep="first", maintain_order=True).select("image_id")
    chosen = first.gather_every(max(1, first.height // count)).head(count)
    path = folder / f"samples-{count}.parquet"
    rows.join(chosen, on="image_id", how="semi").write_parquet(path)
    return path


def speed(counts: Sequence[int], model: str, batch: int, runtime: str, rounds: int, seconds: int) -> None:
    settings, usual = settings_of(model, runtime), settings_of(model)
    tower = load_backbone(settings)
    plain = tower if settings == usual else load_backbone(usual)  # the same weights, at the same place in memory
    rows = pl.read_parquet(TABLES / "samples.parquet")
    images = pl.read_parquet(TABLES / "images.parquet").filter(status="used")
    files = dict(images.select("image_id", "path").iter_rows())
    print(f"{model}, {runtime}, {CORES} cores, batches of {batch} views, pictures/s")
    columns = ("pictures", "ours", "naive loop", "times naive", "95 %", "decode", "forward", "limit", "times limit")
    print("  ".join(f"{name:>11}" for name in columns))
    faster: list[tuple[float, Interval | None]] = []
    told = ""
    recorded = counts[-1] >= WORTH  # as passes then are in ours
    with TemporaryDirectory() as temporary, Halves(settings, batch, KEYS, CORES, recorded) as halves:
        folder = Path(temporary)
        for asked in counts:
            samples = subset(rows, asked, folder)
            image_ids = pl.read_parquet(samples)["image_id"].unique(maintain_order=True)
            pictures = {image_id: Path("data") / files[image_id] for image_id in image_ids[:DECODED]}
            count = len(image_ids)  # there may be fewer
            ours, loop = partial(_ours, tower, batch, samples, folder), partial(_loop, plain, samples, folder)
            if count <= FEW:  # lengths of pass that were not tried yet are tried now
                first = sum(ours())
                if not told:
                    told = f"the first run on a machine, with pictures: {count}; times naive: {sum(loop()) / first:.2f}"
            if asked != counts[-1]:
                own, theirs = np.array(_turns((ours, loop), PAIRS, LONG)).T
            else:
                half = partial(halves.measure, pictures)
                turns = np.array(_turns((half, ours, half, loop), rounds, seconds))
                before, (own,), after, (theirs,) = np.split(turns.T, np.cumsum([halves.kinds, 1, halves.kinds]))
            times = median(theirs / own)
            cells = [f"{count}", f"{count / own.min():.1f}", f"{count / theirs.min():.1f}", f"{times[0]:.2f}"]
            cells.append("{:.2f}-{:.2f}".format(*times[1]) if times[1] else "")
            if asked == counts[-1]:
                decode, forward = _halved(before, after)
                both = decode + forward
                limit = float(np.median(own / count / both.mean(axis=0)))
                limits = own / count / both
                cells += [*(f"{1 / took.mean(axis=0).min():.1f}" for took in (decode, forward, both)), f"{limit:.2f}"]
            print("  ".join(f"{cell:>11}" for cell in cells), flush=True)
            faster.append(times)
    if told:
        print(told)
    named, many = f"{model}, {runtime}", f"{counts[-1]:,} pictures"
    value, interval = min(faster, key=lambda times: times[0])
    tell(f"{named}: times the naive loop at every count, the least", value, least=1, interval=interval)
    if (model, runtime) in TIMES_NAIVE:
        tell(f"{named}: times the naive loop at {many}", faster[-1][0], least=TIMES_NAIVE[model, runtime])
    if runtime == "torch":
        ends = float(limits.min()), float(limits.max())
        tell(f"{named}: times the limit at {many}", limit, most=TIMES_LIMIT, interval=ends)


def _halved(before: Seconds, after: Seconds) -> tuple[Seconds, Seconds]:
    """Seconds of decoding and of forward passes, before a run and after it, in each turn: (2, turns); of the kind of
    pass, eager or recorded, that is the faster one over all of them."""
    decode, *passes = np.stack([before, after], axis=1)
    return decode, min(passes, key=np.sum)


def median(ratios: Seconds) -> tuple[float, Interval | None]:
    """The median of turns and its interval of 95 %, by order statistics; none of fewer than six."""
    interval = quantile_test(ratios, p=0.5).confidence_interval(0.95) if len(ratios) >= SIX else None
    return float(np.median(ratios)), interval and (float(interval.low), float(interval.high))


def _turns(works: Sequence[Callable[[], Sequence[float]]], most: int, seconds: float) -> list[list[float]]:
    """What the works took, one after the other; and again while it is not too often and the next turn fits."""
    begun, turns = time.perf_counter(), [_turn(works)]
    while len(turns) < most and (time.perf_counter() - begun) * (1 + 1 / len(turns)) < seconds:
        turns.append(_turn(works))
    return turns


def _turn(works: Sequence[Callable[[], Sequence[float]]]) -> list[float]:
    return [seconds for work in works for seconds in work()]


def _ours(tower: Backbone, batch: int, samples: Path, folder: Path) -> tuple[float]:
    """Seconds, from a store without parts."""
    store, out = folder / "store", _tables(folder)
    for condition in (store / tower.id).glob("*/"):
        shutil.rmtree(condition)
    return (clocked(lambda: update_features(request(samples), tower, store, *out, batch=batch, workers=CORES)),)


def _loop(tower: Backbone, samples: Path, folder: Path) -> tuple[float]:
    return (clocked(lambda: _naive(tower, request(samples), _tables(folder))),)


def _tables(folder: Path) -> tuple[Path, Path]:
    return folder / "features.parquet", folder / "patches.parquet"


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


def added(batch: int) -> None:
    tower = load_backbone(settings_of("lab-clip"))
    rows = pl.read_parquet(TABLES / "samples.parquet")
    name = rows.filter(label=1, split="test")["generator"].unique().sort()[0]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        fewer = folder / "samples.parquet"
        rows.filter(pl.col("generator") != name).write_parquet(fewer)
        out = folder / "store", *_tables(folder)

        def run(samples: Path) -> float:
            return clocked(lambda: update_features(request(samples), tower, *out, batch=batch, workers=CORES))

        whole, more, again = run(fewer), run(TABLES / "samples.parquet"), run(TABLES / "samples.parquet")
        print(f"all others {whole:.1f} s, one more {more:.2f} s (1/{whole / more:.0f}), nothing new {again:.2f} s")
        tell("one generator of forty: its share", more / whole, most=SHARE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "added"])
    parser.add_argument("--counts", default="1,10,100,500,7500")
    parser.add_argument("--model", default="lab-clip")
    usual = load_params(Path("params.yaml")).features.batch
    parser.add_argument("--batch", type=int, default=usual)
    parser.add_argument("--runtime", choices=["torch", "int8"], default="torch")
    parser.add_argument("--rounds", type=int, default=3, help="turns of the last count, at most")
    parser.add_argument("--seconds", type=int, default=300, help="of those turns, at most, unless one alone takes more")
    options = parser.parse_args()
    torch.set_num_threads(CORES)
    if options.what == "speed":
        counts = [int(count) for count in options.counts.split(",")]
        speed(counts, options.model, options.batch, options.runtime, options.rounds, options.seconds)
    else:
        added(options.batch)


if __name__ == "__main__":
    main()
