"""`nsnet verify`: figures against committed intervals, from git or as they lie."""

from __future__ import annotations

import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.evaluation.contracts import Means
from nsnet.reporting.verification import Verification, verify
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import write_tables
from tests.conftest import ROOT, commit
from tests.synthetic import SETTINGS, write_project


@pytest.fixture(scope="module")
def committed(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An evaluated project whose tables are committed."""
    paths = Paths(tmp_path_factory.mktemp("project"))
    write_project(paths)
    write_tables(paths, paths, SETTINGS, 0.75)
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["evaluate"] = SETTINGS.model_dump(mode="json")
    paths.params.write_text(yaml.safe_dump(values))
    (paths.root / "dvc.yaml").write_text("stages: {}\n")
    (paths.root / ".gitignore").write_text("/artifacts\n")
    subprocess.run(["git", "init", "--quiet"], cwd=paths.root, check=True)
    commit(paths.root)
    return paths


@pytest.fixture
def means(committed: Paths) -> pl.DataFrame:
    return read_table(Means, committed.table(Means))


def compare(paths: Paths, means: pl.DataFrame | None = None, revision: str = "HEAD") -> Verification:
    """Compare the project, or the same with other means, with its tables."""
    with open_tables(paths, paths, SETTINGS) as connection:
        if means is not None:
            connection.register("changed", means.to_arrow())
            connection.execute("TRUNCATE means; INSERT INTO means BY NAME SELECT * FROM changed")
        return verify(connection, paths.tables, revision)


def moved(means: pl.DataFrame, column: str, past: float, **place: str) -> pl.DataFrame:
    """Means with the value of one row moved past an end of its interval."""
    chosen = pl.all_horizontal(pl.col(name) == value for name, value in place.items())
    return means.with_columns(value=pl.when(chosen).then(pl.col(column) + past).otherwise("value"))


PLACE = {
    "training_set": "biased",
    "detector": "nsnet",
    "condition": "clean",
    "suite": "lab",
    "group": "generator:lab/ring",
    "metric": "ap",
}


def test_the_same_run_lies_within(committed: Paths) -> None:
    found = compare(committed)
    assert found.findings == [] and found.compared > 1000 and found.source.endswith("at HEAD")


def test_ends_of_the_interval_count_as_inside(committed: Paths, means: pl.DataFrame) -> None:
    for end in ("ci_low", "ci_high"):
        assert compare(committed, moved(means, end, 0.0, **PLACE)).findings == []
    # A figure is told in the table per_generator and, ap among its columns, in cross_domain.
    for end, past in (("ci_low", -2e-6), ("ci_high", 2e-6)):
        found = compare(committed, moved(means, end, past, **PLACE)).findings
        assert [finding.figure for finding in found] == [
            "cross_domain_biased: lab ring clean nsnet ap",
            "per_generator_biased: lab ring clean nsnet ap value",
        ]
        row = means.filter(**PLACE).row(0, named=True)
        assert found[1].interval == f"{round(row['ci_low'], 6)}..{round(row['ci_high'], 6)}"
        assert float(found[1].value) == pytest.approx(row[end] + past, abs=1e-6)  # six digits are printed
        assert float(found[1].committed) == pytest.approx(row["value"], abs=1e-6)


def test_leaderboard_means_are_compared(committed: Paths, means: pl.DataFrame) -> None:
    found = compare(committed, moved(means, "ci_high", 0.01, **(PLACE | {"group": "held-out"}))).findings
    assert "leaderboard_biased: lab clean nsnet ap" in [finding.figure for finding in found]


def test_rows_on_one_side_only_are_listed(committed: Paths, means: pl.DataFrame) -> None:
    gone = means.filter(~((pl.col("detector") == "univfd") & (pl.col("metric") == "ap") & (pl.col("suite") == "lab")))
    found = {finding.figure: finding for finding in compare(committed, gone).findings}
    row = found["per_generator_unbiased: lab blur jpeg50 univfd ap"]
    assert row.committed == "a row that this run does not give" and row.value == ""
    renamed = means.with_columns(detector=pl.col("detector").replace("nsnet", "nsnet2"))
    figures = {finding.figure: finding.value for finding in compare(committed, renamed).findings}
    assert figures["per_generator_biased: lab blur clean nsnet2 acc"] == "a row that is not committed"
    other = means.with_columns(training_set=pl.col("training_set").replace("biased", "odd"))
    assert other.height


def test_git_holds_the_committed_tables(committed: Paths, tmp_path: Path) -> None:
    """This run's tables lie in the same folder, so the committed ones are read from git."""
    table = committed.tables / "leaderboard_biased.csv"
    text = table.read_text()
    try:
        table.write_text(text.replace("lab,clean,nsnet,", "lab,clean,other,"))
        (committed.tables / "families_odd.csv").write_text("not committed\n")
        assert compare(committed).findings == []
        copy = tmp_path / "tables"
        copy.mkdir()
        for file in committed.tables.glob("*.csv"):
            (copy / file.name).write_bytes(file.read_bytes())
        with open_tables(committed, committed, SETTINGS) as connection:
            found = verify(connection, copy, "HEAD")
        assert found.source.endswith("as it lies")
        assert {finding.figure for finding in found.findings} == {
            "families_odd",
            "leaderboard_biased: lab clean nsnet",
            "leaderboard_biased: lab clean other",
        }
    finally:
        table.write_text(text)
        (committed.tables / "families_odd.csv").unlink()


def test_unknown_places_are_named(committed: Paths, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="git knows no revision 'v9'"):
        compare(committed, revision="v9")
    with (
        open_tables(committed, committed, SETTINGS) as connection,
        pytest.raises(FileNotFoundError, match="no CSV tables"),
    ):
        verify(connection, tmp_path, "HEAD")


def test_tables_of_another_layout_are_told(committed: Paths, tmp_path: Path) -> None:
    (tmp_path / "leaderboard_biased.csv").write_text("suite,detector,acc\nlab,nsnet,0.5\n")
    with open_tables(committed, committed, SETTINGS) as connection:
        found = {finding.figure: finding for finding in verify(connection, tmp_path, "HEAD").findings}
    assert (
        found["leaderboard_biased"].value == "another layout" and "condition" in found["leaderboard_biased"].committed
    )
    assert found["differences_unbiased"].value == "a table that is not among the committed ones"


def test_the_command_fails_when_a_figure_differs(committed: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(committed.root)
    agreed = CliRunner().invoke(app, ["verify", "--against", "tables"])
    assert agreed.exit_code == 0 and "figures compared with tables at HEAD: 0 differ" in agreed.output
    file, kept = committed.table(Means), committed.table(Means).read_bytes()
    try:
        write_table(Means, moved(read_table(Means, file), "ci_high", 1e-5, **PLACE), file)
        differs = CliRunner().invoke(app, ["verify", "--against", "tables"])
        assert differs.exit_code == 1 and "per_generator_biased: lab ring clean nsnet ap value" in differs.output
        assert ": 2 differ" in differs.output
    finally:
        file.write_bytes(kept)
