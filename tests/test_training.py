"""Training sets, what a run is named by, and the stage that trains what is missing."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
import yaml

from nsnet.core.contracts import make
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.detectors.files import load_detector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.thresholds import balanced_accuracy, choose_threshold
from nsnet.features.conditions import Condition
from nsnet.semantics.contracts import ImageBasis, SemanticBasis
from nsnet.semantics.null_space import Bases, orthonormal
from nsnet.stages.train import train
from nsnet.training.contracts import Runs
from nsnet.training.examples import Material
from nsnet.training.runs import RunStore
from nsnet.training.sets import training_sets
from nsnet.training.settings import Train
from nsnet.training.trainings import plan
from tests.training import (
    BASIS,
    CLEAN,
    WIDTH,
    FakeBackbone,
    FakeFeatures,
    Stopped,
    examples,
    sample_rows,
    samples,
    scored,
)

pytestmark = pytest.mark.usefixtures("single_thread")
LINEAR = {"epochs": 4, "batch": 16, "lr": 0.01, "bce_weight": 0.2, "temperature": 0.07, "weight_decay": [0.01, 1.0]}
CNN = {"epochs": 1, "batch": 8, "lr": 0.01, "weight_decay": 0.0001}
DETECTORS = {
    "nsnet": {"view": "mosaic", "null_space": "text", "adapter": True, "contrastive": True},
    "plain": {"view": "crop"},
    "random": {"view": "crop", "null_space": "random"},
}


def test_a_picture_listed_twice_counts_once() -> None:
    rows = sample_rows("a", 6, 4, 5)
    once, twice = training_sets(samples(rows)), training_sets(samples(rows, rows[:3], sample_rows("a", 0, 0, 9)))
    assert once == twice and once[0].checksum == twice[0].checksum
    assert len(once[0].train.image_ids) == 12


def test_training_sets_that_lack_a_class_are_all_named() -> None:
    rows = sample_rows("a", 6, 4) + sample_rows("b", 3, 2)
    bad = [row for row in rows if (row["training_set"], row["split"], row["label"]) != ("a", "validation", 1)]
    bad.append({**bad[0], "training_set": "b", "label": 1})
    bad.append({**bad[0], "training_set": "b"})
    with pytest.raises(ValueError, match=r"a: split validation has 4 real and 0 fake") as error:
        training_sets(samples(bad))
    assert f"b: split train calls {bad[0]['image_id']} real and fake" in str(error.value)
    with pytest.raises(ValueError, match="no training pictures"):
        training_sets(samples(sample_rows("a", 0, 0, 3)))


def section(detectors: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    runtime = {"accelerator": "auto", "precision": "32-true", "accumulate": 1}
    shared = {"linear": dict(LINEAR), "cnn": dict(CNN)}
    values = {"seeds": [0, 1], "conditions": ["clean"], "runtime": runtime, "defaults": shared}
    return {**values, "detectors": detectors or DETECTORS, **changes}


def planned(values: dict[str, Any], table: pl.DataFrame | None = None, **changes: Any) -> dict[str, str]:
    """run_id by detector, training set, condition and seed."""
    sets = training_sets(samples(sample_rows("a", 6, 4), sample_rows("b", 3, 2)) if table is None else table)
    conditions = changes.pop("conditions", {"clean": CLEAN})
    directions = changes.pop("bases", {one.name: BASIS for one in sets})
    bases = Bases({name: orthonormal(vectors) for name, vectors in directions.items()}, {})
    backbone = changes.pop("backbone", FakeBackbone())
    return {one.title: one.run_id for one in plan(Train.model_validate(values), sets, conditions, backbone, bases)}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Detectors of which any run is another one now."""
    return {told.split(" on ")[0] for told in before if after[told] != before[told]}


def test_a_run_is_named_by_what_determines_it_and_by_nothing_else() -> None:
    before = planned(section())
    assert len(set(before.values())) == 3 * 2 * 2
    defaults = {"linear": LINEAR, "cnn": {**CNN, "epochs": 9}}
    assert changed(before, planned(section(defaults=defaults))) == set()
    defaults = {"linear": {**LINEAR, "temperature": 0.1}, "cnn": CNN}
    assert changed(before, planned(section(defaults=defaults))) == {"nsnet"}
    defaults = {"linear": {**LINEAR, "lr": 0.1}, "cnn": CNN}
    assert changed(before, planned(section(defaults=defaults))) == {"nsnet", "plain", "random"}
    assert changed(before, planned(section(seeds=[0, 1, 2]))) == set()
    renamed = planned(section({"other": DETECTORS["plain"]}))
    assert set(renamed.values()) < set(before.values())
    other = {"a": BASIS[[1, 0, 2]], "b": BASIS}
    assert changed(before, planned(section(), bases=other)) == {"nsnet"}
    assert changed(before, planned(section(), bases={"a": BASIS[:2], "b": BASIS})) == {"nsnet", "random"}
    everything = {"nsnet", "plain", "random"}
    assert changed(before, planned(section(), backbone=FakeBackbone({"model": "x", "weights": None}))) == everything
    bf16 = section(runtime={"precision": "bf16-mixed"})
    assert changed(before, planned(bf16)) == everything
    more_tests = samples(sample_rows("a", 6, 4, 9), sample_rows("b", 3, 2, 1))
    assert planned(section(), more_tests) == before
    grown = planned(section(), samples(sample_rows("a", 7, 4), sample_rows("b", 3, 2)))
    assert {told for told in before if before[told] != grown[told]} == {told for told in before if " on a," in told}


def test_twins_and_missing_files_are_named() -> None:
    conditions = {"clean": CLEAN, "same": Condition("same")}
    with pytest.raises(ValueError, match=r"plain on a, same, seed 0: the same .* as plain on a, clean, seed 0"):
        planned(section({"plain": {"view": "crop"}}, conditions=["clean", "same"]), conditions=conditions)
    pictured = {"x": {"view": "mosaic", "null_space": "cross-modal"}}
    with pytest.raises(ValueError, match=r"train.detectors.x: no directions for null_space cross-modal.* caption pool"):
        planned(section(pictured))
    published = {"published": {"kind": "published", "view": "crop", "weights": "nowhere.pth"}}
    with pytest.raises(ValueError, match=r"train.detectors.published: nowhere.pth does not exist"):
        planned(section(published))


def test_published_weights_are_part_of_the_identity(tmp_path: Path) -> None:
    file, found = tmp_path / "head.pth", []
    for bias in (0.0, 1.0):
        torch.save({"weight": torch.zeros(1, WIDTH), "bias": torch.tensor([bias])}, file)
        found.append(planned(section({"p": {"kind": "published", "view": "crop", "weights": str(file)}})))
    assert changed(*found) == {"p"}


@pytest.fixture
def project(tmp_path: Path) -> Paths:
    """A project with tables and parameters, nothing trained yet."""
    paths = Paths(tmp_path)
    write_project(paths, section(), samples(sample_rows("a", 6, 4, 3), sample_rows("b", 5, 3)))
    return paths


def write_project(paths: Paths, values: dict[str, Any], table: pl.DataFrame, **more: Any) -> None:
    paths.params.write_text(yaml.safe_dump({"train": values, "conditions": {"clean": {}}, **more}))
    write_table(Samples, table, paths.table(Samples))
    rows = [
        {"training_set": name, "k": k, "retained": k < 3, "vector": vector.tolist()}
        for name in "ab"
        for k, vector in enumerate(np.eye(WIDTH))
    ]
    write_table(SemanticBasis, make(SemanticBasis, rows), paths.table(SemanticBasis))
    write_table(ImageBasis, make(ImageBasis, []), paths.table(ImageBasis))


class NoPixels:
    def block(self, condition: Condition, view: str, draw: int, image_ids: list[str]) -> Any:
        rng = np.random.default_rng(len(image_ids))
        return rng.integers(0, 255, (len(image_ids), 16, 16, 3), dtype=np.uint8)


def train_here(paths: Paths) -> str:
    backbone = FakeBackbone()
    return train(paths, backbone, Material(backbone.id, FakeFeatures(), NoPixels))


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
    train(project, backbone, Material(backbone.id, reader, NoPixels))
    # Two training sets, two views, train and validation: not once for each of twelve runs.
    assert len(reader.asked) == 8


def test_a_training_that_cannot_end_well_is_named(project: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    def flat(self: FakeFeatures, *arguments: Any) -> Any:
        return np.ones((len(arguments[-1]), WIDTH), np.float32)

    monkeypatch.setattr(FakeFeatures, "matrix", flat)
    with pytest.raises(ValueError, match=r"training \w+ on a, clean, seed 0: all 12 training features are the same"):
        train_here(project)
