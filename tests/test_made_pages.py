"""Pages that long commands write: what a bench and the fault matrix say is what was found."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import yaml
from scipy.stats import binom

from tests.conftest import ROOT


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], ModuleType]:
    def load(folder: str, name: str) -> ModuleType:
        monkeypatch.syspath_prepend(ROOT / folder)
        return importlib.import_module(name)

    return load


@pytest.mark.parametrize(
    ("value", "bound", "met"),
    [
        (1.8, {"least": 1.8}, "met"),
        (1.79, {"least": 1.8}, "MISSED"),
        (1.1, {"most": 1.1}, "met"),
        (2, {"most": 1}, "MISSED"),
        (1.02, {"least": 1, "interval": (0.97, 1.1)}, "met"),
        (0.98, {"least": 1, "interval": (0.93, 1.07)}, "within noise, 0.93 to 1.07"),
        (0.95, {"least": 1, "interval": (0.93, 0.99)}, "MISSED"),
        (1.2, {"most": 1.1, "interval": (1.05, 1.3)}, "within noise, 1.05 to 1.30"),
    ],
)
def test_targets_are_read_as_they_were_told(
    script: Callable[[str, str], ModuleType],
    capsys: pytest.CaptureFixture[str],
    value: float,
    bound: dict[str, Any],
    met: str,
) -> None:
    targets = script("bench", "targets")
    targets.tell("a loop: times, at 7,500 pictures", value, **bound)
    [found] = targets.told(f"something else\n{capsys.readouterr().out}")
    assert found.name == "a loop: times, at 7,500 pictures" and found.met == met and float(found.value) == value


def test_a_median_of_turns_has_the_interval_of_order_statistics(script: Callable[[str, str], ModuleType]) -> None:
    median = script("bench", "extraction").median
    ratios = np.random.default_rng(0).permutation(np.arange(1, 14) / 10)
    # Of 13 turns at most 2 lie below the true median in 1.1 of 100 cases, at most 3 in 4.6.
    assert binom.cdf(2, 13, 0.5) < 0.025 < binom.cdf(3, 13, 0.5)
    assert median(ratios) == (0.7, (0.3, 1.1))
    assert median(np.array([1.0, 1.2])) == (1.1, None)


def test_a_page_of_benches_shows_targets_and_output(script: Callable[[str, str], ModuleType]) -> None:
    bench = script("bench", "run")
    output = "3 pictures/s\ntarget: times naive; at least 1.8; measured 1.5, MISSED"
    page = bench.page([(bench.BENCHES[0], output)], 0.1, 60.0)
    assert "| times naive | at least 1.8 | 1.5 | MISSED |" in page and "3 pictures/s" in page
    assert "target:" not in page


def test_every_bench_of_the_page_is_there(script: Callable[[str, str], ModuleType]) -> None:
    for bench in script("bench", "run").BENCHES:
        assert (ROOT / "bench" / bench.command.split()[0]).exists()


def junit(folder: Path, cases: dict[str, str]) -> Path:
    inner = "".join(f'<testcase name="{name}">{outcome}</testcase>' for name, outcome in cases.items())
    file = folder / "junit.xml"
    file.write_text(f"<testsuites><testsuite>{inner}</testsuite></testsuites>")
    return file


def test_the_fault_matrix_says_what_came_of_each(script: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    matrix = script("docs", "fault_matrix")
    cases = {
        "test_kill[train-dvc]": "",
        "test_kill[lab-dvc]": '<failure message="no"/>',
        "test_store_damaged[lab]": '<skipped message="it keeps nothing"/>',
        "test_elsewhere[lose_data]": "",
    }
    page = matrix.page(matrix.outcomes(junit(tmp_path, cases)))
    stages = list(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    [row] = [line for line in page.splitlines() if line.startswith("| SIGKILL of `dvc repro` |")]
    cells = dict(zip(stages, [cell.strip() for cell in row.strip("|").split("|")][1:], strict=True))
    assert cells["train"] == "held" and cells["lab"] == "**FAILED**" and cells["evaluate"] == "-"
    assert "2 held,\n1 failed" in page and "| `data/` deleted | held |" in page
    assert "finite garbage: it keeps nothing (lab)" in page


def test_a_fault_that_has_no_words_is_refused(script: Callable[[str, str], ModuleType], tmp_path: Path) -> None:
    matrix = script("docs", "fault_matrix")
    with pytest.raises(SystemExit, match=r"faults without words for the page: melted-dvc"):
        matrix.page(matrix.outcomes(junit(tmp_path, {"test_melted[lab-dvc]": ""})))
