"""The page of faults names tests that there are."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

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
