"""Built, installed and used where there is no checkout and no network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from nsnet.core.template import CODE, FILES
from tests.conftest import ROOT, environment, run
from tests.trees import draw

SCRIPT = """
import json, sys
import nsnet
said = nsnet.load("nsnet").predict(sys.argv[1])
print(json.dumps([nsnet.__file__, said.score, said.decision, said.world]))
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of packages of a prefix of its own: the layout that an environment has, without its dependencies."""
    pytest.importorskip("setuptools", "77", reason="without network, a wheel is built with the setuptools that is here")
    folder = tmp_path_factory.mktemp("wheel")
    for name in run(ROOT, "git", "ls-files").stdout.splitlines():  # a build leaves files among its sources
        if (ROOT / name).is_file():
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / "source" / name)
    pip = [sys.executable, "-m", "pip"]
    run(
        folder / "source",
        *(*pip, "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), "."),
        project=folder,
    )
    [wheel] = folder.glob("*.whl")
    options = ["--quiet", "--no-deps", "--no-index", "--ignore-installed", "--no-warn-script-location"]
    run(folder, *pip, "install", *options, "--prefix", str(folder / "prefix"), str(wheel), project=folder)
    shutil.rmtree(folder / "source")
    return Path(sysconfig.get_path("purelib", vars={"base": str(folder / "prefix")}))


def outside(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run with the installed package, from a folder that has nothing to do with it."""
    return run(cwd, *words, project=installed)


def test_an_installed_package_predicts(installed: Path, tmp_path: Path) -> None:
    path = draw(tmp_path / "a.png", 1)
    place, score, decision, world = json.loads(
        outside(installed, tmp_path, sys.executable, "-c", SCRIPT, "a.png").stdout
    )
    assert Path(place).is_relative_to(installed) and world == "LAB"
    here = run(tmp_path, sys.executable, "-c", SCRIPT, str(path), project=ROOT)
    assert json.loads(here.stdout)[1:] == [score, decision, world]
    shown = outside(installed, tmp_path, "nsnet", "predict", "a.png", "--format", "json")
    assert json.loads(shown.stdout)[0]["score"] == score
    assert (installed / "nsnet/py.typed").is_file()


def test_an_installed_package_has_the_published_figures(installed: Path, tmp_path: Path) -> None:
    shown = outside(installed, tmp_path, "nsnet", "suites", "published", "genimage").stdout
    assert "175 figures, 63 of a setting that we have too" in shown


def test_an_installed_package_makes_a_project(installed: Path, tmp_path: Path) -> None:
    shown = outside(installed, tmp_path, "nsnet", "init", "mine").stdout
    assert all(name in shown for name in (*FILES, CODE))
    for name in FILES:
        if name != "dvc.yaml":  # whose stages know the code by its checksum here
            assert (tmp_path / "mine" / name).read_bytes() == (ROOT / name).read_bytes(), name
    assert "code.yaml" in (tmp_path / "mine/dvc.yaml").read_text()
    settings = {**environment(installed), "DVC_NO_ANALYTICS": "1"}
    stages = subprocess.run(
        ["dvc", "stage", "list"], cwd=tmp_path / "mine", env=settings, capture_output=True, text=True, check=True
    )
    assert "lab" in stages.stdout and "evaluate" in stages.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
