"""Every fault in every stage, between two nights: the next night makes the same bytes, and nothing published is lost.

Half an hour and more: `make faults` runs it, and writes docs/fault_matrix.md of what came of it.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.conftest import change, commit, run
from tests.damage import damage
from tests.faults import (
    CATALOGUE,
    STAGES,
    STORES,
    WAIT,
    Site,
    at_work,
    check,
    fill,
    found,
    left,
    midst_of,
    outputs,
    remove,
    wait_for,
)

pytestmark = pytest.mark.faults
every_stage = pytest.mark.parametrize("stage", STAGES)
SIZE = 400 * 2**20


@pytest.fixture(scope="session")
def published(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The tiny project after a night; tests must leave it as it is."""
    root = shutil.copytree(project, tmp_path_factory.mktemp("published") / "nsnet", symlinks=True)
    change(root, "nightly", free_gb=0)  # the disks here are small
    commit(root)
    site = Site(root)
    assert site.night() == {"night": 1, "blocking": [], "published": 1}
    assert site.made() == site.undisturbed
    return Site(root)


def copied(published: Site, folder: Path) -> Site:
    """A copy in which files of the published version still are links of the project's own."""
    run(folder, "cp", "--archive", str(published.root), str(folder / "nsnet"))
    return Site(folder / "nsnet")


@pytest.fixture
def site(published: Site, tmp_path: Path) -> Iterator[Site]:
    yield copied(published, tmp_path)
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("killed", ["stage", "dvc", "night"])
@every_stage
def test_kill(site: Site, stage: str, killed: str) -> None:
    """SIGKILL in the midst of the stage; the night is the process that a worker of Prefect's starts."""
    site.forget(stage, store=True)
    with site.start() as night:
        wait_for(night, site.root, midst_of(stage))
        whole = psutil.Process(night.pid)
        victim = {"stage": lambda: at_work(night, stage), "dvc": lambda: whole.children()[0], "night": lambda: whole}[
            killed
        ]()
        family = victim.children(recursive=True)
        victim.send_signal(signal.SIGKILL)
        assert left([victim, *family]) == []
        said, _ = night.communicate(timeout=WAIT)
    assert killed == "night" or '"blocking": ["pipeline-failed"]' in said, said
    check(site)


@every_stage
def test_outputs_gone(site: Site, stage: str) -> None:
    for name in outputs(stage):
        remove(site.root / name)
    check(site)


@every_stage
def test_outputs_damaged(site: Site, stage: str) -> None:
    for name in outputs(stage):
        damage(site.root / name)
    assert site.made() != site.undisturbed
    check(site)


@every_stage
def test_cache_damaged(site: Site, stage: str) -> None:
    """DVC's copies of the outputs are not what they were, and the outputs are gone."""
    objects = site.cached(stage)
    if not objects:
        pytest.skip("DVC has no copy")
    for path in objects:
        damage(path)
    for name in outputs(stage):
        remove(site.root / name)
    check(site)


@every_stage
def test_store_damaged(site: Site, stage: str) -> None:
    """What the stage keeps to save time is not what it was, and its outputs and DVC's copies of them are gone."""
    if stage not in STORES:
        pytest.skip("it keeps nothing")
    run(site.root, "python", "-m", "nsnet.stages", stage)  # an index of the folder that this is a copy of is not used
    kept = found(site.root, STORES[stage])
    before = [path.read_bytes() for path in kept]
    for path in kept:
        damage(path)
    assert kept and all(path.read_bytes() != was for path, was in zip(kept, before, strict=True))
    site.forget(stage)
    check(site)


@every_stage
def test_disk_full(published: Site, tmp_path: Path, stage: str) -> None:
    """The disk is full from the midst of the stage until the night has ended."""
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(tmp_path)]).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        site = copied(published, tmp_path)
        site.forget(stage, store=True)
        with site.start() as night:
            wait_for(night, site.root, midst_of(stage))
            fill(tmp_path / "filler")
            said, _ = night.communicate(timeout=WAIT)
        (tmp_path / "filler").unlink()
        assert "No space left on device" in said
        check(site)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def lose_data(root: Path) -> None:
    remove(root / "data")


def lose_pictures_and_cache(root: Path) -> None:
    for name in ("data", "lab", ".dvc/cache"):
        remove(root / name)


def damage_published(root: Path) -> None:
    damage(root / "nights" / CATALOGUE)


def damage_version(root: Path) -> None:
    """Tables of the published version, which are the project's own by a second name."""
    for name in ("artifacts", "tables"):
        for path in found(root, (f"nights/versions/*/{name}",)):
            damage(path)


@pytest.mark.parametrize("fault", [lose_data, lose_pictures_and_cache, damage_published, damage_version])
def test_elsewhere(site: Site, fault: Callable[[Path], None]) -> None:
    fault(site.root)
    check(site)


@pytest.mark.parametrize("written", ["nights/nights/.*", "nights/.nsnet*"])
def test_kill_of_a_night_that_records(site: Site, written: str) -> None:
    """In the midst of appending itself, and of building what readers open."""
    with site.start() as night:
        wait_for(night, site.root, (written,))
        night.kill()
        night.communicate()
    check(site)
