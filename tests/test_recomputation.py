"""Figures computed again: equal, and the first that is not."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl
import pytest

from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.assessment import pictures_checksum
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.contracts import Means, Predictions, Results
from nsnet.evaluation.recomputation import first_difference, recomputed_tables
from tests.conftest import run
from tests.synthetic import SETTINGS, write_project


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    found = write_project(paths := Paths(tmp_path))
    checksum = pictures_checksum(contests_of(read_table(Samples, paths.table(Samples))))
    write_table(Results, found.results.with_columns(data_checksum=pl.lit(checksum)), paths.table(Results))
    return paths


def test_tables_are_those_of_the_predictions_and_the_first_other_figure_is_named(paths: Paths) -> None:
    rows = list(recomputed_tables(paths, SETTINGS))
    names = ["results", "means", "paired_differences", "condition_shifts", "real_sources", "flip_rate"]
    assert [name for name, _, _ in rows] == names and {difference for _, _, difference in rows} == {""}
    means = read_table(Means, paths.table(Means))
    value = means["value"][7]
    forged = means.with_columns(
        value=pl.when(pl.int_range(pl.len()) == 7).then(value * 0.999).otherwise(pl.col("value"))
    )
    write_table(Means, forged, paths.table(Means))
    found = {name: difference for name, _, difference in recomputed_tables(paths, SETTINGS)}
    assert found.pop("means") == f"row 7, column value: kept {value * 0.999!r}, now {value!r}"
    assert set(found.values()) == {""}
    # A score that was changed is seen in what is made of it.
    scores = read_table(Predictions, paths.table(Predictions)).with_columns(score=1 - pl.col("score"))
    write_table(Predictions, scores, paths.table(Predictions))
    assert all(difference for _, _, difference in recomputed_tables(paths, SETTINGS))


def test_columns_and_rows_that_are_missing_are_said() -> None:
    one = pl.DataFrame({"a": [1, 2], "b": [1.0, None]})
    assert first_difference(one, one) == ""
    assert first_difference(one, one.head(1)) == "rows: kept 2, now 1"
    assert first_difference(one, one.rename({"b": "c"})) == "columns: kept a, b, now a, c"
    assert first_difference(one, one.with_columns(b=pl.lit(1.0))) == "row 1, column b: kept None, now 1.0"


def test_a_project_is_verified_and_damage_is_named(project: Path, tmp_path: Path) -> None:
    assert run(project, "nsnet", "verify").stdout.count(": equal\n") == 6
    assert run(project, "nsnet", "check-integrity").stdout.count("as they were") == 3
    copy = tmp_path / "copy"
    shutil.copytree(project, copy, symlinks=True)
    again = run(copy, "nsnet", "verify", "--run", "univfd").stdout
    assert again.count("predictions computed again: equal") == 4  # two training sets, two seeds
    unknown = run(copy, "nsnet", "verify", "--run", "univfdd", check=False)
    assert unknown.returncode == 1 and "unknown run or detector 'univfdd'; did you mean univfd" in unknown.stderr
    here = Paths(copy)
    scores = read_table(Predictions, here.table(Predictions))
    table = here.table(Predictions)
    table.unlink()  # linked to DVC's cache
    write_table(Predictions, scores.with_columns(score=pl.col("score") * 0.5), table)
    for words in (["--run", "univfd"], []):
        wrong = run(copy, "nsnet", "verify", *words, check=False)
        assert wrong.returncode == 1 and "column" in wrong.stdout and "kept" in wrong.stdout
    file = next(here.data.rglob("*.jpg"))
    content = file.read_bytes()
    file.unlink()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    detector = next(here.detectors.glob("*.safetensors"))
    detector.unlink()
    both = run(copy, "nsnet", "verify", "--run", "univfd", "--against", "tables", check=False)
    assert both.returncode == 2 and "name one" in both.stderr
    broken = run(copy, "nsnet", "check-integrity", check=False)
    assert broken.returncode == 1 and f"{detector.name} is gone" in broken.stdout
    assert f"{file.name} has sha256" in broken.stdout
    assert "table predictions: the catalogue is not of these files" in broken.stdout
    assert broken.stdout.count("1 faults") == 3
