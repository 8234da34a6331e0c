"""dvc.yaml against the code: dependencies, sections and outputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from nsnet.config import Params
from tests.conftest import ROOT
from tests.imports import imported_files

STAGES: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


@pytest.mark.parametrize("stage", list(STAGES))
def test_deps_name_every_module_the_stage_imports(stage: str) -> None:
    deps = {Path(dep) for dep in STAGES[stage]["deps"]}
    folders = {dep for dep in deps if (ROOT / dep).is_dir()}
    needed = imported_files(f"nsnet.stages.{stage}")
    covered = {file for file in needed if file in deps or folders & set(file.parents)}
    assert sorted(map(str, needed - covered)) == []
    code = {dep for dep in deps if dep.parts[0] == "nsnet" and dep not in folders}
    assert sorted(map(str, code - needed)) == [], "dependencies the stage does not import"
    assert Path("constraints.txt") in deps


def test_imports_are_found_through_other_modules() -> None:
    files = imported_files("nsnet.stages.features")
    assert {Path("nsnet/patches.py"), Path("nsnet/stages/__init__.py"), Path("nsnet/stem_vit.py")} <= files
    assert Path("nsnet/metrics.py") not in files


def test_stages_that_run_the_lab_clip_depend_on_its_weights() -> None:
    for stage, facts in STAGES.items():
        uses = Path("nsnet/backbone.py") in imported_files(f"nsnet.stages.{stage}")
        assert uses == ("nsnet/lab/clip" in facts["deps"]), stage


def test_every_parameter_is_some_stages(params: Params) -> None:
    """A setting that no stage depends on would change nothing until something else does."""
    named = {name for facts in STAGES.values() for name in facts.get("params", [])}
    fields = {f"{section}.{field}" for section, values in params.model_dump().items() for field in values}
    covered = {field for field in fields if field in named or field.split(".")[0] in named}
    # How many processes read the corpus changes no table.
    assert fields - covered == {"corpus.workers"}
    for section in ("lab", "audit", "captions", "features", "semantics", "train", "evaluate"):
        assert section in STAGES[section]["params"]


def test_imports_flow_one_way() -> None:
    """Stages may import domain modules, never the other way; contracts import nothing of ours."""
    for file in (ROOT / "nsnet").rglob("*.py"):
        relative = file.relative_to(ROOT)
        imports = {str(path) for path in map(Path, _direct(relative))}
        if relative.parts[1] != "stages" and relative.name != "cli.py":
            assert not any(name.startswith("nsnet/stages") for name in imports), relative
        if relative.name in ("contracts.py", "files.py", "names.py"):
            assert imports == set(), relative


def _direct(file: Path) -> list[str]:
    from tests.imports import direct_imports, module_file

    return [str(module_file(name)) for name in direct_imports(file)]
