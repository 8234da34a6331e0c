"""Detectors and runs on disk: what comes back, what is refused, and what is pruned."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.core.contracts import make
from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import file_sha256
from nsnet.detectors.files import KEY, load_detector, save_detector
from nsnet.detectors.registry import detector_class
from nsnet.detectors.settings import DetectorSettings, PublishedSettings
from nsnet.training.contracts import Runs
from nsnet.training.runner import Runner
from nsnet.training.runs import RunStore
from tests.training import CPU, RECORD, WIDTH, cnn, context, examples, features, linear, pictures, scored

pytestmark = pytest.mark.usefixtures("single_thread")


def published(folder: Path) -> PublishedSettings:
    torch.save({"weight": torch.ones(1, WIDTH), "bias": torch.zeros(1)}, folder / "head.pth")
    return PublishedSettings(view="crop", weights=str(folder / "head.pth"))


CHOICES: list[Callable[[Path], DetectorSettings]] = [
    lambda _: linear(null_space="text", adapter=True, contrastive=True, epochs=3),
    lambda _: linear(view="crop", null_space="random", epochs=3),
    lambda _: cnn(epochs=2),
    published,
]


@pytest.mark.parametrize("choice", CHOICES)
def test_training_repeats_and_detectors_come_back(
    rng: np.random.Generator, tmp_path: Path, choice: Callable[[Path], DetectorSettings]
) -> None:
    settings = choice(tmp_path)
    shown: Any = pictures(rng, 40) if settings.kind == "cnn" else examples(*features(rng, 80, 0.5))
    scores, sums = [], []
    for number in range(2):
        detector = detector_class(settings.kind)(settings, context(5))
        detector.fit(shown, shown, Runner(CPU, 5))
        scores.append(scored(detector, shown))
        sums.append(save_detector(detector, settings, context(5), tmp_path / f"{number}.safetensors"))
    assert (scores[0] == scores[1]).all() and sums[0] == sums[1]
    (tmp_path / "head.pth").unlink(missing_ok=True)  # the file of a published head is not needed any more
    back = load_detector(tmp_path / "0.safetensors", sums[0], RECORD)
    assert (scored(back, shown) == scores[0]).all()


@pytest.fixture
def kept(rng: np.random.Generator, tmp_path: Path) -> tuple[Path, str]:
    settings, shown = linear(adapter=True, epochs=1), examples(*features(rng, 80, 0.5))
    detector = detector_class("linear")(settings, context())
    detector.fit(shown, shown, Runner(CPU, 0))
    return tmp_path / "kept.safetensors", save_detector(detector, settings, context(), tmp_path / "kept.safetensors")


def test_one_changed_byte_of_a_bias_is_noticed(kept: tuple[Path, str]) -> None:
    file, sha256 = kept
    bias = load_file(file)["linear.bias"].numpy().tobytes()
    content = bytearray(file.read_bytes())
    place = content.rfind(bias)
    content[place] ^= 1
    file.write_bytes(content)
    assert load_file(file)["linear.bias"].numpy().tobytes() != bias
    with pytest.raises(ValueError, match=f"{re.escape(str(file))} is damaged: it has sha256"):
        load_detector(file, sha256, RECORD)


def test_another_backbone_is_refused_with_what_differs(kept: tuple[Path, str]) -> None:
    file, sha256 = kept
    other = {**RECORD, "weights": "openai", "precision": "float32"}
    with pytest.raises(ValueError, match=r"precision: None, not 'float32'; weights: None, not 'openai'") as error:
        load_detector(file, sha256, other)
    assert str(file) in str(error.value)
    assert load_detector(file, sha256, None)


def rewritten(file: Path, **changes: Any) -> None:
    """Write a detector's file again with other facts in its header, or without some."""
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        facts = json.loads(opened.metadata()[KEY])
    facts = {name: value for name, value in (facts | changes).items() if value is not None}
    save_file(load_file(file), file, metadata={KEY: json.dumps(facts)})


FAULTS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "empty": (lambda file: file.write_bytes(b""), "is no detector"),
    "truncated": (lambda file: file.write_bytes(file.read_bytes()[:-40]), "is no detector"),
    "foreign": (lambda file: save_file({"x": torch.zeros(2)}, file), "lacks settings, backbone, width, seed"),
    "no json": (lambda file: save_file({"x": torch.zeros(2)}, file, metadata={KEY: "{"}), "is no JSON"),
    "no facts": (lambda file: save_file({"x": torch.zeros(2)}, file, metadata={KEY: "{}"}), "lacks settings"),
    "settings {}": (lambda file: rewritten(file, settings={}), "settings of no known detector"),
    "other kind": (lambda file: rewritten(file, settings={"kind": "linaer"}), "did you mean linear"),
    "bad settings": (lambda file: rewritten(file, settings={"kind": "linear", "view": "mosaic"}), "epochs"),
    "no backbone": (lambda file: rewritten(file, backbone=None), "lacks backbone"),
    "other width": (lambda file: rewritten(file, width=9), "size mismatch"),
    "no tensors": (lambda file: save_file({}, file, metadata=header(file)), "lacks tensors"),
}


def header(file: Path) -> dict[str, str]:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        return dict(opened.metadata())


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_no_detectors_are_told_in_one_line(kept: tuple[Path, str], fault: str) -> None:
    spoil, told = FAULTS[fault]
    spoil(kept[0])
    with pytest.raises(ValueError, match=told) as error:
        load_detector(kept[0], None, None)
    assert str(kept[0]) in str(error.value) and "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.safetensors does not exist: run `dvc repro train`"):
        load_detector(tmp_path / "no.safetensors", None, None)


def keep(store: RunStore, run_id: str) -> dict[str, Any]:
    def save(file: Path) -> str:
        file.write_bytes(run_id.encode())
        return file_sha256(file)

    facts = {"detector": f"d-{run_id}", "training_set": "biased", "train_condition": "clean", "seed": 0}
    scores = pl.DataFrame({"image_id": ["a", "b"], "score": [0.25, 0.5]})
    return store.keep(run_id, facts | {"device": "cpu", "seconds": 1.5}, save, scores)


def test_runs_come_back_and_unfinished_ones_are_none(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.ids() == [] and store.find("r1") is None
    store.checkpoints("r1").mkdir(parents=True)
    assert store.find("r1") is None and store.ids() == []
    facts = keep(store, "r1")
    assert store.find("r1") == facts and store.ids() == ["r1"] and not store.checkpoints("r1").exists()
    assert store.validation("r1")["score"].to_list() == [0.25, 0.5]


@pytest.mark.parametrize("name", ["detector.safetensors", "validation.parquet"])
def test_every_file_of_a_run_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    store = RunStore(tmp_path)
    keep(store, "r1")
    (tmp_path / "r1" / name).write_bytes(b"something else")
    with pytest.raises(ValueError, match=name):
        store.read("r1")
    if name == "validation.parquet":
        with pytest.raises(ValueError, match=r"validation\.parquet has sha256"):
            store.validation("r1")
    assert store.find("r1") is None and name in capsys.readouterr().err
    assert (tmp_path / ".damaged-r1" / name).exists() and store.ids() == []


def test_figures_of_a_run_are_verified_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = RunStore(tmp_path)
    keep(store, "r1")
    file = tmp_path / "r1" / "run.json"
    file.write_text(file.read_text().replace("1.5", "2.5"))
    with pytest.raises(ValueError, match=r"run\.json is not what was written"):
        store.read("r1")
    assert store.find("r1") is None and "run.json is not what was written" in capsys.readouterr().err
    assert keep(store, "r1") == store.find("r1")
    (tmp_path / "r1" / "run.json.sha256").unlink()  # kept by an earlier version, or by one killed in between
    assert store.find("r1")


def runs_table(paths: Paths, run_ids: list[str]) -> None:
    columns = make(Runs, []).schema
    filler = {name: 0 if kind.is_integer() else 0.5 if kind.is_float() else "x" for name, kind in columns.items()}
    rows = [{**filler, "run_id": run_id, "view": "crop", "adapter": False, "contrastive": False} for run_id in run_ids]
    write_table(Runs, make(Runs, rows), paths.table(Runs))


def test_runs_that_are_not_asked_for_stay_until_they_are_pruned(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text("stages: {}\n")
    Path("params.yaml").write_text("{}\n")
    paths = Paths()
    store = RunStore(paths.run_store)
    for run_id in ("r1", "r2", "r3"):
        keep(store, run_id)
    refused = CliRunner().invoke(app, ["runs", "prune"])
    assert refused.exit_code == 1 and store.ids() == [
        "r1",
        "r2",
        "r3",
    ]  # without a table nothing is known to be asked for
    runs_table(paths, ["r2"])
    (paths.run_store / ".damaged-r9").mkdir()
    listed = CliRunner().invoke(app, ["runs", "list"])
    assert [line.split()[0] for line in listed.output.splitlines()[1:]] == ["r1", "r2", "r3"], listed.output
    assert [line.split()[-1] for line in listed.output.splitlines()[1:]] == ["False", "True", "False"]
    told = CliRunner().invoke(app, ["runs", "prune", "--dry-run"])
    assert "3 runs would be deleted" in told.output and store.ids() == ["r1", "r2", "r3"]
    pruned = CliRunner().invoke(app, ["runs", "prune"])
    assert "3 runs deleted" in pruned.output and store.ids() == ["r2"]
    assert not (paths.run_store / ".damaged-r9").exists()
