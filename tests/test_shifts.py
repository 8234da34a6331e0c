"""What a condition costs, against differences between detectors that were made to score so."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from nsnet.core.paths import Paths
from nsnet.evaluation.contests import contests_of
from nsnet.evaluation.exams import Exams
from nsnet.evaluation.statistics import evaluate_runs
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import write_tables
from tests.synthetic import DETECTORS, SETTINGS, predictions, runs, samples, write_project

CODE = {"code_checksum": "code", "data_checksum": "data"}
CORPUS = samples()
FIGURES = ["difference", "ci_low", "ci_high", "population_low", "population_high", "n_generators"]
PLACE = ["training_set", "suite", "metric", "detector"]


def evaluated(trained: pl.DataFrame, scores: pl.DataFrame, conditions: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    settings = SETTINGS.model_copy(update={"conditions": conditions})
    found = evaluate_runs(trained, Exams(contests_of(CORPUS), {}), scores, settings, CODE)
    return found.shifts, found.differences.filter(pl.col("group") == "held-out", pl.col("metric") != "acc_validation")


def renamed(frame: pl.DataFrame, ending: str, **columns: str) -> pl.DataFrame:
    """Runs, or their predictions, of detectors of another name."""
    texts = [pl.col(name) + ending for name in ("run_id", "detector") if name in frame.columns]
    return frame.with_columns(*texts, **{name: pl.lit(value) for name, value in columns.items()})


def compared(shifts: pl.DataFrame, differences: pl.DataFrame, ending: str) -> None:
    """Each shift is the difference between the detector of that ending and the one without it."""
    expected = differences.filter(pl.col("detector") == pl.col("reference") + ending)
    expected = expected.with_columns(detector=pl.col("reference")).select(*PLACE, *FIGURES).sort(PLACE)
    assert expected.height == len(DETECTORS) * 2 * 3  # two training sets, three metrics
    assert_frame_equal(
        shifts.select(*PLACE, *FIGURES).sort(PLACE), expected, check_exact=False, rel_tol=0, abs_tol=1e-12
    )  # sums in another order


def test_a_condition_costs_what_a_detector_that_scores_so_lacks() -> None:
    trained = runs()
    scores = predictions(trained, CORPUS)
    shifts, _ = evaluated(trained, scores, ["jpeg50", "clean"])
    assert shifts["comparison"].unique().to_list() == ["delivered"]
    assert shifts["condition"].unique().to_list() == ["jpeg50"]
    # A twin that says of clean pictures what the detector says of those saved as JPEG.
    twin = renamed(scores.filter(condition="jpeg50"), "-twin", condition="clean")
    clean = scores.filter(condition="clean")
    validation = renamed(clean.filter(split="validation"), "-twin")
    _, differences = evaluated(
        pl.concat([trained, renamed(trained, "-twin")]), pl.concat([clean, twin, validation]), ["clean"]
    )
    compared(shifts, differences, "-twin")


def test_training_on_a_condition_gains_what_a_detector_that_scores_so_gains() -> None:
    trained = runs()
    scores = predictions(trained, CORPUS)
    # Runs trained on blurred pictures, whose name comes before clean: they score as others do on clean pictures.
    blurred = trained.with_columns(run_id=pl.col("run_id") + "-blur", train_condition=pl.lit("blur"))
    swapped = scores.with_columns(
        run_id=pl.col("run_id") + "-blur",
        condition=pl.when(split="validation")
        .then(pl.lit("clean"))
        .otherwise(pl.col("condition").replace({"clean": "jpeg50", "jpeg50": "clean"})),
    )
    shifts, _ = evaluated(pl.concat([trained, blurred]), pl.concat([scores, swapped]), ["clean", "jpeg50"])
    matched = shifts.filter(comparison="matched")
    assert matched["train_condition"].unique().to_list() == ["blur"] and matched["condition"].unique().to_list() == [
        "jpeg50"
    ]
    twin = renamed(swapped, "-twin").filter(pl.col("condition") == "jpeg50", split="test")
    both = pl.concat([scores.filter(condition="jpeg50"), twin.with_columns(pl.col("run_id").str.replace("-blur", ""))])
    _, differences = evaluated(pl.concat([trained, renamed(trained, "-twin")]), both, ["jpeg50"])
    compared(matched, differences, "-twin")


def test_without_clean_pictures_there_is_nothing_to_compare() -> None:
    trained = runs()
    shifts, differences = evaluated(trained, predictions(trained, CORPUS), ["jpeg50"])
    assert shifts.is_empty() and not differences.is_empty()


def test_conditions_stand_in_the_order_of_the_settings(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    found = write_project(paths)
    write_tables(paths, paths, SETTINGS, 0.75)
    with open_tables(paths, paths, SETTINGS) as connection:
        rows = connection.sql("FROM robustness WHERE training_set = 'biased'").pl()
    assert list(dict.fromkeys(rows["condition"])) == SETTINGS.conditions
    assert rows.filter(condition="clean")["acc_delivered"].null_count() == rows.height // 2
    place = {"training_set": "biased", "detector": "nsnet", "condition": "jpeg50", "metric": "acc"}
    [row] = rows.filter(detector="nsnet", condition="jpeg50").to_dicts()
    [shift] = found.shifts.filter(**place).to_dicts()
    assert (row["acc_delivered"], row["acc_delivered_low"]) == (shift["difference"], shift["ci_low"])
    means = {
        one["condition"]: one["value"]
        for one in found.means.filter(
            training_set="biased", detector="nsnet", metric="acc", group="held-out"
        ).to_dicts()
    }
    assert row["acc_delivered"] == pytest.approx(means["jpeg50"] - means["clean"], abs=1e-12)
    drawn = (paths.tables / "plots/conditions_lab_biased.svg").read_text()
    for word in ("jpeg50", "clean", "univfd"):
        assert f"<!-- {word} -->" in drawn
