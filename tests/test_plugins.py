"""A kind of detector from another package: one file and one line of metadata."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

# The one that the page shows.
PLUGIN = (ROOT / "docs/your_detector.md").read_text().partition("```python\n")[2].partition("```")[0]
SCRIPT = """
import sys
from pathlib import Path

import yaml

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.detectors.files import load_detector
from nsnet.params import load_params
from nsnet.training.contracts import Runs
from tests.test_training import sample_rows, samples, section, train_here, write_project
from tests.training import FakeFeatures, RECORD, examples, scored
import numpy as np

root, shipped = Path(sys.argv[1]), Path(sys.argv[2])
values = yaml.safe_load(shipped.read_text())
values["train"]["defaults"]["centroid"] = {"sharpness": 3.0}
values["train"]["detectors"]["mine"] = {"kind": "centroid", "view": "crop"}
(root / "whole.yaml").write_text(yaml.safe_dump(values))
mine = load_params(root / "whole.yaml").train.detectors["mine"]
assert mine.sharpness == 3.0, mine

paths = Paths(root)
write_project(paths, section({"mine": {"kind": "centroid", "view": "crop"}}), samples(sample_rows("a", 40, 20)))
print(train_here(paths))
runs = read_table(Runs, paths.table(Runs))
run = runs.row(0, named=True)
assert run["kind"] == "centroid" and run["validation_acc"] > 0.8, run
detector = load_detector(paths.detectors / f"{run['run_id']}.safetensors", run["detector_sha256"], RECORD)
names = [f"{letter}-new-{number}" for letter in "rf" for number in range(50)]
rows = FakeFeatures().matrix("", "clean", "crop", 0, names)
labels = np.repeat([0, 1], 50)
assert ((scored(detector, examples(rows, labels)) >= 0.5) == labels).mean() > 0.8

misspelt = {"kind": "centroid", "view": "crop", "sharpnes": 1}
write_project(paths, section({"mine": misspelt}), samples(sample_rows("a", 9, 9)))
try:
    train_here(paths)
except ValueError as error:
    assert "did you mean sharpness" in str(error), error
else:
    raise AssertionError("an unknown setting was taken")
print("trained and scored")
"""


def install(folder: Path, name: str, source: str, entry: str) -> None:
    """A package as an installer leaves it: a module, and a folder of metadata."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[nsnet.detectors]\n{entry}\n")


def run_python(packages: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(packages), str(ROOT)])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    (tmp_path / "packages").mkdir()
    return tmp_path / "packages"


def test_a_new_kind_is_one_file(packages: Path, tmp_path: Path) -> None:
    """Parsed from params.yaml with defaults of its own, trained, kept, loaded and scored."""
    install(packages, "centroids", PLUGIN, "centroid = centroids:CentroidDetector")
    (tmp_path / "project").mkdir()
    finished = run_python(packages, "-c", SCRIPT, str(tmp_path / "project"), str(ROOT / "params.yaml"))
    assert finished.returncode == 0, finished.stderr
    assert "train: 2 runs trained" in finished.stdout and "trained and scored" in finished.stdout


@pytest.mark.parametrize(
    ("source", "entry", "told"),
    [
        (PLUGIN, "linear = centroids:CentroidDetector", "has the name of another, nsnet.detectors.linear"),
        (PLUGIN, "centroid = centroids:Missing", "cannot be loaded"),
        ("class Bare: ...", "centroid = centroids:Bare", "has no Settings"),
    ],
)
def test_broken_packages_are_named(packages: Path, source: str, entry: str, told: str) -> None:
    install(packages, "centroids", source, entry)
    code = "from nsnet.detectors.registry import kinds, settings_class\nfor kind in kinds(): settings_class(kind)"
    finished = run_python(packages, "-c", code)
    assert finished.returncode and told in finished.stderr and "package centroids" in finished.stderr
