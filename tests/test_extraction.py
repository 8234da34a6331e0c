"""Damaged parts, replaced pictures, other processes and kills: extraction goes on, and the out has the same bytes."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from nsnet.features import extraction, merge
from nsnet.features.backbone import Backbone, load_backbone
from nsnet.features.conditions import CLEAN, Condition
from nsnet.features.encode import encode
from nsnet.features.extraction import make_plan
from nsnet.features.jobs import Job, Request, in_groups, part_size
from nsnet.features.large_plan import LargePlan
from nsnet.features.parts import KEY_COLUMNS, part_files, read_part, read_stats
from nsnet.features.pictures import Key, ReplacedPicture
from nsnet.features.plan import Plan
from nsnet.features.prune import usage
from nsnet.features.small_plan import SmallPlan
from nsnet.params import Params
from tests.conftest import ROOT
from tests.damage import damage
from tests.stores import BATCH, GENERATORS, JPEG, KEYS, Extraction, make_corpus, request_for


@pytest.fixture(scope="module")
def backbone(params: Params) -> Backbone:
    return load_backbone(params.backbone)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def request_of(corpus: Path) -> Request:
    return request_for(corpus)


@pytest.fixture(params=[SmallPlan, LargePlan])
def update(
    request: pytest.FixtureRequest, tmp_path: Path, backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> Extraction:
    """Both kinds of plan go through all of this file."""
    monkeypatch.setattr(extraction, "FEW", 10**9 if request.param is SmallPlan else 0)
    return Extraction(tmp_path, backbone)


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
    update: Extraction,
    damage: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:
    few = update.some(request_of, GENERATORS[:1])
    update(few)
    before, victim = update.contents(), update.parts()[0]
    pictures = read_stats(victim)["pictures"]
    victim.write_bytes(damage(victim.read_bytes()))
    counts = update(few)
    assert counts.computed == pictures < counts.wanted
    assert f"{victim} is damaged" in capsys.readouterr().err
    assert victim.with_name(victim.name + ".damaged").exists()
    assert update.contents() == before
    assert update(few).computed == 0


def test_damage_between_planning_and_reading_is_found_too(
    tmp_path: Path, request_of: Request, update: Extraction, monkeypatch: pytest.MonkeyPatch
) -> None:
    update(request_of)
    before, victim = update.contents(), update.parts()[0]
    written = merge.write_tables

    def damage_first(*given: object) -> None:
        monkeypatch.setattr(extraction, "write_tables", written)
        victim.write_bytes(flip(0.5)(victim.read_bytes()))
        written(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(extraction, "write_tables", damage_first)
    assert update(request_of).computed > 0
    assert update.contents() == before


def test_any_number_of_damaged_parts_is_computed_again_at_once(
    request_of: Request, update: Extraction, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    update(request_of)
    before, victims = update.contents(), update.parts()
    monkeypatch.setattr(extraction, "ATTEMPTS", 2)  # one that meets the damage and one that mends it
    assert len(victims) > extraction.ATTEMPTS
    for victim in victims:
        content = victim.read_bytes()
        place = content.index(pl.read_parquet(victim)["feature"][0].to_numpy().tobytes())
        victim.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    counts = update(request_of)
    assert counts.computed == counts.wanted
    assert capsys.readouterr().err.count("is damaged") == len(victims)
    assert update.contents() == before


def test_parts_that_say_they_hold_something_else_are_written_again(request_of: Request, update: Extraction) -> None:
    """Readable, with other keys: nobody asks for what they name, and what they hid comes back under their names."""
    update(request_of)
    before, victims = update.contents(), update.parts()
    for victim in victims:
        damage(victim)
    assert update(request_of).computed > 0
    assert update.contents() == before and update.parts() == victims
    assert update(request_of).computed == 0


def test_damaged_stats_harm_nothing(tmp_path: Path, request_of: Request, update: Extraction) -> None:
    few = update.some(request_of, GENERATORS[:1])
    update(few)
    names = {"pictures", "rows", "read_seconds", "decode_seconds", "forward_seconds", "write_seconds", "bytes"}
    assert all(set(read_stats(part)) == names for part in update.parts())
    before = update.contents()
    for number, content in enumerate([b"{", b"\xff\xfe", b"[1]", b""]):
        update.parts()[number % len(update.parts())].with_suffix(".json").write_bytes(content)
    assert update(few).computed == 0 and update.contents() == before
    assert [row.suite for row in usage(tmp_path / "store")] == ["s"]


def test_replaced_pictures_are_all_named_and_the_others_kept(
    tmp_path: Path, request_of: Request, update: Extraction
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
    tmp_path: Path, request_of: Request, update: Extraction, backbone: Backbone
) -> None:
    with make_plan(request_of, tmp_path / "store", backbone.id) as plan:
        jobs = pickle.loads(pickle.dumps(list(plan.jobs(2))))  # noqa: S301 - made on the line itself
    assert {(job.suite, job.generator) for job in jobs} == {("s", name) for name in GENERATORS}
    pictures = [image_id for job in jobs for image_id, _ in job.pictures]
    assert len(pictures) == len(set(pictures)) == 36
    for job in jobs[::2]:  # as if elsewhere
        encode([job], backbone, tmp_path / "store", BATCH)
    assert update(request_of).computed == sum(len(job.pictures) for job in jobs[1::2])
    update(request_of, "alone")
    assert update.contents() == update.contents("alone")


def test_plans_in_memory_and_on_disk_say_the_same(
    tmp_path: Path, request_of: Request, update: Extraction, backbone: Backbone
) -> None:
    """Counts, jobs and chosen rows, over a store with every kind of part: too coarse, tokenless, twice, of a draw more,
    of another condition, and one that is forgotten."""
    again = Condition("again")  # the clean condition by a second name
    full = replace(request_of, train=[CLEAN, again], test=[again, JPEG], keys=(*KEYS, Key("mosaic", 1)))
    for asked in (
        replace(update.some(request_of, GENERATORS[:1]), dtype="float16"),
        replace(update.some(request_of, GENERATORS[:2]), patches=False),
        update.some(full, GENERATORS[1:]),
    ):
        update(asked)
    seen = [_said(kind(full, tmp_path / "store", backbone.id)) for kind in (SmallPlan, LargePlan)]
    assert seen[0] == seen[1]
    (wanted, lacking), jobs, chosen, less, fewer = seen[0]
    assert 0 < lacking < wanted and jobs and chosen and less[1] > lacking and len(fewer) < len(chosen)


def _said(plan: Plan) -> tuple[Any, ...]:
    with plan:
        plan.index()
        before = plan.counts(), list(plan.jobs(2)), list(plan.chosen())
        first = before[2][0][0]
        rows = read_part(first, KEY_COLUMNS)
        plan.forget(first)
        after = plan.counts(), list(plan.chosen())
        plan.note(first, rows)
        plan.flush()
        assert (plan.counts(), list(plan.jobs(2)), list(plan.chosen())) == before
        assert len(part_files(plan.store, plan.backbone_id, [c.id for c in plan.conditions])) > len(before[2])
    return *before, *after


@pytest.mark.parametrize(
    ("pictures", "workers", "size"), [(1, 2, 1), (10, 2, 1), (60, 2, 7), (100, 2, 12), (300, 2, 32), (9000, 2, 64)]
)
def test_parts_are_small_only_where_workers_would_idle(pictures: int, workers: int, size: int) -> None:
    assert part_size(pictures, workers) == size


@pytest.mark.parametrize(
    ("jobs", "size", "groups"),
    [
        ([1, 1, 5, 1, 1, 1], 5, [7, 3]),
        ([1, 1, 4, 1, 1, 1], 5, [6, 3]),
        ([1, 1, 1, 4, 1, 1, 1], 5, [3, 7]),
        ([64, 64, 22], 16, [64, 64, 22]),
        ([7, 7, 7, 7, 7], 15, [14, 14, 7]),
        ([2], 5, [2]),
        ([], 5, []),
    ],
)
def test_groups_end_near_multiples_of_their_size(jobs: list[int], size: int, groups: list[int]) -> None:
    made = [Job("s", "g", CLEAN, ((f"{number}", Path()),) * number, KEYS, "float32", False) for number in jobs]
    found = list(in_groups(made, size))
    assert [sum(len(job.pictures) for job in group) for group in found] == groups
    assert [job for group in found for job in group] == made


KILLED = """
import sys, time
from pathlib import Path
from nsnet.features.backbone import load_backbone
from nsnet.params import load_params
from tests.stores import Extraction, request_for
corpus, folder = map(Path, sys.argv[1:])
tower = load_backbone(load_params(Path("params.yaml")).backbone)
slow = tower.encode_patches
object.__setattr__(tower, "encode_patches", lambda pixels: (time.sleep(0.5), slow(pixels))[1])
Extraction(folder, tower)(request_for(corpus))
"""


def test_a_kill_loses_a_batch_and_leaves_no_process(
    tmp_path: Path, corpus: Path, request_of: Request, update: Extraction
) -> None:
    words = [sys.executable, "-W", "ignore", "-c", KILLED, str(corpus), str(tmp_path)]
    worker = subprocess.Popen(words, start_new_session=True, cwd=ROOT)
    deadline = time.monotonic() + 60
    while not update.parts() and time.monotonic() < deadline:
        time.sleep(0.05)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    with pytest.raises(ProcessLookupError):  # nobody is left of its session
        os.killpg(worker.pid, 0)
    stored = sum(pl.read_parquet(part)["image_id"].n_unique() for part in update.parts())  # not all have stats yet
    assert 0 < stored < 36
    assert update(request_of).computed == 36 - stored
    update(request_of, "whole")
    assert update.contents() == update.contents("whole")
