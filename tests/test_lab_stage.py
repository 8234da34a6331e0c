"""The stage lab renders for a project that uses the lab, and for no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from nsnet.stages import lab
from tests.conftest import ROOT, tiny

POINTER = "deps:\n- path: {}\nouts:\n- path: data\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    (tmp_path / "params.yaml").write_text(yaml.safe_dump({"lab": tiny(values)["lab"]}))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_nothing_is_rendered_for_other_pictures(project: Path) -> None:
    (project / "data.dvc").write_text(POINTER.format("../downloads"))
    (project / "lab/test").mkdir(parents=True)
    lab.main()
    assert [path.name for path in (project / "lab").iterdir()] == ["README.txt"]
    assert "deps.path" in (project / "lab/README.txt").read_text()


@pytest.mark.parametrize("path", ["lab", "./lab/"])
def test_the_lab_is_rendered_where_it_is_imported(project: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []
    monkeypatch.setattr(lab, "render_corpus", lambda settings, folder, advance: rendered.append(folder))
    (project / "data.dvc").write_text(POINTER.format(path))
    lab.main()
    assert rendered == [Path("lab")]


def test_the_shipped_project_uses_the_lab() -> None:
    assert lab.imports_lab(ROOT / "data.dvc")


def test_a_project_without_pointer_is_told(project: Path) -> None:
    shutil.rmtree(project / "lab", ignore_errors=True)
    with pytest.raises(FileNotFoundError, match=r"data\.dvc"):
        lab.main()
