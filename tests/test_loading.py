"""Which detector is meant, where its backbone lies, and that `import nsnet` costs nothing."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from safetensors.torch import save_file

import nsnet
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.settings import load_section
from nsnet.detectors.settings import LinearSettings
from nsnet.features.backbone import load_backbone
from nsnet.features.settings import Backbone
from nsnet.features.weights import LAB_CLIP
from nsnet.params import Params
from nsnet.prediction import loading
from nsnet.prediction.loading import choose_run, trained_detectors
from nsnet.training.contracts import Runs
from nsnet.training.exports import SHIPPED
from tests.conftest import ROOT, run
from tests.predictors import export, shipped, table
from tests.training import linear
from tests.transformer_folders import make_vision
from tests.trees import draw

RUNS = table(
    shipped(run_id="0", detector="alone", seed=4),
    shipped(run_id="1", detector="alone", seed=2),
    *(
        shipped(run_id=f"{pictures}-{shown}", detector="several", training_set=pictures, train_condition=shown)
        for pictures in ("biased", "unbiased")
        for shown in ("clean", "jpeg50")
    ),
)


def test_importing_nsnet_imports_nothing_heavy() -> None:
    script = "import sys, nsnet; print([name for name in ('torch', 'numpy', 'polars') if name in sys.modules])"
    assert run(ROOT, sys.executable, "-c", script).stdout.strip() == "[]"
    assert callable(nsnet.load) and set(nsnet.__all__) == set(nsnet._PLACES)
    with pytest.raises(AttributeError, match="no attribute 'lood'"):
        nsnet.lood  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("asked", "run_id"),
    [
        ({"detector": "alone"}, "1"),  # the lowest seed
        ({"detector": "alone", "seed": 4}, "0"),
        ({"detector": "several", "training_set": "biased", "train_condition": "jpeg50"}, "biased-jpeg50"),
    ],
)
def test_the_run_that_is_meant(asked: dict[str, Any], run_id: str) -> None:
    assert choose_run(RUNS, **asked)["run_id"] == run_id


@pytest.mark.parametrize(
    ("asked", "fault"),
    [
        ({"detector": "aloen"}, "unknown detector 'aloen'; did you mean alone? Known: alone, several"),
        ({"detector": "alone", "seed": 3}, "unknown seed '3'. Known: 2, 4"),
        ({"detector": "several"}, r"more than one training set: biased, unbiased; choose one with --training-set"),
        ({"detector": "several", "training_set": "biassed"}, "unknown training set 'biassed'; did you mean biased"),
        ({"detector": "several", "training_set": "biased"}, r"more than one train condition: clean, jpeg50; choose"),
    ],
)
def test_names_that_mean_none_or_several_are_refused(asked: dict[str, Any], fault: str) -> None:
    with pytest.raises(ValueError, match=fault.replace("?", r"\?")):
        choose_run(RUNS, **asked)


def test_where_detectors_are_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert trained_detectors().paths == SHIPPED
    for place in (tmp_path / "none", tmp_path):  # a folder that is named must have some
        with pytest.raises(FileNotFoundError, match=r"runs\.parquet does not exist"):
            trained_detectors(project=place)
        with pytest.raises(FileNotFoundError, match=r"runs\.parquet does not exist"):
            trained_detectors(detectors=place)
    for folder in ("mine", "."):
        write_table(Runs, RUNS, Paths(Path(folder)).table(Runs))
    assert trained_detectors().paths == Paths() and trained_detectors().runs["detector"][0] == "alone"
    assert trained_detectors(detectors=tmp_path / "mine").paths.root == tmp_path / "mine"


@pytest.mark.parametrize("kind", ["local-dir", "file", "transformers"])
def test_a_project_elsewhere_finds_its_backbone(
    kind: str, params: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative names in a project's params.yaml are below the project, from wherever it is asked."""
    home = tmp_path / "home"
    home.mkdir()
    section = params.backbone.model_dump() | {"patch_size": 16, "grid": 4, "lowest": 8}
    if kind == "local-dir":
        shutil.copytree(LAB_CLIP, home / "weights")
        section |= {"model": "local-dir:weights", "grid": 7}
    elif kind == "transformers":
        make_vision(home / "weights", "dinov2")
        section |= {"model": "transformers:weights"}
    else:
        save_file(timm.create_model("test_vit", num_classes=0, img_size=64).state_dict(), home / "vit.safetensors")
        section |= {"model": "timm:test_vit", "weights": "vit.safetensors"}
    (home / "params.yaml").write_text(yaml.safe_dump({"backbone": section}))
    monkeypatch.chdir(home)
    backbone = load_backbone(load_section(Path("params.yaml"), "backbone", Backbone))  # as the stages do
    settings = LinearSettings.model_validate(linear(view="crop").model_dump())
    export(home, "mine", settings, backbone)
    path = draw(tmp_path / "a.png", 3)
    there = nsnet.load("mine", project=".").predict(path)
    monkeypatch.chdir(tmp_path)
    assert nsnet.load("mine", project=home).predict(path) == there
    assert nsnet.load("mine", project="home").predict(path) == there
    with pytest.raises((ValueError, OSError)):  # the detector alone does not say where the weights lie
        nsnet.load("mine", detectors=home)


def test_another_backbone_is_refused(params: Params, tmp_path: Path) -> None:
    """Other weights under the name that params.yaml has, and views that this version would make otherwise."""
    for seed in range(2):
        torch.manual_seed(seed)
        save_file(
            timm.create_model("test_vit", num_classes=0, img_size=64).state_dict(), tmp_path / f"{seed}.safetensors"
        )
    section = params.backbone.model_dump() | {"model": "timm:test_vit", "grid": 4, "lowest": 8}
    section["weights"] = str(tmp_path / "0.safetensors")
    settings = LinearSettings.model_validate(linear(view="crop").model_dump())
    export(tmp_path / "mine", "mine", settings, load_backbone(Backbone.model_validate(section)))
    for seed in range(2):
        section["weights"] = str(tmp_path / f"{seed}.safetensors")
        (tmp_path / "mine/params.yaml").write_text(yaml.safe_dump({"backbone": section}))
        if seed:
            with pytest.raises(ValueError, match=r"was trained on backbone .*, but params\.yaml names timm:test_vit"):
                nsnet.load("mine", project=tmp_path / "mine")
        else:
            nsnet.load("mine", project=tmp_path / "mine")


def test_views_of_another_version_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a detector of pixels, which loads no backbone that would tell."""
    monkeypatch.setattr(loading, "VIEWS_VERSION", 99)
    with pytest.raises(ValueError, match="trained on views of version 2, this nsnet makes 99"):
        nsnet.load("cnn-control", detectors=SHIPPED.root)
