"""Printed tables: cells that hold, numbers with their intervals, notes, and plots that refuse unknown names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.printing import csv_text, markdown_table, span
from nsnet.evaluation.contracts import FlipRate
from nsnet.evaluation.metrics import METRICS
from nsnet.evaluation.statistics import Evaluation
from nsnet.reporting.layout import Pivot, folded, pivoted, triples
from nsnet.reporting.plots import audit_plot, conditions_plot, generators_plot
from nsnet.reporting.tables import REPORTS, printed
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import origin_of, write_tables
from nsnet.training.contracts import Runs
from tests.synthetic import SETTINGS, runs, write_project

Project = tuple[Paths, Evaluation, duckdb.DuckDBPyConnection]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    paths = Paths(tmp_path_factory.mktemp("evaluated"))
    found = write_project(paths)
    with open_tables(paths, paths, SETTINGS) as connection:
        yield paths, found, connection


def test_names_stay_in_their_cells() -> None:
    text = markdown_table(pl.DataFrame({"a|b": ["x|y\nz\x1b[31m", None], "n": [1.23456, 2.0], "yes?": [True, False]}))
    assert text.splitlines() == [
        "| a\\|b | n | yes? |",
        "| --- | ---: | --- |",
        "| x\\|y z\\x1b[31m | 1.235 | yes |",
        "|  | 2.000 | no |",
    ]


def test_csv_text_is_no_formula_and_numbers_are_numbers() -> None:
    names = ["=1+1", "+x", "-x", "@x", "plain", 'say "a,b"\n=2', None, "\t=1", "\r=1\x1b[31m"]
    text = csv_text(pl.DataFrame({"name": names, "value": [-0.12345678, -1e-9, 0.5, 1.0, 0.1, 0.2, None, 0.3, 0.4]}))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["name"] for row in rows[:5]] == ["'=1+1", "'+x", "'-x", "'@x", "plain"]
    assert [row["name"] for row in rows[5:]] == ['say "a,b"\n=2', "", "'\t=1", "\\x0d=1\\x1b[31m"]
    assert [row["value"] for row in rows] == ["-0.123457", "0.0", "0.5", "1.0", "0.1", "0.2", "", "0.3", "0.4"]


def test_intervals_fold_into_cells() -> None:
    frame = pl.DataFrame(
        {
            "name": ["a", "b"],
            "acc": [0.5, None],
            "acc_low": [0.4, None],
            "acc_high": [0.6, None],
            "acc_population_low": [0.1, None],
            "acc_population_high": [0.9, None],
            "r_acc": [0.25, 0.75],
        }
    )
    assert triples(frame.columns) == ["acc"]
    shown = folded(frame)
    assert shown.columns == ["name", "acc", "acc, another generator", "r_acc"]
    assert shown.row(0) == ("a", "0.500 (0.400..0.600)", "0.100..0.900", 0.25)
    assert shown.row(1) == ("b", None, None, 0.75)


def test_pivots_keep_the_order_of_rows() -> None:
    frame = pl.DataFrame({"g": ["z", "z", "a", "a"], "d": ["two", "one", "two", "one"], "acc": [0.1, 0.2, 0.3, 0.4]})
    wide = pivoted(frame, Pivot(("g",), "d", "acc", interval=False))
    assert wide.rows() == [("z", "0.100", "0.200"), ("a", "0.300", "0.400")] and wide.columns == ["g", "two", "one"]
    assert pivoted(frame, Pivot(("g",), "d", "acc", interval=False, shown=("one",))).columns == ["g", "one"]


def test_every_report_names_its_rows_and_has_some(evaluated: Project) -> None:
    _, _, connection = evaluated
    tables = {table.name: table for table in printed(connection)}
    reports = {table.report.name for table in tables.values()}
    # There are linear heads only: no kinds to be set beside each other.
    missing = {report.name for report in REPORTS} - reports
    assert len(tables) == 2 * 7 + 7 and missing == {"plug_and_play", "protocols"}
    for table in tables.values():
        key = list(table.report.key)
        assert table.rows.height and table.rows.select(key).is_unique().all(), table.name
        assert table.markdown.count("\n") > 2
    assert tables["leaderboard_biased"].rows["detector"].to_list()[0] == "nsnet"
    metrics = set(tables["per_generator_biased"].rows["metric"])
    assert metrics == set(METRICS) and "ece" not in tables["per_generator_biased"].markdown
    # What labels chose is in no ranking, and where it stands its name says so.
    named = [name for table in tables.values() for name in table.rows.columns if "oracle" in name]
    assert named == [] and "upper bound" in tables["per_generator_biased"].report.note


def test_deployment_equals_the_means(evaluated: Project) -> None:
    _, found, connection = evaluated
    rows = connection.sql("FROM deployment").pl()
    assert rows.height == 2 * 2 * 5
    for row in rows.to_dicts():
        place = {name: row[name] for name in ("training_set", "suite", "condition", "detector")}
        means = found.means.filter(**place, group="held-out")
        for metric in triples(rows.columns):
            mean = means.filter(metric=metric).row(0, named=True)
            stored = tuple(row[f"{metric}{end}"] for end in ("", "_low", "_high"))
            assert stored == (mean["value"], mean["ci_low"], mean["ci_high"]), metric


def test_tables_come_from_views_that_equal_the_frames(evaluated: Project) -> None:
    _, found, connection = evaluated
    board = connection.sql("FROM leaderboard").pl()
    for row in board.to_dicts():
        place = {name: row[name] for name in ("training_set", "suite", "condition", "detector")}
        for metric in ("acc", "ap", "auroc", "acc_validation"):
            mean = found.means.filter(**place, group="held-out", metric=metric).row(0, named=True)
            for column, source in {
                metric: "value",
                f"{metric}_low": "ci_low",
                f"{metric}_high": "ci_high",
                f"{metric}_population_low": "population_low",
                f"{metric}_population_high": "population_high",
            }.items():
                assert row[column] == mean[source]
        assert row["in_domain_acc"] == found.means.filter(**place, group="in-domain", metric="acc")["value"][0]
        if row["detector"] == "univfd":
            assert row["acc_difference"] is None
            continue
        facts = place | {"reference": "univfd", "group": "held-out", "metric": "ap"}
        paired = found.differences.filter(**facts).row(0, named=True)
        assert (row["ap_difference"], row["ap_difference_low"]) == (paired["difference"], paired["ci_low"])
    assert board.height == 2 * 2 * 5 and set(board["baseline"]) == {"univfd"}
    ranks = board.filter(training_set="biased", condition="clean")["acc"].to_list()
    assert ranks == sorted(ranks, reverse=True)


def test_cross_domain_and_families(evaluated: Project) -> None:
    _, found, connection = evaluated
    row = connection.sql(
        "FROM cross_domain WHERE (training_set, detector, generator, condition) = ('biased', 'nsnet', 'ring', 'clean')"
    ).pl()
    seeds = found.results.filter(pl.col("run_id").str.contains("^biased-nsnet-[0-9]"), generator="ring")
    mean = seeds.filter(condition="clean", metric="acc")["value"].mean()
    assert row.height == 1 and row["acc"][0] == pytest.approx(mean, abs=1e-12)
    assert row.select("in_domain", "n_fake", "files_give_label_away").row(0) == (False, 12, True)
    families = connection.sql("FROM families WHERE training_set = 'biased'").pl()
    assert dict(families.select("family", "n_generators").iter_rows()) == {"gan": 1, "diffusion": 3}
    assert families.filter(family="gan")["acc_population_low"].null_count() == 2 * 5
    gap = connection.sql("SELECT sum(gap - (in_domain_acc - held_out_acc)) FROM generalization_gap").fetchall()
    assert gap[0][0] == pytest.approx(0, abs=1e-12)
    hardest = connection.sql("FROM hardest_generators WHERE generator = 'seen'").fetchall()
    assert hardest == []


def test_controls_contrastive_and_conditions(evaluated: Project) -> None:
    _, found, connection = evaluated
    controls = connection.sql("SELECT DISTINCT detector, view, null_space FROM controls ORDER BY 1").fetchall()
    assert controls == [
        ("nsnet-plain", "mosaic", "text"),
        ("univfd", "crop", "none"),
        ("univfd+random", "crop", "random"),
    ]
    rows = connection.sql(
        "FROM contrastive WHERE training_set = 'biased' AND condition = 'clean' AND metric = 'acc'"
    ).pl()
    assert dict(rows.select("against", "reference").iter_rows()) == {
        "loss off, adapter kept": "nsnet-without-loss",
        "loss off, no adapter": "nsnet-plain",
    }
    facts = {"training_set": "biased", "condition": "clean", "group": "held-out", "metric": "acc"}
    paired = found.differences.filter(detector="nsnet", reference="nsnet-plain", **facts)["difference"][0]
    assert rows.filter(reference="nsnet-plain")["difference"][0] == paired
    tables = {table.name: table.markdown for table in printed(connection)}
    assert tables["conditions"].splitlines()[0] == (
        "| suite | training set | detector | train condition | clean | jpeg50 |"
    )
    assert "| suite | condition | training set | train condition | view | none | random | text |" in tables["controls"]


def test_flip_rates_lie_side_by_side(evaluated: Project) -> None:
    paths, _, connection = evaluated
    [row] = connection.sql("FROM flip_rates WHERE training_set = 'biased' AND detector = 'nsnet'").pl().to_dicts()
    assert (row["condition"], row["n_seeds"], row["n_real"], row["n_fake"]) == ("jpeg50", 3, 24, 8 + 9 + 10 + 11 + 12)
    rates = read_table(FlipRate, paths.table(FlipRate)).filter(training_set="biased", detector="nsnet")
    for name, place in (
        ("flips", {"label": "all", "flip": "any"}),
        ("reals_to_fake", {"label": "real", "flip": "real->fake"}),
        ("fakes_to_real", {"label": "fake", "flip": "fake->real"}),
    ):
        [found] = rates.filter(**place).to_dicts()
        shown = [row[name], row[f"{name}_low"], row[f"{name}_high"]]
        assert shown == [found["value"], found["ci_low"], found["ci_high"]]
    tables = {table.name: table.markdown for table in printed(connection)}
    assert tables["flip_rates"].splitlines()[0].endswith("| n fake | flips | reals to fake | fakes to real |")
    with open_tables(paths, paths, SETTINGS) as clean:
        clean.execute("DELETE FROM flip_rate")  # of a run that tests its pictures as they are
        assert "flip_rates" not in {table.name for table in printed(clean)}


def test_the_ablation_holds_what_differs_in_its_switches_alone(evaluated: Project) -> None:
    """nsnet-without-loss has an adapter and no loss; random directions are no switch; an upkeep is none either."""
    paths, found, _ = evaluated
    with open_tables(paths, paths, SETTINGS) as connection:
        facts = """UPDATE runs SET kind = 'lora', adapter = false, params = '{"upkeep": "UPKEEP", "layers": null}'"""
        connection.execute(facts.replace("UPKEEP", "fixed") + " WHERE detector = 'nsnet-plain'")
        rows = connection.sql("FROM ablation WHERE condition = 'clean' AND training_set = 'biased'").pl()
        switches = ("backbone", "null_space", "patch_selection", "contrastive", "detector")
        assert rows.select(switches).rows() == [
            ("LoRA", True, True, False, "nsnet-plain"),
            ("frozen", False, False, False, "univfd"),
            ("frozen", True, True, True, "nsnet"),
        ]
        facts_of = {"training_set": "biased", "condition": "clean", "group": "held-out", "detector": "nsnet"}
        mean = found.means.filter(metric="acc", **facts_of)["value"][0]
        assert rows.filter(detector="nsnet")["acc"][0] == mean
        connection.execute(facts.replace("UPKEEP", "refit") + " WHERE detector = 'nsnet-plain'")
        assert "nsnet-plain" not in connection.sql("SELECT detector FROM ablation").pl()["detector"]


def test_notes_stand_in_every_table(evaluated: Project) -> None:
    paths, _, connection = evaluated
    names = write_tables(paths, paths, SETTINGS, 0.75)
    assert origin_of(connection).startswith("LAB: simulated generators")
    for name in names:
        text = (paths.tables / f"{name}.md").read_text()
        assert "**LAB: simulated generators" in text, name
        if name != "bias_audit":
            assert "last bits between processors" in text and "exactly 0.5 counts as fake" in text
            assert "mean over 2 to 3 training seeds" in text and "differences are paired" in text
    audit = (paths.tables / "bias_audit.md").read_text()
    assert "1 of 5 generators are given away" in audit
    plots = {file.name for file in (paths.tables / "plots").glob("*.svg")}
    assert plots == {
        "bias_audit.svg",
        "spectrum.svg",
        *(f"conditions_lab_{name}.svg" for name in ("biased", "unbiased")),
        *(f"generators_lab_{name}{end}.svg" for name in ("biased", "unbiased") for end in ("", "_jpeg50")),
    }
    before = {file.name: file.read_bytes() for file in paths.tables.rglob("*.*")}
    write_tables(paths, paths, SETTINGS, 0.75)
    assert before == {file.name: file.read_bytes() for file in paths.tables.rglob("*.*")}


def test_untrained_weights_are_told(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    told = '{"model": "ViT-B-32", "weights": "random"}'
    write_table(Runs, runs().with_columns(backbone=pl.lit(told)), paths.table(Runs))
    with open_tables(paths, paths, SETTINGS) as connection:
        assert origin_of(connection).startswith("RANDOM: ")


def test_the_plot_names_families_and_refuses_unknown_detectors(evaluated: Project, tmp_path: Path) -> None:
    _, _, connection = evaluated
    rows = connection.sql(
        "FROM per_generator WHERE (training_set, condition, metric) = ('biased', 'clean', 'acc')"
    ).pl()
    with pytest.raises(ValueError, match="'nsnett'; did you mean nsnet"):
        generators_plot(rows, ["nsnett"], "title", tmp_path / "plot.svg")
    assert not (tmp_path / "plot.svg").exists()
    generators_plot(rows, ["nsnet", "univfd"], "title", tmp_path / "plot.svg")
    # Text is drawn as paths; matplotlib names each in a comment.
    drawn = (tmp_path / "plot.svg").read_text()
    for word in ("diffusion", "gan (in-domain)", "gan", "ring", "univfd"):
        assert f"<!-- {word} -->" in drawn
    assert "8 to 12 fakes of each against 24 reals, 2 to 3 training seeds" in drawn and "at threshold 0.5" in drawn


def test_the_plots_of_conditions_and_of_files_name_their_numbers(evaluated: Project, tmp_path: Path) -> None:
    rows = evaluated[2].sql("FROM robustness WHERE training_set = 'biased'").pl()
    conditions_plot(rows, ["nsnet", "univfd"], "title", tmp_path / "conditions.svg")
    drawn = (tmp_path / "conditions.svg").read_text()
    assert "mean over 4 held-out generators and 2 to 3 training seeds" in drawn and "at threshold 0.5" in drawn
    audit_plot(evaluated[2].sql("FROM bias_audit").pl(), 0.75, tmp_path / "audit.svg")
    assert "8 fakes of each against 24 reals; dashed: flagged from 0.75 on" in (tmp_path / "audit.svg").read_text()


def test_counts_in_words() -> None:
    assert [span(values) for values in ([], [500], [500, 500], [500, 80, 90])] == ["no", "500", "500", "80 to 500"]


def test_missing_tables_are_named(tmp_path: Path) -> None:
    names = "runs, external_runs, bias_audit, results, means, paired_differences, condition_shifts, real_sources, "
    names += "flip_rate, images, samples, predictions"
    with pytest.raises(FileNotFoundError, match=f"no Parquet for {names}"):
        open_tables(Paths(tmp_path), Paths(tmp_path), SETTINGS)
