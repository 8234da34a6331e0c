"""The report: everything on one page, drawn in a browser where there is one, and as files for papers."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from PIL import Image

from nsnet.core.parquet import write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.features.contracts import Features
from nsnet.reporting.report import charts
from nsnet.reporting.report.gallery import mistakes
from nsnet.reporting.report.maps import feature_maps
from nsnet.reporting.report.page import Report, make_report, page_of, write_files, write_page
from nsnet.reporting.report.parts import Figure, Section, panels
from nsnet.reporting.views import open_tables
from nsnet.reporting.writing import write_tables
from nsnet.training.contracts import Runs
from tests.pages import Page, browse, complaints, needs_chromium
from tests.synthetic import SETTINGS, WIDTH, runs, samples, trained_on, write_project

RECORD = {"model": "lab-clip", "weights": None, "size": 112, "patch_size": 16, "grid": 7, "lowest": 24}


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An evaluated project with features and files of its test pictures."""
    paths = Paths(tmp_path_factory.mktemp("reported"))
    write_project(paths)
    trained = runs().with_columns(backbone=pl.lit(json.dumps(RECORD | {"interpolation": "bicubic"})))
    write_table(Runs, trained, paths.table(Runs))
    corpus = samples().with_columns(
        caption=pl.when(pl.col("image_id").str.ends_with("1")).then(pl.lit("a red ring")).otherwise(pl.lit("a hill"))
    )
    write_table(Samples, pl.concat([corpus, trained_on({"biased": 4, "unbiased": 2})]), paths.table(Samples))
    names = corpus.filter(split="test")["image_id"].unique().sort().to_list()
    rng = np.random.default_rng(3)
    rows = pl.DataFrame(
        {
            "image_id": names,
            "backbone_id": "backbone",
            "condition": "clean",
            "view": "crop",
            "draw": 0,
            "rule": "native",
            "feature": rng.normal(size=(len(names), WIDTH)).astype("float32"),
        }
    ).cast({"draw": pl.Int32})
    write_table(Features, rows, paths.table(Features))
    (paths.data / "lab").mkdir(parents=True)
    for number, name in enumerate(names):
        Image.new("RGB", (130, 140), (number * 7 % 255, 90, 30)).save(paths.data / f"lab/{name}.png")
    return paths


@pytest.fixture(scope="module")
def report(paths: Paths) -> Report:
    return make_report(paths, SETTINGS, ["ring"])


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return page_of(report)


def test_it_says_which_world_it_is_from_and_asks_no_network(page: str) -> None:
    found = Page(page)
    assert "<title>nsnet report, LAB</title>" in page
    assert [one for one in found.all("meta") if "default-src 'none'" in (one.get("content") or "")]
    assert found.addresses and all(address.startswith(("#", "data:")) for address in found.addresses)
    assert not found.all("link")


def test_every_chart_has_a_name_and_every_section_its_table(report: Report, page: str) -> None:
    found = Page(page)
    names = [section.name for section in report.sections]
    assert names == [
        *("leaderboard", "generators", "families", "robustness", "bias", "dose", "scores", "real-sources", "spectrum"),
        *("maps", "mistakes", "audit", "provenance"),
    ]
    labels = [one["aria-label"] for one in found.all("div") if one.get("role") == "img"]
    figures = [figure for section in report.sections for figure in section.figures]
    assert len(labels) == len(figures) > 15 and all(labels) and len({figure.name for figure in figures}) == len(figures)
    assert [one["data-table"] for one in found.all("table")] == names
    ids = [one["id"] for _, one in found.tags if "id" in one]
    assert len(ids) == len(set(ids))
    assert all(one.get("alt") for one in found.all("img"))


def test_charts_hold_the_rows_of_the_views(report: Report, paths: Paths) -> None:
    [board] = [section for section in report.sections if section.name == "leaderboard"]
    spec = board.figures[0].spec
    [data] = spec["datasets"].values()
    with open_tables(paths, paths, SETTINGS) as connection:
        rows = connection.sql(
            "SELECT detector, acc, acc_low, acc_population_high FROM leaderboard"
            " WHERE training_set = 'biased' AND condition = 'clean'"
        ).fetchall()
    shown = [(one["detector"], one["acc"], one["acc_low"], one["acc_population_high"]) for one in data]
    assert shown == [(name, *(round(value, 4) for value in values)) for name, *values in rows]


def test_captions_name_thresholds_and_numbers(report: Report) -> None:
    said = {section.name: [figure.caption for figure in section.figures] for section in report.sections}
    expected = {
        "leaderboard": "accuracy at 0.5 over 4 held-out generators and 2 to 3 seeds",
        "generators": "accuracy at 0.5 by generator, in-domain last, 8 to 12 fakes of each against 24 reals",
        "families": "by family, mean accuracy at 0.5 over 1 to 3 held-out generators and 2 to 3 seeds",
        "robustness": "accuracy at 0.5 over 4 held-out generators and 2 to 3 seeds",
        "scores": "100 to 150 scores of fakes and 48 to 72 of reals a detector, all seeds",
        "real-sources": "R.Acc at 0.5 by source of the photographs, 24 of each",
        "audit": "8 fakes of each against 24 reals",
    }
    missing = {name: said[name] for name, words in expected.items() if not any(words in one for one in said[name])}
    assert missing == {}


def test_histograms_and_reliability_are_those_of_a_loop(report: Report, paths: Paths) -> None:
    [part] = [section for section in report.sections if section.name == "scores"]
    scores = pl.read_parquet(paths.artifacts / "evaluate/predictions.parquet").filter(split="test", condition="clean")
    labels = dict(samples().filter(split="test").select("image_id", "label").iter_rows())
    mine = [
        (score, labels[image_id])
        for run_id, image_id, score in scores.select("run_id", "image_id", "score").iter_rows()
        if run_id.startswith("biased-univfd-")
    ]
    n = {label: sum(one == label for _, one in mine) for label in (0, 1)}
    expected: dict[int, list[float]] = {}
    for score, label in mine:
        sums = expected.setdefault(min(14, int(score * 15)), [0.0, 0.0, 0.0])
        for place, value in enumerate((score, label, 1.0)):
            sums[place] += value / n[label]
    rows = part.table.filter(training_set="biased", detector="univfd")
    assert rows["fakes"].to_list() == pytest.approx([expected[key][1] / expected[key][2] for key in sorted(expected)])
    assert rows["score"].to_list() == pytest.approx([expected[key][0] / expected[key][2] for key in sorted(expected)])
    [drawn] = [figure for figure in part.figures if figure.name == "scores-biased"]
    [data] = drawn.spec["datasets"].values()
    fakes = [one for one in data if one["detector"] == "univfd" and one["label"] == "fake"]
    bins = [min(24, int(score * 25)) for score, label in mine if label]
    assert {round((place + 0.5) / 25, 4): round(bins.count(place) / n[1], 4) for place in set(bins)} == {
        one["score"]: one["share"] for one in fakes
    }


def test_maps_show_the_same_pictures_after_each_null_space(paths: Paths) -> None:
    rows = feature_maps(paths, "biased", ["ring"], 10)
    assert rows["null_space"].unique(maintain_order=True).to_list() == ["none", "text"]  # no caption pool here
    before, after = rows.partition_by("null_space")
    assert before.height == 20 and before.drop("x", "y", "null_space").equals(after.drop("x", "y", "null_space"))
    assert before["label"].value_counts(sort=True)["count"].to_list() == [10, 10]
    assert set(before["content"]) == {"with", "without"}
    x, y = before.select("x", "y").to_numpy().T
    assert abs(x.mean()) < 1e-9 and x.std() > y.std() > 0
    assert not before["x"].equals(after["x"])


def test_the_gallery_shows_files_that_are_there(paths: Paths, tmp_path: Path) -> None:
    with open_tables(paths, paths, SETTINGS) as connection:
        found = mistakes(connection, paths.data, ["nsnet", "univfd"], 2)
        assert mistakes(connection, tmp_path, ["nsnet"], 2) == []
    assert found[0].detector == "nsnet" and found[-1].detector == "univfd"
    wrong = {(one.label, one.score >= 0.5) for one in found}
    assert wrong == {("real", True), ("fake", False)}
    assert all(one.picture.startswith("data:image/webp;base64,") and one.view != one.picture for one in found)


def test_names_are_text() -> None:
    hostile = '</script><script>alert("x")</script>'
    points = pl.DataFrame({"x": [0.0], "y": [0.0], "label": [hostile], "content": ["with"], "generator": [hostile]})
    figure = Figure("hostile", charts.map_of(points, "label"), hostile)
    section = Section("hostile", hostile, hostile, [figure], pl.DataFrame({"detector": [hostile], "acc": [0.5]}))
    text = page_of(Report(hostile, hostile, hostile, [section]))
    assert hostile not in text and "&lt;/script&gt;" in text
    # In the chart's JSON too, which stands in a script element, and is still what it was.
    [embedded] = re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S)
    assert "<" not in embedded and json.loads(embedded) == figure.spec
    [data] = figure.spec["datasets"].values()
    assert data[0]["label"] == hostile


def test_suites_and_conditions_have_charts_of_their_own() -> None:
    """A name must do as an address and as a file: no space, no comma; no chart mixes suites."""
    rows = pl.DataFrame(
        {"suite": ["a", "b", "a", "a"], "training_set": "six", "train_condition": ["clean", "clean", "jpeg", "clean"]}
    )
    found = [(name, words, part.height) for name, words, part in panels(rows)]
    assert found == [
        ("a-six", "a, trained on six", 2),
        ("b-six", "b, trained on six", 1),
        ("a-six_jpeg", "a, trained on six, jpeg", 1),
    ]
    assert [name for name, _, _ in panels(rows.drop("suite", "train_condition"))] == ["six"]


def test_a_project_without_clean_pictures_shows_what_it_tests(paths: Paths) -> None:
    settings = SETTINGS.model_copy(update={"conditions": ["jpeg50"]})
    sections = {section.name: section for section in make_report(paths, settings, ["ring"]).sections}
    [data] = sections["leaderboard"].figures[0].spec["datasets"].values()
    board = sections["leaderboard"].table.filter(training_set="biased", condition="jpeg50")
    assert [row["acc"] for row in data] == [round(value, 4) for value in board["acc"]]
    assert sections["scores"].figures and sections["families"].figures


def test_the_same_figures_are_the_same_page(report: Report, page: str) -> None:
    assert page_of(report) == page


def test_two_runs_are_compared(paths: Paths, tmp_path: Path) -> None:
    write_tables(paths, paths, SETTINGS, 0.75)
    for file in paths.tables.glob("*.csv"):
        shutil.copy(file, tmp_path)
    earlier = (tmp_path / "per_generator_biased.csv").read_text().splitlines()
    [line] = [row for row in earlier if row.startswith("lab,") and ",ring,clean,nsnet,acc," in row]
    cells = line.split(",")
    cells[7:10] = ["0.111111", "0.100000", "0.120000"]
    text = "\n".join(earlier).replace(line, ",".join(cells)) + "\n"
    (tmp_path / "per_generator_biased.csv").write_text(text)
    section = make_report(paths, SETTINGS, ["ring"], against=tmp_path).sections[0]
    assert section.name == "comparison" and section.words.startswith(f"1 of {section.table.height} accuracies")
    [moved] = section.table.filter("outside").to_dicts()
    assert (moved["generator"], moved["detector"], moved["before"]) == ("ring", "nsnet", 0.111111)
    assert section.table.row(0, named=True) == moved
    assert all(abs(change) < 1e-6 for change in section.table.filter(~pl.col("outside"))["change"])
    with pytest.raises(FileNotFoundError, match="no CSV tables"):
        make_report(paths, SETTINGS, ["ring"], against=tmp_path / "nowhere")


def test_papers_get_files(report: Report, tmp_path: Path) -> None:
    small = Report(report.title, report.origin, report.facts, report.sections[:1])
    written = write_files(small, tmp_path / "figures")
    assert {file.suffix for file in written} == {".svg", ".png", ".tex"}
    for file in written:
        if file.suffix == ".png":
            with Image.open(file) as image:
                assert image.width > 1000 and len(image.convert("RGB").getcolors(1 << 24) or []) > 10
    tex = (tmp_path / "figures/leaderboard.tex").read_text()
    assert tex.startswith(r"\begin{tabular}{lll") and r"\toprule" in tex and "_" not in tex.replace(r"\_", "")
    assert len(re.findall(r" \\\\\n", tex)) == report.sections[0].table.height + 1


@needs_chromium
def test_a_browser_draws_sorts_and_filters_without_complaint(report: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    write_page(report, file)
    column = report.sections[0].table.columns.index("acc")
    shown = browse(file, f"#sort=leaderboard:{column}:ascending&filter=generators:nsnet ring", "--dump-dom")
    assert complaints(shown) == [] and 'data-drawn="yes"' in shown.stdout
    drawn = re.findall(r'<div class="chart[^>]*>.*?<svg', shown.stdout)
    assert len(drawn) == sum(len(section.figures) for section in report.sections)
    tables: dict[str, Any] = dict(re.findall(r'<table data-table="([^"]+)">(.*?)</table>', shown.stdout, re.S))
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", tables["leaderboard"].partition("<tbody>")[2], re.S)
    values = [float(re.findall(r"<td[^>]*>(.*?)</td>", row)[column]) for row in rows]
    assert values == sorted(values) and len(set(values)) > 5
    kept = re.findall(r"<tr>(.*?)</tr>", tables["generators"].partition("<tbody>")[2], re.S)
    assert kept and all("nsnet" in row and "ring" in row for row in kept)
    assert browse(file, "", f"--screenshot={tmp_path / 'shot.png'}", "--window-size=1200,1600").returncode == 0
    with Image.open(tmp_path / "shot.png") as image:
        assert len(image.convert("RGB").getcolors(1 << 24) or []) > 50
