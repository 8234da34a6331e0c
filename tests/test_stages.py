"""dvc.yaml against the code: dependencies, sections and outputs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from nsnet.params import Params
from tests.conftest import ROOT
from tests.imports import imported_files

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.mark.parametrize("stage", list(STAGES))
def test_deps_name_every_package_the_stage_imports(stage: str) -> None:
    deps = {Path(dep) for dep in STAGES[stage]["deps"]}
    light = {Path("nsnet/__init__.py"), Path("nsnet/stages/__init__.py"), Path("nsnet/params.py")}
    needed = imported_files(f"nsnet.stages.{stage}") - light
    uncovered = {file for file in needed if not deps & {file, *file.parents}}
    assert sorted(map(str, uncovered)) == []
    code = {dep for dep in deps if dep.parts[0] == "nsnet"}
    surplus = {dep for dep in code if not any(dep in {file, *file.parents} for file in needed)}
    assert sorted(map(str, surplus)) == [], "dependencies the stage does not import"
    assert Path("constraints.txt") in deps


def test_imports_are_found_through_other_modules() -> None:
    files = imported_files("nsnet.stages.features")
    assert {
        Path("nsnet/features/patches.py"),
        Path("nsnet/stages/__init__.py"),
        Path("nsnet/features/stem_vit.py"),
    } <= files
    assert Path("nsnet/evaluation/metrics.py") not in files


def test_only_the_stage_features_starts_with_a_tower() -> None:
    """Others load one when a detector or a caption needs it: open_clip takes seconds of every run."""
    others = ", ".join(f"nsnet.stages.{name}" for name in STAGES if name != "features")
    code = f"import sys, {others}; sys.exit('open_clip' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_parameter_is_some_stages(params: Params) -> None:
    """A setting that no stage depends on would change nothing until something else does."""
    named = {name for facts in STAGES.values() for name in facts.get("params", [])}
    fields = {f"{section}.{field}" for section, values in params.model_dump().items() for field in values}
    covered = {field for field in fields if field in named or field.split(".")[0] in named}
    # Neither how many processes read the corpus, nor who encodes, nor what the night does besides changes a table.
    beside = {field for field in fields - covered if field.split(".")[0] not in ("cluster", "nightly")}
    assert beside == {"corpus.workers"}
    for section in ("lab", "audit", "captions", "features", "semantics", "train", "evaluate"):
        assert section in STAGES[section]["params"]
