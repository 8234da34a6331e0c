"""Pages: faults have their tests, and tables are the committed ones."""

from __future__ import annotations

import ast
import importlib.util
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, run

ROWS = [line for line in (ROOT / "docs/faults.md").read_text().splitlines() if line.startswith("| ")][2:]
NAMED = re.compile(r"`(test_\w+)(?: -k (\w+))?`")


@pytest.mark.parametrize("row", ROWS)
def test_every_fault_has_its_test(row: str) -> None:
    cells = row.strip("| ").split(" | ")
    assert len(cells) == 4
    named = NAMED.findall(cells[-1])
    assert named and NAMED.sub("", cells[-1]).strip(", ") == ""
    for module, word in named:
        tree = ast.parse((ROOT / f"tests/{module}.py").read_text())
        tests = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        assert any(name.startswith("test_") and word in name for name in tests), (module, word)


def refresh() -> Any:
    specification = importlib.util.spec_from_file_location("refresh", ROOT / "docs/refresh.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_pages_say_what_the_committed_tables_say() -> None:
    found = run(ROOT, "python", "docs/refresh.py", "--check", check=False)
    assert found.returncode == 0, found.stderr


def test_a_figure_that_is_not_the_tables_is_seen() -> None:
    page = (ROOT / "docs/lab_results.md").read_text()
    module = refresh()
    pages = [file.read_text() for file in module.pages()]
    assert len(module.TABLE.findall(page)) == 3 and len(module.TABLE.findall((ROOT / "README.md").read_text())) == 2
    assert sum(len(module.OUTPUT.findall(text)) for text in pages) >= 9
    [row] = [line for line in page.splitlines() if line.startswith("| nsnet-cross-modal | 0.")][:1]
    forged = page.replace(row, row.replace("0.", "9.", 1))
    assert forged != page
    assert module.with_tables(forged, ROOT) == module.with_tables(page, ROOT) != forged


def test_tables_are_those_of_the_folder_and_not_of_this_machines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    shutil.copytree(ROOT / "tables", tmp_path / "tables")
    text = (tmp_path / "tables/leaderboard_biased.csv").read_text()
    (tmp_path / "tables/leaderboard_biased.csv").write_text(text.replace(",nsnet,", ",forged,"))
    page = "<!-- table: docs/tables/leaderboard.sql -->\n"
    assert "| forged |" in refresh().with_tables(page, tmp_path)
    assert "| forged |" not in refresh().with_tables(page, ROOT)
