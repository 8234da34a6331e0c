"""The feature store is a cache: whatever its history, and whatever happens to its files, the out has the same bytes."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from PIL import Image

from nsnet.core.provenance import file_sha256
from nsnet.corpus.images import load_rgb
from nsnet.features import extraction, merge
from nsnet.features.backbone import Backbone, load_backbone, stack
from nsnet.features.conditions import CLEAN, Condition, apply
from nsnet.features.contracts import Features, Patches
from nsnet.features.encode import run_job
from nsnet.features.extraction import Counts, keys_of, update_features
from nsnet.features.matrices import FeatureReader
from nsnet.features.parts import read_stats
from nsnet.features.pictures import Key, ReplacedPicture
from nsnet.features.plan import Plan, Request, part_size
from nsnet.features.prune import delete, stale_paths, usage
from nsnet.features.settings import Jpeg
from nsnet.features.views import make_view
from nsnet.params import Params

JPEG = Condition("jpeg50", (Jpeg(op="jpeg", quality=50),))
KEYS = (Key("mosaic", 0), Key("crop", 0), Key("full", 0))
GENERATORS = ("reals", "gan", "a/../odd name")
BATCH = 8


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-six pictures of three generators, a third of them for training, and the tables that say so."""
    root = tmp_path_factory.mktemp("corpus")
    images, samples = [], []
    for seed in range(36):
        pixels = np.random.default_rng(seed).integers(0, 255, (30, 35, 3), dtype=np.uint8)
        path = root / f"{seed}.png"
        Image.fromarray(pixels).resize((140, 120)).save(path)
        facts = {"image_id": file_sha256(path), "path": path.name}
        images.append({**facts, "status": "used"})
        split = "test" if seed % 3 else "train"
        samples.append({**facts, "suite": "s", "generator": GENERATORS[seed // 12], "split": split})
        if seed == 0:  # the same picture in a second role
            samples.append({**facts, "suite": "z", "generator": "again", "split": "test"})
    images.append({"image_id": "f" * 64, "path": "rejected", "status": "rejected"})
    pl.DataFrame(images).write_parquet(root / "images.parquet")
    pl.DataFrame(samples).write_parquet(root / "samples.parquet")
    return root


@pytest.fixture
def request_of(corpus: Path) -> Request:
    tables = {"images": corpus / "images.parquet", "samples": corpus / "samples.parquet"}
    return Request(**tables, root=corpus, train=[CLEAN], test=[CLEAN], keys=KEYS, dtype="float32", patches=True)


@pytest.fixture
def update(tmp_path: Path, backbone: Backbone) -> Callable[..., Counts]:
    def run(request: Request, name: str = "store", tower: Backbone = backbone) -> Counts:
        out = tmp_path / f"{name}-out"
        files = (tmp_path / name, out / "features.parquet", out / "patches.parquet")
        return update_features(request, tower, *files, batch=BATCH, workers=2)

    return run


def contents(tmp_path: Path, name: str = "store") -> list[bytes]:
    return [(tmp_path / f"{name}-out" / f"{table}.parquet").read_bytes() for table in ("features", "patches")]


def some(request: Request, folder: Path, generators: tuple[str, ...]) -> Request:
    """The same request of a corpus with these generators only."""
    path = folder / f"samples-{len(generators)}.parquet"
    pl.read_parquet(request.samples).filter(pl.col("generator").is_in(generators)).write_parquet(path)
    return replace(request, samples=path)


def parts(tmp_path: Path) -> list[Path]:
    return sorted(tmp_path.glob("store/*/*/*/*/part-*.parquet"))


def test_rows_are_what_the_tower_makes_of_each_view(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], backbone: Backbone
) -> None:
    """Training pictures under the training condition, test pictures under the test conditions, each by itself."""
    request = replace(request_of, test=[JPEG], keys=(*KEYS, Key("mosaic", 1)))
    assert update(request) == Counts(wanted=37, computed=37)
    found = pl.read_parquet(tmp_path / "store-out/features.parquet")
    assert found.equals(found.sort("image_id", "condition", "view", "draw")) and found.height == 37 * 4
    assert found.schema["feature"] == pl.Array(pl.Float32, 128)
    samples = pl.read_parquet(request.samples)
    roles = {(i, "jpeg50" if split == "test" else "clean") for i, split in samples.select("image_id", "split").rows()}
    assert set(found.select("image_id", "condition").rows()) == roles
    files = {image_id: request.root / path for image_id, path in samples.select("image_id", "path").iter_rows()}
    for row in found.sample(12, seed=0).to_dicts():
        condition = JPEG if row["condition"] == "jpeg50" else CLEAN
        pixels = apply(condition, load_rgb(files[row["image_id"]]), row["image_id"])
        view = make_view(row["view"], pixels, row["image_id"], row["draw"], backbone.views)
        assert row["rule"] == view.rule
        assert (backbone.encode_images(stack([view.pixels], BATCH))[0] == np.array(row["feature"], np.float32)).all()
    patches = pl.read_parquet(tmp_path / "store-out/patches.parquet")
    assert patches.equals(patches.sort("image_id", "condition", "slot")) and patches.height == 37 * 49
    image_id, name = sorted(roles)[0]
    pixels = apply(JPEG if name == "jpeg50" else CLEAN, load_rgb(files[image_id]), image_id)
    view = make_view("mosaic", pixels, image_id, 0, backbone.views)
    rows = patches.filter(image_id=image_id, condition=name)
    assert view.selection is not None
    assert (rows["row"].to_numpy() == view.selection.rows).all() and (
        rows["col"].to_numpy() == view.selection.cols
    ).all()
    assert (rows["feature"].to_numpy() == backbone.encode_patches(stack([view.pixels], BATCH))[1][0]).all()


def test_history_does_not_show(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], params: Params
) -> None:
    """A, B, A gives A's bytes and computes nothing, for B another corpus, condition, backbone, view or precision."""
    few = some(request_of, tmp_path, GENERATORS[:2])
    assert update(few) == Counts(wanted=24, computed=24)
    first = contents(tmp_path)
    other = load_backbone(params.backbone.model_copy(update={"lowest": 10}))
    histories: list[tuple[Counts, Counts]] = [
        (update(request_of), Counts(wanted=36, computed=12)),  # a generator more costs its own pictures
        (update(replace(few, test=[JPEG])), Counts(wanted=24, computed=16)),  # two thirds are test pictures
        (update(few, tower=other), Counts(wanted=24, computed=24)),
        (update(replace(few, keys=(*KEYS, Key("mosaic", 1)))), Counts(wanted=24, computed=24)),
        (update(replace(few, keys=KEYS[1:])), Counts(wanted=24, computed=0)),
        (update(replace(few, patches=False)), Counts(wanted=24, computed=0)),
        (update(replace(few, dtype="float16")), Counts(wanted=24, computed=0)),
    ]
    assert [found for found, _ in histories] == [expected for _, expected in histories]
    assert contents(tmp_path) != first
    assert update(few) == Counts(wanted=24, computed=0)
    assert contents(tmp_path) == first
    # And a store without any history gives the same as one with much.
    assert update(request_of) == Counts(wanted=36, computed=0)
    update(request_of, "fresh")
    assert contents(tmp_path) == contents(tmp_path, "fresh")


def test_float16_first_is_the_same_float16_and_float32_is_computed(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts]
) -> None:
    half = replace(request_of, dtype="float16")
    assert update(half).computed == 36
    schema = pl.read_parquet_schema(tmp_path / "store-out/features.parquet")
    assert schema["feature"] == pl.Array(pl.Float16, 128)
    coarse = contents(tmp_path)
    assert update(request_of).computed == 36
    assert update(half).computed == 0 and contents(tmp_path) == coarse
    update(request_of, "exact")
    update(half, "exact")
    assert contents(tmp_path, "exact") == coarse


def test_features_without_patches_are_computed_again_only_for_the_mosaic(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts]
) -> None:
    assert update(replace(request_of, patches=False)).computed == 36
    patches = pl.read_parquet(tmp_path / "store-out/patches.parquet")
    assert patches.height == 36 * 49 and patches["feature"].null_count() == patches.height
    assert patches.schema["feature"] == pl.Array(pl.Float32, 128)
    before = set(parts(tmp_path))
    assert update(request_of).computed == 36
    rows = pl.read_parquet([path for path in parts(tmp_path) if path not in before])
    assert set(rows["view"]) == {"mosaic"} and rows.height == 36
    update(request_of, "at-once")
    assert contents(tmp_path) == contents(tmp_path, "at-once")


def test_many_buckets_give_the_same_rows(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    update(request_of)
    whole = [pl.read_parquet(tmp_path / "store-out" / f"{name}.parquet") for name in ("features", "patches")]
    monkeypatch.setattr(merge, "BUCKET", 10_000)
    monkeypatch.setattr(merge, "GATHERED", 1)
    assert update(request_of).computed == 0
    for name, rows in zip(("features", "patches"), whole, strict=True):
        assert pl.read_parquet(tmp_path / "store-out" / f"{name}.parquet").equals(rows)


def flip(place: float) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        changed[int(place * (len(content) - 1))] ^= 4
        return bytes(changed)

    return change


@pytest.mark.parametrize(
    "damage",
    [flip(0), flip(0.2), flip(0.5), flip(0.99), flip(1), lambda content: content[:-9], lambda content: b""],
    ids=["first", "early", "middle", "footer", "last", "truncated", "empty"],
)
def test_a_damaged_part_is_named_set_aside_and_computed_again(
    tmp_path: Path,
    request_of: Request,
    update: Callable[..., Counts],
    damage: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = some(request_of, tmp_path, GENERATORS[:1])
    update(few)
    before, victim = contents(tmp_path), parts(tmp_path)[0]
    pictures = read_stats(victim)["pictures"]
    victim.write_bytes(damage(victim.read_bytes()))
    counts = update(few)
    assert counts.computed == pictures < counts.wanted
    assert f"{victim} is damaged" in capsys.readouterr().err
    assert victim.with_name(victim.name + ".damaged").exists()
    assert contents(tmp_path) == before
    assert update(few).computed == 0


def test_damage_between_planning_and_reading_is_found_too(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    update(request_of)
    before, victim = contents(tmp_path), parts(tmp_path)[0]
    written = merge.write_tables

    def damage_first(*given: object) -> None:
        monkeypatch.setattr(extraction, "write_tables", written)
        victim.write_bytes(flip(0.5)(victim.read_bytes()))
        written(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(extraction, "write_tables", damage_first)
    assert update(request_of).computed > 0
    assert contents(tmp_path) == before


def test_damaged_stats_harm_nothing(tmp_path: Path, request_of: Request, update: Callable[..., Counts]) -> None:
    few = some(request_of, tmp_path, GENERATORS[:1])
    update(few)
    names = {"pictures", "rows", "read_seconds", "decode_seconds", "forward_seconds", "write_seconds", "bytes"}
    assert all(set(read_stats(part)) == names for part in parts(tmp_path))
    before = contents(tmp_path)
    for number, content in enumerate([b"{", b"\xff\xfe", b"[1]", b""]):
        parts(tmp_path)[number % len(parts(tmp_path))].with_suffix(".json").write_bytes(content)
    assert update(few).computed == 0 and contents(tmp_path) == before
    assert [row.suite for row in usage(tmp_path / "store")] == ["s"]


def test_replaced_pictures_are_all_named_and_the_others_kept(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts]
) -> None:
    root = tmp_path / "moved"
    root.mkdir()
    for path in request_of.root.glob("*.png"):
        (root / path.name).write_bytes(path.read_bytes())
    (root / "3.png").write_bytes((root / "4.png").read_bytes())
    (root / "20.png").unlink()
    with pytest.raises(ReplacedPicture, match="2 pictures are not the ones") as error:
        update(replace(request_of, root=root))
    assert f"{root / '3.png'}: has sha256" in str(error.value) and f"{root / '20.png'}: cannot be read" in str(
        error.value
    )
    assert update(request_of).computed == 2


def test_jobs_are_values_that_another_process_may_run(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], backbone: Backbone
) -> None:
    with Plan(request_of, tmp_path / "store", backbone.id) as plan:
        jobs = pickle.loads(pickle.dumps(list(plan.jobs(2))))  # noqa: S301 - made on the line itself
    assert {(job.suite, job.generator) for job in jobs} == {("s", name) for name in GENERATORS}
    pictures = [image_id for job in jobs for image_id, _ in job.pictures]
    assert len(pictures) == len(set(pictures)) == 36
    for job in jobs[::2]:  # as if elsewhere
        run_job(job, backbone, tmp_path / "store", BATCH)
    assert update(request_of).computed == sum(len(job.pictures) for job in jobs[1::2])
    update(request_of, "alone")
    assert contents(tmp_path) == contents(tmp_path, "alone")


@pytest.mark.parametrize(
    ("pictures", "workers", "size"), [(1, 2, 1), (10, 2, 5), (100, 2, 16), (300, 2, 32), (9000, 2, 64)]
)
def test_parts_are_small_only_where_workers_would_idle(pictures: int, workers: int, size: int) -> None:
    assert part_size(pictures, workers) == size


KILLED = """
import sys
from tests.test_features import *
from nsnet.params import load_params
corpus, store = map(Path, sys.argv[1:])
tables = {"images": corpus / "images.parquet", "samples": corpus / "samples.parquet"}
request = Request(**tables, root=corpus, train=[CLEAN], test=[CLEAN], keys=KEYS, dtype="float32", patches=True)
tower = load_backbone(load_params(Path("params.yaml")).backbone)
slow = tower.encode_patches
object.__setattr__(tower, "encode_patches", lambda pixels: (time.sleep(0.5), slow(pixels))[1])
update_features(request, tower, store, store / "f.parquet", store / "p.parquet", batch=BATCH, workers=2)
"""


def test_a_kill_loses_a_batch_and_leaves_no_process(
    tmp_path: Path, corpus: Path, request_of: Request, update: Callable[..., Counts]
) -> None:
    words = [sys.executable, "-W", "ignore", "-c", KILLED, str(corpus), str(tmp_path / "store")]
    worker = subprocess.Popen(words, start_new_session=True)
    deadline = time.monotonic() + 60
    while not parts(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    with pytest.raises(ProcessLookupError):  # nobody is left of its session
        os.killpg(worker.pid, 0)
    stored = sum(read_stats(part)["pictures"] for part in parts(tmp_path))
    assert 0 < stored < 36
    assert update(request_of).computed == 36 - stored
    update(request_of, "whole")
    assert contents(tmp_path) == contents(tmp_path, "whole")


def test_prune_deletes_what_nobody_asks_for_and_nothing_else(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], backbone: Backbone
) -> None:
    update(replace(request_of, test=[JPEG]))
    update(some(request_of, tmp_path, GENERATORS[:1]))
    store, everything = tmp_path / "store", set(pl.read_parquet(request_of.images)["image_id"])
    assert list(stale_paths(store, backbone.id, [CLEAN.id, JPEG.id], everything)) == []
    assert list(stale_paths(store, backbone.id, [CLEAN.id], everything)) == [store / backbone.id / JPEG.id]
    assert list(stale_paths(store, "other", [CLEAN.id], everything)) == [store / backbone.id]
    (store / ".plan-1").mkdir()
    parts(tmp_path)[0].write_bytes(b"")
    for path in list(stale_paths(store, backbone.id, [CLEAN.id], everything)):
        delete(path)
    assert not (store / ".plan-1").exists() and not list(store.rglob("*.damaged"))
    few = some(request_of, tmp_path, GENERATORS[:1])
    gone = list(stale_paths(store, backbone.id, [CLEAN.id], set(pl.read_parquet(few.samples)["image_id"])))
    assert gone and all(GENERATORS[0] not in path.parts for path in gone)


def test_the_reader_gives_matrices_in_order_and_says_what_is_missing(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts], backbone: Backbone
) -> None:
    table = tmp_path / "store-out/features.parquet"
    with pytest.raises(ValueError, match=re.escape(f"{table} does not exist: run `dvc repro features`")):
        FeatureReader(table).matrix(backbone.id, "clean", "crop", 0, ["a"])
    update(replace(request_of, dtype="float16"))
    rows = pl.read_parquet(table).filter(view="crop")
    image_ids = [*rows["image_id"].reverse(), rows["image_id"][0]]
    found = FeatureReader(table).matrix(backbone.id, "clean", "crop", 0, image_ids)
    assert found.dtype == np.float32 and found.shape == (37, 128)
    expected = rows["feature"].to_numpy().astype(np.float32)
    assert (found == np.concatenate([expected[::-1], expected[:1]])).all()
    for changes in (
        {"view": "mosaik"},
        {"draw": 1},
        {"condition": "jpeg50"},
        {"image_ids": ["0" * 64]},
        {"image_ids": []},
    ):
        asked = {"backbone_id": backbone.id, "condition": "clean", "view": "crop", "draw": 0, "image_ids": image_ids}
        with pytest.raises(ValueError, match=r"holds: backbone [0-9a-f]{12}, condition clean, view crop, draw 0; "):
            FeatureReader(table).matrix(**{**asked, **changes})  # type: ignore[arg-type]


def test_duckdb_reads_fixed_lists(tmp_path: Path, request_of: Request, update: Callable[..., Counts]) -> None:
    for dtype in ("float32", "float16"):
        update(replace(request_of, dtype=dtype))
        for name, kind in (("features", Features), ("patches", Patches)):
            path = tmp_path / "store-out" / f"{name}.parquet"
            kind.validate(pl.read_parquet(path), lazy=True)
            norm = f"SELECT min(array_cosine_similarity(feature::FLOAT[128], feature::FLOAT[128])) FROM '{path}'"
            assert duckdb.sql(norm).fetchall()[0][0] == pytest.approx(1, abs=1e-5)  # float32


def test_contracts_refuse_other_kinds_of_features(
    tmp_path: Path, request_of: Request, update: Callable[..., Counts]
) -> None:
    from nsnet.core.contracts import check

    update(request_of)
    rows = pl.read_parquet(tmp_path / "store-out/features.parquet")
    assert check(Features, rows).height == rows.height
    for kind in (pl.List(pl.Float32), pl.Array(pl.Float64, 128)):
        with pytest.raises(ValueError, match="feature"):
            check(Features, rows.with_columns(pl.col("feature").cast(kind)))


def test_draws_are_of_the_mosaic_alone(params: Params) -> None:
    settings = params.features.model_copy(update={"draws": 2, "views": ["crop", "mosaic"]})
    assert keys_of(settings) == (("crop", 0), ("mosaic", 0), ("mosaic", 1))
