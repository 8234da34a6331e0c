"""Profiles: what they change, that comments stay, and that a project with one runs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.params import load_params
from nsnet.profiles import FOLDER, profile_names, use_profile
from tests.conftest import ROOT, run


@pytest.mark.parametrize("name", ["conditions", "full", "paper", "plug", "second"])
def test_a_profile_changes_what_it_names_and_nothing_else(name: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    changed = use_profile(name, tmp_path / "params.yaml")
    text = (tmp_path / "params.yaml").read_text()
    before, after, overlay = (
        yaml.safe_load(content)
        for content in ((ROOT / "params.yaml").read_text(), text, (FOLDER / f"{name}.yaml").read_text())
    )

    def expected(under: object, over: object, place: str) -> object:
        if isinstance(under, dict) and isinstance(over, dict) and place != "train.detectors":
            laid = {key: expected(under.get(key), value, f"{place}.{key}".lstrip(".")) for key, value in over.items()}
            return under | laid
        return over

    assert after == expected(before, overlay, "")
    assert dumps_yaml(parse_yaml_for_update(text, "params.yaml")) == text  # as DVC writes it
    assert "[M] odd, but so published" in text
    assert "train.detectors" in changed and "lab" not in " ".join(changed)
    assert use_profile(name, tmp_path / "params.yaml") == []


def test_every_profile_is_valid_and_has_a_first_line() -> None:
    shown = CliRunner().invoke(app, ["profile", "list"]).stdout.splitlines()
    assert (
        [line.partition(":")[0] for line in shown]
        == profile_names()
        == [*("conditions", "full", "paper", "plug", "real-small", "second")]
    )
    assert all(line.endswith(".") or len(line) > 30 for line in shown)
    assert CliRunner().invoke(app, ["profile", "show", "paper"]).stdout == (FOLDER / "paper.yaml").read_text()


def test_faults_leave_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    text = (tmp_path / "params.yaml").read_text()
    with pytest.raises(ValueError, match="unknown profile 'papr'; did you mean paper"):
        use_profile("papr", tmp_path / "params.yaml")
    bad = tmp_path / "profiles"
    bad.mkdir()
    (bad / "bad.yaml").write_text("# Bad.\nbackbone: {grid: none}\n")
    monkeypatch.setattr("nsnet.profiles.FOLDER", bad)
    with pytest.raises(ValueError, match=r"with profile bad has 1 fault"):
        use_profile("bad", tmp_path / "params.yaml")
    assert (tmp_path / "params.yaml").read_text() == text and len(list(tmp_path.iterdir())) == 2


def test_a_project_starts_with_a_profile_and_is_brought_up_to_date(tmp_path: Path) -> None:
    folder = tmp_path / "paper"
    run(ROOT, "nsnet", "init", str(folder), "--profile", "paper")
    assert load_params(folder / "params.yaml").backbone.model == "ViT-L-14"
    (folder / "dvc.yaml").write_text("stages: {}\n")
    (folder / "data.dvc").write_text("mine\n")
    refused = run(ROOT, "nsnet", "init", str(folder), check=False)
    assert refused.returncode == 1 and "already" in refused.stderr
    shown = run(ROOT, "nsnet", "init", str(folder), "--update").stdout
    assert "dvc.yaml" in shown and "params.yaml" not in shown
    assert "corpus" in (folder / "dvc.yaml").read_text() and (folder / "data.dvc").read_text() == "mine\n"
    assert load_params(folder / "params.yaml").backbone.model == "ViT-L-14"
