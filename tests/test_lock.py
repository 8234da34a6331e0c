"""DVC's own files after a kill or a full disk, and the night's deep look at the data."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nsnet.core.paths import Paths
from nsnet.nightly.data_check import check_data
from nsnet.nightly.holders import mend_holders
from nsnet.nightly.listings import mend_listings
from nsnet.nightly.lock import ASIDE, mend_lock
from nsnet.nightly.reproduction import reproduce
from nsnet.nightly.settings import Nightly
from tests.conftest import ROOT, commit, run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with a stage that has run, and committed files of DVC."""
    root = tmp_path / "root"
    root.mkdir()
    run(root, "git", "init", "--quiet")
    run(root, "dvc", "init", "--quiet")
    (root / "data").mkdir()
    (root / "data" / "a.txt").write_text("a")
    (root / "dvc.yaml").write_text(
        "stages:\n  one:\n    cmd: cp data/a.txt one\n    deps: [data/a.txt]\n    outs: [one]\n"
    )
    run(root, "dvc", "add", "--quiet", "data")
    run(root, "dvc", "repro", "--quiet")
    commit(root)
    return root


@pytest.mark.parametrize("name", ["dvc.lock", "data.dvc"])
@pytest.mark.parametrize(
    "damage", [b"", b"\n", b"\xff\xfe", b"schema: '2.0'\nstages:\n  one:\n    cm", b"<<<<<<< HEAD\na: 1\n"]
)
def test_an_unreadable_file_is_restored_and_said(root: Path, name: str, damage: bytes) -> None:
    whole = (root / name).read_bytes()
    (root / name).write_bytes(damage)
    if damage.strip() or name == "dvc.lock":  # an empty data.dvc DVC takes: it then no longer tracks data/
        assert run(root, "dvc", "repro", check=False).returncode
    mended = run(root, "nsnet", "mend").stdout
    assert f"{name} could not be read" in mended and "restored from the last commit" in mended
    assert (root / name).read_bytes() == whole and (root / ASIDE / name).read_bytes() == damage
    run(root, "dvc", "repro", "--quiet")
    assert mend_lock(root) == []


def test_those_that_have_ended_hold_nothing(root: Path) -> None:
    """DVC lets go of those that are gone; not of those that nobody waited for, or whose number is another's."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        while psutil.Process(ended.pid).status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.01)
        held = {"write": {str(root / "one"): {"pid": ended.pid, "cmd": "dvc repro"}}, "read": {}}
        lock = root / ".dvc/tmp/rwlock"
        lock.write_text(json.dumps(held))
        assert "is busy" in run(root, "dvc", "repro", check=False).stderr
        assert mend_holders(root) == [f"`dvc repro` (process {ended.pid}) has ended and held files of DVC: released"]
        run(root, "dvc", "repro")
    lock.write_text(json.dumps({"write": {}, "read": {str(root / "data"): [{"pid": os.getpid(), "cmd": "dvc repro"}]}}))
    before = psutil.Process().create_time() - 60
    os.utime(lock, (before, before))  # as after a restart of the machine: this process has the number of that one
    assert len(mend_holders(root)) == 1 and json.loads(lock.read_text()) == {"write": {}, "read": {}}


def test_those_at_work_hold_on(root: Path) -> None:
    held = {"write": {str(root / "one"): {"pid": os.getpid(), "cmd": "dvc repro"}}, "read": {}}
    (root / ".dvc/tmp/rwlock").write_text(json.dumps(held))
    assert mend_holders(root) == [] and json.loads((root / ".dvc/tmp/rwlock").read_text()) == held


@pytest.mark.parametrize("content", ["", "{", "[]", '{"write": {"a": 1}}'])
def test_a_list_of_holders_that_cannot_be_read_is_removed(root: Path, content: str) -> None:
    (root / ".dvc/tmp/rwlock").write_text(content)
    assert run(root, "dvc", "repro", "--force", check=False).returncode
    assert mend_holders(root) == [".dvc/tmp/rwlock could not be read, and was removed: DVC makes another"]
    run(root, "dvc", "repro", "--force")


def test_the_night_and_make_repro_mend_before_they_run(root: Path) -> None:
    (root / "dvc.lock").write_bytes(b"")
    lines: list[str] = []
    reproduce(root, lines.append)
    assert lines[0].startswith("dvc.lock could not be read (it is empty): restored from the last commit")
    planned = run(ROOT, "make", "--dry-run", "repro").stdout.splitlines()
    assert planned.index("nsnet mend") < planned.index("dvc repro")


def test_a_lock_that_no_commit_holds_is_set_aside(root: Path) -> None:
    whole = (root / "dvc.lock").read_bytes()
    (root / "dvc.lock").unlink()
    commit(root)
    (root / "dvc.lock").write_bytes(b"")
    [sentence] = mend_lock(root)
    assert "no commit holds another" in sentence and not (root / "dvc.lock").exists()
    run(root, "dvc", "repro", "--quiet")
    assert (root / "dvc.lock").read_bytes() == whole


def test_what_dvc_can_read_or_make_is_left_alone(root: Path) -> None:
    whole = (root / "dvc.lock").read_text()
    (root / "dvc.lock").write_text(whole + "# a comment\n")
    assert mend_lock(root) == []
    (root / "dvc.lock").unlink()
    assert mend_lock(root) == [] and not (root / "dvc.lock").exists()


def test_the_deep_look_comes_round_and_after_a_clock_that_went_back(root: Path) -> None:
    paths, day = Paths(root), datetime.date(2026, 11, 25)
    settings = Nightly(deep_days=7, free_gb=0, slower=2, nights_for_median=3, notify=[])
    looks = []
    for days in (0, 1, 6, 7, 8, -30, -29):
        looks.append("read again" in check_data(paths, settings, day + datetime.timedelta(days)))
    assert looks == [True, False, False, True, False, True, False]
    for text in ("", "[]", "{}", '{"passed": 3}', '{"passed": "yesterday"}'):
        paths.deep_check.write_text(text)
        assert "read again" in check_data(paths, settings, day), text
    shutil.rmtree(root / "data")
    paths.deep_check.unlink()
    assert "no data/ yet" in check_data(paths, settings, day) and not paths.deep_check.exists()


def test_a_listing_with_a_wrong_bit_is_set_aside_and_made_again(root: Path) -> None:
    """DVC would end every later run in "failed to reproduce: 'relpath'"."""
    assert mend_listings(root) == []
    [listing] = (root / ".dvc/cache/files/md5").glob("??/*.dir")
    whole = listing.read_bytes()
    listing.chmod(0o644)
    listing.write_bytes(whole.replace(b"relpath", b"relpati"))  # JSON still
    shutil.rmtree(root / "data")
    assert run(root, "dvc", "checkout", check=False).returncode != 0
    [sentence] = mend_listings(root)
    assert "is damaged: set aside" in sentence and not listing.exists()
    (root / "data").mkdir()
    (root / "data" / "a.txt").write_text("a")
    run(root, "dvc", "repro", "--quiet")
    assert listing.read_bytes() == whole
    assert mend_listings(root) == []


def test_a_listing_with_other_checksums_is_no_drift(root: Path) -> None:
    """DVC would take every picture for a changed one, and the night would be refused."""
    settings = Nightly(deep_days=7, free_gb=0, slower=2, nights_for_median=3, notify=[])
    [listing] = (root / ".dvc/cache/files/md5").glob("??/*.dir")
    whole = listing.read_text()
    listing.chmod(0o644)
    listing.write_text(whole.translate(str.maketrans("123456789", "234567891")))
    said = check_data(Paths(root), settings, datetime.date(2026, 11, 25))
    assert "is damaged: set aside" in said and "data/ is what is committed" in said
