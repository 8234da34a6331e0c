"""Figures that others published: none is lost, each means something here or says why not, and means are means."""

from __future__ import annotations

import copy
import csv
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from nsnet.cli.suites import app
from nsnet.reporting.published import FOLDER, build_published, published
from nsnet.reporting.published.mapping import COLUMNS
from nsnet.suites import suites

MAPPED = {"aigibench": 1948, "universalfakedetect": 190, "aigcdetectbenchmark": 136, "genimage": 63}
UNMAPPED = {
    "condition: the benchmark's own JPEG copy": 1248,
    "condition: a crop at test time": 624,
    "training set: an average over eight trainings": 63,
    "training set: the registry has no training set of one class": 38,
    "training set: the registry has no training set of two classes": 38,
    "training set: weights as released": 4,
    "generator: a degradation of pictures": 42,
    "condition: the column names what was done": 49 - 42,
}
# Test pictures of generators as our sources count them, as many real as fake; some logs scored whole batches alone.
TOTALS, BATCH = {"wfir": 2000, "progan": 8000, "communityai": 12000, "socialrf": 6000}, 128
WHOLE_BATCHES = ("DFFreq", "FreqNet", "LGrad")
# The README and the log of one method that are of different trainings (the log names none).
OTHER_TRAINING = {"DFFreq"}
# Names of the README, as the logs have them.
LOGGED = {"UniFD": "CLIPDetection (UnivFD)", "Ladeda": "LaDeDa"}
# Values are printed to a tenth of a point: a mean and what it is over are each off by half of it, and floats by less.
ROUNDED = 0.001 + 1e-9


def raw() -> list[dict[str, str]]:
    with (FOLDER / "figures.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def names() -> Any:
    return yaml.safe_load((FOLDER / "mapping.yaml").read_text(encoding="utf-8"))


def few() -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Two figures, their mean and one of another condition, with the names that they need."""
    common = {"suite": "GI", "method": "NPR", "train_set": "SD", "condition": "clean", "metric": "acc", "note": ""}
    common |= {"source": "a log", "value": "50"}
    rows = [{**common, "generator": name} for name in ("ADM", "glide", "mean")]
    rows.append({**common, "generator": "ADM", "condition": "jpeg", "note": "FLAG: disagrees"})
    keys = {
        "suites": {"GI": {"key": "genimage", "why": "the same"}},
        "generators": {},
        "training_sets": {"SD": {"key": "sdv1.4", "why": "the same"}},
        "conditions": {"clean": {"key": "clean", "why": "the same"}, "jpeg": {"key": None, "why": "unlike ours"}},
        "metrics": {"acc": {"key": "plain_acc", "why": "the same"}},
        "means": {"printed": "mean", "why": "plain", "alone": {}},
        "exceptions": [],
        "doubts": [{"where": {"generator": ["glide"]}, "note": "a copy", "source": "a thread"}],
    }
    return rows, keys


def test_no_figure_is_lost() -> None:
    figures, lines = published(), raw()
    assert figures.height == len(lines) == 4401
    assert figures["row"].to_list() == list(range(1, 4402))
    for row, line in zip(figures.iter_rows(named=True), lines, strict=True):
        assert [row[f"{part}_printed"] for part in COLUMNS] == [line[column] for column in COLUMNS.values()]
        assert (row["method"], row["source"], row["note"] or "") == (line["method"], line["source"], line["note"])
        assert row["value"] == float(f"{line['value']}e-2")


def test_each_is_mapped_or_says_why() -> None:
    figures = published()
    mapped = figures.filter(pl.col("unmapped").is_null())
    assert dict(mapped["suite"].value_counts().iter_rows()) == MAPPED
    reasons = Counter(figures["unmapped"].drop_nulls())
    for start, count in UNMAPPED.items():
        assert sum(n for reason, n in reasons.items() if reason.startswith(start)) == count, start
    assert sum(UNMAPPED.values()) + sum(MAPPED.values()) == 4401
    for row in figures.iter_rows(named=True):
        whole = all(row[name] is not None for name in ("suite", "training_set", "condition", "metric"))
        assert (row["unmapped"] is None) == (whole and bool(row["generators"]))
        assert row["suite"] is None or set(row["generators"]) <= suites()[row["suite"]].generators.keys()
        assert row["generators"] == ([row["generator"]] if row["generator"] else sorted(set(row["generators"])))
    assert figures["metric"].value_counts(sort=True)["metric"].to_list()[0] == "plain_acc"
    assert set(figures["metric"]) == {"plain_acc", "plain_ap", "r_acc", "f_acc"}
    # The same folder under the names that logs and tables have for it.
    found = figures.filter(pl.col("generator_printed").is_in(["sitd", "Midjourney", "SD V1.4"]))
    assert set(found.select("suite", "generator").iter_rows()) == {
        ("universalfakedetect", "seeingdark"),
        *((suite, "midjourney") for suite in ("genimage", "aigcdetectbenchmark")),
        ("aigibench", "midjourney-v6"),
        ("genimage", "sdv1_4"),
    }


def test_means_are_those_of_the_figures_beside_them() -> None:
    place = ["source", "suite", "method", "training_set_printed", "condition_printed", "metric"]
    beside: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    figures = published()
    for row in figures.filter(pl.col("generator").is_not_null()).iter_rows(named=True):
        beside[tuple(row[name] for name in place)][row["generator"]] = row["value"]
    sizes: Counter[tuple[int, bool]] = Counter()
    for row in figures.filter(generator_printed="mean").iter_rows(named=True):
        parts = beside.get(tuple(row[name] for name in place), {})
        if parts:  # no mean that the sources print disagrees with its own rows
            assert sorted(parts) == row["generators"]
            assert row["value"] == pytest.approx(sum(parts.values()) / len(parts), abs=ROUNDED)
        sizes[len(row["generators"]), bool(parts)] += 1
    # 80 means of the README stand alone; 7 are over degradations.
    assert sizes == {(25, True): 144, (25, False): 80, (8, True): 22, (16, True): 8, (19, True): 4, (0, False): 7}


def test_the_readme_prints_the_means_of_the_logs() -> None:
    means = published().filter(generator_printed="mean", suite="aigibench", condition="clean")
    table = means.filter(pl.col("source").str.contains("README"), training_set="setting-ii")
    logs = means.filter(~pl.col("source").str.contains("README"))
    compared, differ = set(), set()
    for row in table.iter_rows(named=True):
        method = LOGGED.get(row["method"], row["method"])
        for other in logs.filter(method=method, metric=row["metric"]).iter_rows(named=True):
            if other["training_set"] == "setting-ii" or method in OTHER_TRAINING:
                compared.add(method)
                differ |= {method} if abs(row["value"] - other["value"]) > ROUNDED else set()
    assert compared >= {"CNNDetection", "NPR", "FreqNet", "LaDeDa", "DGS-Net"} and len(compared) == 9
    assert differ == OTHER_TRAINING


def test_published_accuracy_is_plain() -> None:
    """Reals and fakes count as often as there are: that gives acc where a log scored unequal numbers of them."""
    rows = (
        published()
        .filter(suite="aigibench")
        .pivot(
            on="metric", index=["source", "method", "training_set", "condition_printed", "generator"], values="value"
        )
    )
    for generator, total in TOTALS.items():
        for whole, among in ((True, pl.col("method").is_in(WHOLE_BATCHES)), (False, pl.col("method") == "NPR")):
            some = rows.filter(among, pl.col("generator") == generator)
            share = total / 2 / (total // BATCH * BATCH if whole else total)
            acc = share * some["r_acc"] + (1 - share) * some["f_acc"]
            assert some.height >= 6 and (acc - some["plain_acc"]).abs().max() <= ROUNDED  # type: ignore[operator]
    # It is not the mean of both, which is our acc.
    wfir = rows.filter(pl.col("method").is_in(WHOLE_BATCHES), generator="wfir")
    assert ((wfir["r_acc"] + wfir["f_acc"]) / 2 - wfir["plain_acc"]).abs().max() > 0.02  # type: ignore[operator]


def test_doubts_are_told() -> None:
    figures = published()
    doubted = figures.filter(pl.col("doubt").is_not_null())
    assert doubted.height == 3255
    assert doubted.filter(suite="genimage").height == figures.filter(suite="genimage").height
    assert all("arXiv 2403.17608" in text for text in doubted.filter(suite="genimage")["doubt"])
    [c2p] = doubted.filter(method="C2P-CLIP*", metric="r_acc")["doubt"]
    assert c2p.count("(the README)") == 2 and "no figure of that method's paper" in c2p


def test_a_few_figures() -> None:
    rows, keys = few()
    adm, glide, mean, jpeg = build_published(rows, keys).iter_rows(named=True)
    assert (adm["generator"], adm["generators"], adm["value"], adm["unmapped"]) == ("adm", ["adm"], 0.5, None)
    assert glide["doubt"] == "a copy (a thread)" and adm["doubt"] is None
    assert (mean["generator"], mean["generators"], mean["unmapped"]) == (None, ["adm", "glide"], None)
    assert (jpeg["condition"], jpeg["unmapped"]) == (None, "condition: unlike ours")
    assert jpeg["doubt"] == jpeg["note"] == "FLAG: disagrees"
    keys["exceptions"] = [{"where": {"generator": ["glide"]}, "part": "metric", "key": "acc", "why": "balanced there"}]
    assert build_published(rows, keys)["metric"].to_list() == ["plain_acc", "acc", "plain_acc", "plain_acc"]


def test_a_mean_alone_is_over_as_many_generators_as_its_source_says() -> None:
    rows, keys = few()
    keys["doubts"] = []
    keys["conditions"].pop("jpeg")
    for said, found in ((8, 8), (7, 0)):
        keys["means"]["alone"] = {"a log": said}
        [mean] = build_published(rows[2:3], keys).iter_rows(named=True)
        assert len(mean["generators"]) == found and (mean["unmapped"] is None) == bool(found)


def test_all_faults_at_once() -> None:
    rows, keys = few()
    rows += [copy.copy(rows[0]), {**rows[0], "metric": "auc"}, {**rows[0], "method": "B", "value": "n/a"}]
    rows += [{**rows[0], "generator": "ADN"}, {**rows[0], "method": "C", "value": "101"}]
    keys["training_sets"]["SD"]["key"] = "sdv14"
    keys["suites"]["Gi"] = {"key": None, "why": "unused"}
    keys["generators"] = {"blur": {"key": None, "why": "unused"}, "ADN": {"key": "adm", "why": "a slip"}}
    keys["means"]["alone"] = {"another log": 8}
    keys["exceptions"] = [{"where": {"method": ["NRP"]}, "part": "metric", "key": "plain", "why": "no"}]
    keys["doubts"] = [{"where": {"suite": ["genimage"]}, "note": "none", "source": "none"}]
    expected = (
        "training_sets.SD: unknown key 'sdv14'; did you mean sdv1.4?",
        "suites.Gi: no figure is so; did you mean GI?",
        "metrics: no meaning of 'auc'; did you mean acc?",
        "generators.blur: no figure is so",
        "generators.ADN: expected null, got 'adm'",
        "means.alone: no figure is from 'another log'",
        "exceptions.0: unknown key 'plain'; did you mean plain_ap or plain_acc?",
        "exceptions.0: no figure is so: {'method': ['NRP']}",
        "doubts.0: no figure is so: {'suite': ['genimage']}",
        "row 5: the same figure as row 1",
        "row 7: expected a value of 0..100, got 'n/a'",
        "row 9: expected a value of 0..100, got '101'",
    )
    with pytest.raises(ValueError, match=rf"{len(expected)} fault\(s\)") as caught:
        build_published(rows, keys)
    assert [part for part in expected if part not in str(caught.value)] == []


def test_a_generator_that_the_registry_lacks_needs_a_reason() -> None:
    rows, keys = few()
    rows.append({**rows[0], "generator": "VQDN"})
    with pytest.raises(ValueError, match="genimage has no 'VQDN', and no reason is given; did you mean VQDM"):
        build_published(rows, keys)
    keys["generators"] = {"VQDN": {"key": None, "why": "unknown to us"}}
    assert build_published(rows, keys)["unmapped"][-1] == "generator: unknown to us"


def test_fields_of_the_mapping_name_their_place() -> None:
    rows, keys = few()
    keys["metrics"]["acc"] = {"key": "plain_acc"}
    keys["doubts"][0]["where"] = {"generatr": ["glide"]}
    with pytest.raises(ValueError, match=r"2 fault\(s\)") as caught:
        build_published(rows, keys)
    assert "metrics.acc.why" in str(caught.value) and "doubts.0.where.generatr" in str(caught.value)


def test_every_name_of_the_mapping_has_a_reason() -> None:
    for section in ("suites", "generators", "training_sets", "conditions", "metrics"):
        assert all(name["why"].strip() for name in names()[section].values())
    assert Path(FOLDER / "figures.csv").read_text(encoding="utf-8").count("\n") == 4402


def test_command() -> None:
    runner = CliRunner()
    shown = runner.invoke(app, ["published", "GenImage", "--method", "gramnet", "--generator", "BigGAN"])
    assert shown.exit_code == 0 and "0.5170" in shown.output and "Readme.md Table 3" in shown.output
    assert "(average over 8 GenImage single-generator trainings)" in shown.output
    assert "2 figures, 1 of a setting that we have too" in shown.output and "arXiv 2403.17608" in shown.output
    means = runner.invoke(
        app, ["published", "aigibench", "--method", "npr", "--generator", "mean", "--metric", "r-acc"]
    )
    assert means.output.count("mean of 25") == 7 and "(crop)" in means.output
    for words, said in (
        (["genimag"], "did you mean genimage"),
        (["chameleon"], "no figures are published here for chameleon; there are some for aigcdetectbenchmark"),
        (["aigibench", "--method", "NRP"], "did you mean NPR"),
        (["aigibench", "--generator", "sdx"], "did you mean sdxl"),
        (["aigibench", "--metric", "acc"], "did you mean r_acc or f_acc"),
    ):
        wrong = runner.invoke(app, ["published", *words])
        assert wrong.exit_code == 1 and said in wrong.output, words
    assert "nsnet suites published" in runner.invoke(app, ["published", "--help"]).output
