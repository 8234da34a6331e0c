"""Nights after faults, in seconds: a damaged version, costs that are no stage's, and a night that is killed."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from nsnet.core.paths import Paths
from nsnet.nightly.costs import costs_since, look
from nsnet.nightly.holders import mend_holders
from nsnet.nightly.records import accepted
from nsnet.nightly.versions import BESIDE, faults_of, version_folder
from nsnet.reporting.nights.contracts import NightFindings
from nsnet.reporting.nights.tables import read_nights
from tests.conftest import ROOT, environment, run
from tests.damage import damage
from tests.faults import left
from tests.test_nights import night, paths, worsen

STAGE = """
import time
from pathlib import Path
from nsnet.core.workers import end_with_command

end_with_command("DVC_ROOT")
Path("begun").touch()
time.sleep(600)
"""
__all__ = ["paths"]  # a fixture


def version(paths: Paths) -> Path:
    last = accepted(paths.nights)
    assert last is not None
    return version_folder(paths, last.version)


def test_a_damaged_version_is_mended_before_anything_is_compared_with_it(paths: Paths) -> None:
    """Compared with wrong scores, every detector would be a regression."""
    night(paths)
    shutil.copytree(version(paths), apart := paths.root / "apart")  # no links of the project's files any more
    shutil.rmtree(version(paths))
    apart.rename(version(paths))
    damage(version(paths) / "artifacts/evaluate/predictions.parquet")
    assert faults_of(version(paths))
    assert night(paths).published == accepted(paths.nights)
    assert read_nights(NightFindings, paths.nights).is_empty() and faults_of(version(paths)) == []


def test_a_damaged_version_that_cannot_be_made_again_is_told_and_never_compared_with(paths: Paths) -> None:
    night(paths)
    worsen(paths)
    damage(version(paths) / "artifacts/evaluate/predictions.parquet")
    with pytest.raises(ValueError, match=r"predictions.parquet is not what was published"):
        night(paths)
    [(finding, detail)] = read_nights(NightFindings, paths.nights).select("finding", "detail").rows()
    assert finding == "not-compared" and "predictions.parquet is not what was published" in detail


@pytest.mark.parametrize("name", BESIDE)
def test_what_is_written_into_the_project_is_not_written_into_what_was_published(paths: Paths, name: str) -> None:
    """Editors and DVC write into params.yaml and data.dvc where they lie."""
    (paths.root / name).touch()
    night(paths)
    file = paths.root / name
    file.write_text(file.read_text() + " \n")
    assert faults_of(version(paths)) == []
    second = night(paths)
    assert second.published and second.published.night == 2


def test_costs_of_trainings_are_no_stage(paths: Paths) -> None:
    before = look(paths)
    for name, figures in (("train", {"seconds": 2.5, "peak_memory_mb": 100}), ("runs", {"0123456789ab": 0.7})):
        paths.cost(name).parent.mkdir(parents=True, exist_ok=True)
        paths.cost(name).write_text(json.dumps(figures))
    [cost] = costs_since(paths, before)
    assert cost == {"stage": "train", "seconds": 2.5, "peak_memory_mb": 100}
    assert look(paths).keys() == {"train", "runs"}


def test_dvc_and_its_stage_end_with_the_night(tmp_path: Path) -> None:
    """Else the next night finds DVC's lock taken, or two of a stage run side by side."""
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "dvc", "init", "--quiet")
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: python stage.py\n    outs: [one]\n")
    code = "from pathlib import Path; from nsnet.nightly.reproduction import reproduce; reproduce(Path(), print)"
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(ROOT), stdout=subprocess.DEVNULL
    ) as killed:
        deadline = time.monotonic() + 60
        while not (tmp_path / "begun").exists():
            assert killed.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        children = psutil.Process(killed.pid).children(recursive=True)
        assert len(children) >= 2, "dvc and the stage"
        killed.kill()
        assert left(children) == []
    mend_holders(tmp_path)  # as the next night does: nobody may have waited for what was killed
    assert run(tmp_path, "dvc", "status").returncode == 0
