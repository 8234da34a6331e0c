"""Fixtures: drawn pictures, small parameters and one tiny project that has run the whole pipeline."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import numpy.typing as npt
import pytest
import yaml

from nsnet.params import Params, load_params

ROOT = Path(__file__).parent.parent
REALSET = Path(os.environ.get("NSNET_REALSET", ROOT.parent / "shared" / "realset"))
# Of the tiny project: one detector of each kind of comparison.
CHOSEN = (
    *("nsnet", "nsnet-without-loss", "nsnet-without-contrastive"),
    *("univfd", "univfd+random-directions", "cnn-control"),
)
DETECTORS, SEEDS = len(CHOSEN), 2
TRACKED = (
    *("nsnet", "flows", "scores", "dvc.yaml", "data.dvc", "params.yaml", "pyproject.toml", "constraints.txt"),
    "prefect.yaml",
)


def pytest_report_header() -> str:
    return f"duckdb {duckdb.__version__}; realset {'present' if REALSET.exists() else 'absent: its tests skip'}"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.fixture
def single_thread() -> Iterator[None]:
    """Small tensors: threads that wait for each other take ten times as long on a busy machine."""
    from nsnet.core.device import one_thread

    with one_thread():
        yield


@pytest.fixture
def picture(rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A picture with flat, smooth and noisy parts, sides no multiple of a patch."""
    ramp = np.linspace(0, 255, 150)[None, :, None] * np.ones((131, 1, 3))
    ramp[:40, :40] = 0
    ramp[60:, 60:] += rng.normal(0, 40, (71, 90, 3))
    return np.clip(ramp, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def params() -> Params:
    """The shipped parameters."""
    return load_params(ROOT / "params.yaml")


def tiny(values: dict[str, Any]) -> dict[str, Any]:
    """The shipped parameters at a size that runs in seconds."""
    values["lab"] |= {"train_per_class": 24, "validation_per_class": 8, "test_real": 16, "test_fakes": 4, "workers": 1}
    values["lab"]["caption_pool"] = 20
    values["semantics"]["pool"]["rank"] = 4  # there are too few pictures to choose it
    values["corpus"]["workers"] = 1
    values["train"]["seeds"] = list(range(SEEDS))
    values["train"]["detectors"] = {name: values["train"]["detectors"][name] for name in CHOSEN}
    values["train"]["defaults"]["linear"]["epochs"] = 2
    values["train"]["defaults"]["cnn"]["epochs"] = 1
    values["evaluate"]["bootstrap"] = 50
    return values


def make_project(folder: Path) -> Path:
    """A clone of the project with tiny parameters, committed, nothing run yet."""
    for name in TRACKED:
        source, ignore = ROOT / name, shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / name)
    shutil.copytree(ROOT / ".dvc", folder / ".dvc", ignore=shutil.ignore_patterns("cache", "tmp"))
    shutil.copy(ROOT / ".gitignore", folder)
    values = yaml.safe_load((folder / "params.yaml").read_text())
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny(values), sort_keys=False))
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """Commit everything in a repository."""
    for words in (["add", "--all"], ["commit", "--quiet", "--message", "test"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "gc.auto=0"]
        # A fixed date: the same tree is the same commit, and the revision is part of every table.
        dates = {"GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z", "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z"}
        subprocess.run(["git", *identity, *words], cwd=folder, check=True, env={**os.environ, **dates})


def run(folder: Path, *words: str, check: bool = True, project: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment inside a folder, with the nsnet of `project`: by default the folder's own."""
    settings = environment(project or folder)
    finished = subprocess.run(words, cwd=folder, env=settings, capture_output=True, text=True)
    if check and finished.returncode:
        raise AssertionError(f"{' '.join(words)} failed:\n{finished.stdout}\n{finished.stderr}")
    return finished


def stages_run(output: str) -> list[str]:
    """Names of the stages that DVC says it ran."""
    return re.findall(r"Running stage '(\w+)'", output)


def change(project: Path, section: str, **values: object) -> None:
    """Change values of a section of params.yaml; dots in a name lead down."""
    params = yaml.safe_load((project / "params.yaml").read_text())
    for name, value in values.items():
        *above, last = name.split(".")
        place = params[section]
        for part in above:
            place = place[part]
        place[last] = value
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def environment(project: Path) -> dict[str, str]:
    """Environment in which `python`, `dvc`, `nsnet` and `prefect` are this interpreter's and nsnet is the project's."""
    scripts = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": scripts, "PYTHONPATH": str(project), "HF_HUB_OFFLINE": "1", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny project whose pipeline has run once, committed; tests must leave it as it is."""
    folder = make_project(tmp_path_factory.mktemp("project") / "nsnet")
    run(folder, "dvc", "repro")
    commit(folder)
    return folder


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a project that has run, cache included, to change it."""
    return lambda source: shutil.copytree(source, tmp_path / "copy", symlinks=True)
