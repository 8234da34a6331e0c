"""params.yaml: every fault at once, near names for unknown ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nsnet.params import load_params
from tests.conftest import ROOT


def write(tmp_path: Path, **changes: dict[str, Any]) -> Path:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    for section, entries in changes.items():
        values.setdefault(section, {}).update(entries)
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    return tmp_path / "params.yaml"


def test_shipped_parameters_are_valid() -> None:
    params = load_params(ROOT / "params.yaml")
    assert params.lab.bias == 1.0
    assert params.evaluate.baseline in params.train.detectors


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, lab={"bias": 1.5, "test_fake": 3}, train={"seeds": "fast"})
    with pytest.raises(ValueError) as caught:
        load_params(path)
    message = str(caught.value)
    assert "3 fault(s)" in message
    assert "lab.bias" in message and "got 1.5" in message
    assert "lab.test_fake: unknown name; did you mean test_fakes" in message
    assert "train.seeds" in message and "'fast'" in message


def test_unknown_part_of_a_detector_gets_near_names(tmp_path: Path) -> None:
    path = write(tmp_path, train={"detectors": {"mine": {"view": "crop", "nullspace": "text"}}})
    with pytest.raises(ValueError, match=r"train\.detectors\.mine\.nullspace: unknown name; did you mean null_space"):
        load_params(path)


def test_unknown_section_gets_near_names(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="did you mean semantics"):
        load_params(write(tmp_path, semantic={"rank": 3}))


def test_names_below_a_union_are_those_of_its_member(tmp_path: Path) -> None:
    """An operation's arguments are the operation's own, and an unknown operation gets near names."""
    operations = [{"op": "jpeg", "qualty": 3}, {"op": "jpg"}, {"op": "crop", "size": 3, "share": 0.5}]
    path = write(tmp_path, conditions={"mine": {"operations": operations}})
    with pytest.raises(ValueError) as caught:
        load_params(path)
    for fault in (
        "conditions.mine.operations.0.qualty: unknown name; did you mean quality? Known: op, quality",
        "conditions.mine.operations.1.op: unknown name 'jpg'; did you mean jpeg?",
        "conditions.mine.operations.2: set exactly one of size and share",
    ):
        assert fault in str(caught.value)


def test_detectors_take_their_kinds_defaults_and_no_setting_of_another_kind(tmp_path: Path) -> None:
    detectors = {
        "mine": {"view": "crop", "lr": 0.5},
        "network": {"kind": "cnn", "view": "crop", "null_space": "text"},
        "other": {"kind": "linea", "view": "crop"},
        "inert": {"view": "mosaic", "contrastive": True},
    }
    with pytest.raises(ValueError) as caught:
        load_params(write(tmp_path, train={"detectors": detectors}))
    for fault in (
        "train.detectors.network.null_space: unknown name",
        "train.detectors.other.kind: unknown name 'linea'; did you mean linear? Known: cnn, effort, linear, lora",
        "train.detectors.inert: ",
    ):
        assert fault in str(caught.value)
    path = write(
        tmp_path, train={"detectors": {"mine": detectors["mine"]}}, evaluate={"baseline": "mine", "shown": ["mine"]}
    )
    mine = load_params(path).train.detectors["mine"].model_dump()
    shipped = load_params(ROOT / "params.yaml").train.detectors["univfd"].model_dump()
    assert mine == {**shipped, "lr": 0.5}


def test_sections_that_do_not_fit_together_are_told_before_any_work(tmp_path: Path) -> None:
    detectors = {
        "univfd": {"view": "crop"},
        "twin": {"view": "crop"},
        "mosaic": {"view": "mosaic"},
        "drawn": {"view": "mosaic", "draws": 3},
    }
    path = write(
        tmp_path,
        evaluate={"baseline": "univf", "conditions": ["jpeg"], "shown": ["univfd"]},
        semantics={"rank": 3},
        backbone={"lowest": 60},
        features={"views": ["crop", "crop"]},
        train={"detectors": detectors},
    )
    with pytest.raises(ValueError) as caught:
        load_params(path)
    for fault in (
        "9 fault(s)",
        "semantics: set exactly one of energy, tolerance and rank",
        "train.detectors.univfd: the same settings as twin",
        "train.detectors.mosaic: view mosaic is not among features.views (crop, crop)",
        "features.views: each view once",
        "train.detectors.drawn: asks for 3 draws of the mosaic, features.draws makes 1",
        "evaluate.conditions: unknown condition 'jpeg'",
        "backbone.lowest: 60 of 49 patches",
        "evaluate.baseline: unknown detector 'univf'; did you mean univfd?",
    ):
        assert fault in str(caught.value)


@pytest.mark.parametrize("content", [b"a:\nb: 1: 2", b"lab: \xe9"])
def test_what_is_no_yaml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(ValueError, match=r"params\.yaml cannot be read: "):
        load_params(tmp_path / "params.yaml")
