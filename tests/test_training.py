"""The stage that trains what is missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from nsnet.core.contracts import make
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.detectors.files import load_detector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.temperature import fit_temperature
from nsnet.detectors.thresholds import balanced_accuracy, choose_threshold
from nsnet.features.conditions import Condition
from nsnet.features.pictures import PictureSource
from nsnet.features.views import ViewSettings
from nsnet.semantics.contracts import ImageBasis, SemanticBasis
from nsnet.stages.train import train
from nsnet.training.contracts import Runs
from nsnet.training.examples import Material
from nsnet.training.runs import RunStore
from nsnet.training.sets import training_sets
from tests.training import (
    DETECTORS,
    LINEAR,
    WIDTH,
    FakeBackbone,
    FakeFeatures,
    Stopped,
    examples,
    sample_rows,
    samples,
    scored,
    section,
)

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    """A project with tables and parameters, nothing trained yet."""
    paths = Paths(tmp_path)
    write_project(paths, section(), samples(sample_rows("a", 6, 4, 3), sample_rows("b", 5, 3)))
    return paths


def write_project(paths: Paths, values: dict[str, Any], table: pl.DataFrame, **more: Any) -> None:
    semantics = {"text": None, "pool": {"content": ["thing"]}}
    everything = {"train": values, "conditions": {"clean": {}}, "semantics": semantics, **more}
    paths.params.write_text(yaml.safe_dump(everything))
    write_table(Samples, table, paths.table(Samples))
    rows = [
        {"training_set": name, "k": k, "retained": k < 3, "vector": vector.tolist()}
        for name in "ab"
        for k, vector in enumerate(np.eye(WIDTH))
    ]
    write_table(SemanticBasis, make(SemanticBasis, rows), paths.table(SemanticBasis))
    write_table(ImageBasis, make(ImageBasis, []), paths.table(ImageBasis))


class NoPixels:
    @property
    def source(self) -> PictureSource:
        return PictureSource({}, ViewSettings(16, 4, 4, 8, "bicubic"))

    def block(self, condition: Condition, view: str, draw: int, image_ids: list[str]) -> Any:
        rng = np.random.default_rng(len(image_ids))
        return rng.integers(0, 255, (len(image_ids), 16, 16, 3), dtype=np.uint8)


def no_texts() -> Any:
    raise AssertionError("no detector here asks for captions")


def train_here(paths: Paths) -> str:
    backbone = FakeBackbone()
    return train(paths, backbone, Material(backbone.id, FakeFeatures(), NoPixels), no_texts)


@dataclass
class Fitted:
    """The null spaces of the linear heads that were fitted; after `limit` of them the next is killed."""

    names: list[str] = field(default_factory=list)
    limit: int | None = None


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Fitted:
    found, fit = Fitted(), LinearDetector.fit

    def noted(self: LinearDetector, *arguments: Any) -> Any:
        if len(found.names) == found.limit:
            raise Stopped
        found.names.append(self.settings.null_space)
        return fit(self, *arguments)

    monkeypatch.setattr(LinearDetector, "fit", noted)
    return found


def everything(paths: Paths) -> dict[str, bytes]:
    folder = paths.artifacts / "train"
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_runs_say_what_they_are_and_their_detectors_load(project: Paths) -> None:
    assert train_here(project).startswith("train: 12 runs trained, 0 already known")
    runs = read_table(Runs, project.table(Runs))
    key = ["training_set", "train_condition", "detector", "seed"]
    assert runs.select(key).rows() == sorted(runs.select(key).rows()) and runs.height == 12
    store, backbone = RunStore(project.run_store), FakeBackbone()
    sets = {one.name: one for one in training_sets(read_table(Samples, project.table(Samples)))}
    for run in runs.to_dicts():
        file = project.detectors / f"{run['run_id']}.safetensors"
        detector = load_detector(file, run["detector_sha256"], backbone.record)
        shown = sets[run["training_set"]].validation
        matrix = FakeFeatures().matrix(backbone.id, "clean", run["view"], 0, list(shown.image_ids))
        labels = np.array(shown.labels)
        scores = scored(detector, examples(matrix, labels), 4096)
        kept = store.validation(run["run_id"])
        assert kept["image_id"].to_list() == list(shown.image_ids) and (kept["score"].to_numpy() == scores).all()
        assert run["threshold"] == choose_threshold(scores, labels)
        assert run["temperature"] == fit_temperature(scores, labels)
        assert run["validation_acc"] == balanced_accuracy(scores, labels)
        assert (run["device"], run["precision"]) == ("cpu", "32-true") and run["origin"].startswith("LAB")
        assert json.loads(run["chosen"])["weight_decay"] in LINEAR["weight_decay"]  # type: ignore[operator]
        assert not store.checkpoints(run["run_id"]).exists()
    by_kind = {run["detector"]: (run["null_space"], run["adapter"], run["contrastive"]) for run in runs.to_dicts()}
    assert by_kind["nsnet"] == ("text", True, True) and by_kind["random"] == ("random", False, False)
    seconds = json.loads(project.cost("runs").read_text())
    assert set(seconds) == set(runs["run_id"]) and min(seconds.values()) > 0


def test_a_killed_stage_goes_on_and_nothing_is_trained_twice(project: Paths, fitted: Fitted, tmp_path: Path) -> None:
    fitted.limit = 5
    with pytest.raises(Stopped):
        train_here(project)
    assert len(RunStore(project.run_store).ids()) == 5 and not project.table(Runs).exists()
    fitted.limit = None
    fitted.names.clear()
    assert train_here(project).startswith("train: 7 runs trained, 5 already known")
    assert len(fitted.names) == 7
    first = everything(project)
    assert train_here(project).startswith("train: 0 runs trained, 12 already known") and len(fitted.names) == 7
    assert everything(project) == first
    whole = Paths(tmp_path / "whole")
    whole.root.mkdir()
    write_project(whole, section(), read_table(Samples, project.table(Samples)))
    train_here(whole)
    assert everything(whole) == first  # the same bytes, killed or not


def test_a_new_detector_trains_alone_and_test_pictures_train_nothing(project: Paths, fitted: Fitted) -> None:
    train_here(project)
    before = everything(project)
    fitted.names.clear()
    more = samples(sample_rows("a", 6, 4, 9), sample_rows("b", 5, 3))
    write_project(project, section(), more)
    train_here(project)
    assert fitted.names == [] and everything(project) == before
    write_project(project, section({**DETECTORS, "text": {"view": "crop", "null_space": "text"}}), more)
    assert train_here(project).startswith("train: 4 runs trained, 12 already known")
    assert fitted.names == ["text"] * 4
    write_project(project, section(), more)
    train_here(project)
    assert everything(project) == before  # and what is not asked for is no longer in the table
    assert len(RunStore(project.run_store).ids()) == 16


def test_a_damaged_run_is_named_set_aside_and_trained_again(
    project: Paths, fitted: Fitted, capsys: pytest.CaptureFixture[str]
) -> None:
    train_here(project)
    before, store = everything(project), RunStore(project.run_store)
    first, second = store.ids()[:2]
    spoil(store.detector(first))
    (project.run_store / second / "run.json").write_text("{}")
    fitted.names.clear()
    assert train_here(project).startswith("train: 2 runs trained, 10 already known")
    told = capsys.readouterr().err
    assert f"run {first} is trained again" in told and f"run {second} is trained again" in told
    assert everything(project) == before and (project.run_store / f".damaged-{first}").is_dir()


def spoil(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)


def test_pixels_are_asked_for_only_by_detectors_that_read_them(project: Paths) -> None:
    table = read_table(Samples, project.table(Samples))
    write_project(project, section({"control": {"kind": "cnn", "seeds": [3]}}), table)
    assert train_here(project).startswith("train: 2 runs trained")
    runs = read_table(Runs, project.table(Runs))
    assert runs["seed"].to_list() == [3, 3] and runs["null_space"].to_list() == ["none", "none"]


def test_features_that_are_alike_are_read_once(project: Paths) -> None:
    reader, backbone = FakeFeatures(), FakeBackbone()
    train(project, backbone, Material(backbone.id, reader, NoPixels), no_texts)
    # Two training sets, two views, train and validation: not once for each of twelve runs.
    assert len(reader.asked) == 8


def test_a_training_that_cannot_end_well_is_named(project: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(self: FakeFeatures, *arguments: Any) -> Any:
        return np.ones((len(arguments[-1]), WIDTH), np.float32)

    monkeypatch.setattr(FakeFeatures, "matrix", flat)
    with pytest.raises(ValueError, match=r"training \w+ on a, clean, seed 0: all 12 training features are the same"):
        train_here(project)
