"""Doses of bias as counted in training pictures, and what is plotted against them."""

from __future__ import annotations

import polars as pl
import pytest

from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.reporting.report.doses import HOW, bias_doses, dose
from nsnet.reporting.report.parts import Chosen
from nsnet.reporting.views import open_tables
from tests.synthetic import SETTINGS, samples, trained_on, write_project

CHOSEN = Chosen(["nsnet", "univfd"], "clean")


def counted(rows: pl.DataFrame) -> float:
    """The dose, picture by picture."""
    goes: dict[int, list[bool]] = {0: [], 1: []}
    for label, caption in rows.select("label", "caption").iter_rows():
        goes[label].append(("ring" in caption.split()) == (label == 0))
    share = sum(sum(found) / len(found) for found in goes.values()) / 2
    return max(share, 1 - share)


@pytest.mark.parametrize("count", range(5))
def test_a_dose_is_counted(count: int) -> None:
    rows = trained_on({"some": count})
    [row] = bias_doses(rows, ["ring", "bar"]).to_dicts()
    assert row["dose"] == pytest.approx(counted(rows), abs=1e-12) == {0: 1, 1: 0.75, 2: 0.5, 3: 0.75, 4: 1}[count]
    assert (row["n_real"], row["n_fake"], row["generators"]) == (4, 4, "lab/seen")


def test_classes_of_other_sizes_weigh_the_same() -> None:
    rows = trained_on({"some": 3})
    more = pl.concat([rows, rows.filter(label=1)]).sort("image_id")
    assert bias_doses(more, ["ring"])["dose"][0] == pytest.approx(counted(more), abs=1e-12) == 0.75


def test_without_captions_or_words_there_is_no_dose() -> None:
    rows = trained_on({"some": 4})
    assert bias_doses(rows, [])["dose"].to_list() == [None]
    holes = rows.with_columns(caption=pl.when(pl.col("image_id") != "train0").then("caption"))
    assert bias_doses(holes, ["ring"])["dose"].to_list() == [None]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    paths = Paths(tmp_path_factory.mktemp("doses"))
    write_project(paths)
    return paths


def test_curves_are_the_leaderboards_figures(paths: Paths) -> None:
    write_table(Samples, pl.concat([samples(), trained_on({"biased": 4, "unbiased": 2})]), paths.table(Samples))
    with open_tables(paths, paths, SETTINGS) as connection:
        section = dose(connection, CHOSEN, ["ring"])
        board = connection.sql("SELECT training_set, condition, detector, acc, acc_low FROM leaderboard").pl()
    assert section is not None
    doses = {"biased": 1.0, "unbiased": 0.5}
    columns = ["dose", "condition", "detector", "acc", "acc_low"]
    expected = {(doses[name], *rest) for name, *rest in board.iter_rows()}
    assert set(section.table.select(columns).iter_rows()) == expected and section.table.height == 2 * 2 * 5
    [figure] = section.figures
    [data] = figure.spec["datasets"].values()
    drawn = {(row["detector"], row["dose"], row["acc"]) for row in data}
    assert drawn == {
        (name, at, round(acc, 4))
        for at, condition, name, acc, _ in expected
        if condition == "clean" and name in CHOSEN.detectors
    }
    assert "4 reals and 4 fakes; accuracy at 0.5 over 4 held-out generators" in figure.caption


@pytest.mark.parametrize("sets", [{"biased": 4, "unbiased": 4}, {"biased": 4}])
def test_with_one_dose_it_is_said_how_to_get_another(paths: Paths, sets: dict[str, int]) -> None:
    write_table(Samples, pl.concat([samples(), trained_on(sets)]), paths.table(Samples))
    with open_tables(paths, paths, SETTINGS) as connection:
        section = dose(connection, CHOSEN, ["ring"])
    assert section is not None and section.figures == [] and section.words == HOW
    assert section.table["dose"].to_list() == [1.0] * len(sets)


def test_sets_that_differ_in_more_are_not_compared(paths: Paths) -> None:
    other = trained_on({"unbiased": 2}).filter(pl.col("image_id") != "train0")
    write_table(Samples, pl.concat([samples(), trained_on({"biased": 4}), other]), paths.table(Samples))
    with open_tables(paths, paths, SETTINGS) as connection:
        section = dose(connection, CHOSEN, ["ring"])
        assert section is not None and section.figures == [] and section.table.height == 2
        write_table(Samples, samples(), paths.table(Samples))
        assert dose(connection, CHOSEN, ["ring"]) is None
