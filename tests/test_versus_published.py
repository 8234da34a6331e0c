"""Published figures beside ours, against loops that read like the rule: all must match, and what does not is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest

from nsnet.core.contracts import fit
from nsnet.evaluation.contracts import Results
from nsnet.reporting.published import published
from nsnet.reporting.views import create_published, views
from nsnet.training.contracts import Runs
from tests import synthetic

REAL, LAB = "REAL: pictures of aigibench seen by ViT-L-14", "LAB: simulated generators"
RANDOM = "RANDOM: pictures of aigibench seen by ViT-L-14 with untrained weights; no measurement"
GENIMAGE = ["adm", "biggan", "glide", "midjourney", "sdv1_4", "sdv1_5", "vqdm", "wukong"]
DIFFUSION = ["dalle", "glide_100_10", "glide_100_27", "glide_50_27", "guided", "ldm_100", "ldm_200", "ldm_200_cfg"]
METRICS = ["acc", "plain_acc", "plain_ap", "r_acc", "f_acc"]


def run(detector: str, training_set: str = "sdv1.4", seed: int = 0, **facts: Any) -> dict[str, Any]:
    """A run, and what it was tested on: suite to generators, conditions and metrics."""
    tested = {"suites": {"genimage": GENIMAGE, "lab": ["blur"]}, "conditions": ["clean"], "metrics": METRICS}
    row = {"detector": detector, "training_set": training_set, "seed": seed, "origin": REAL, "current": True}
    return {"kind": "linear", "train_condition": "clean", "params": "{}"} | row | tested | facts


RUNS = [
    *(run("nsnet", seed=seed) for seed in (0, 1, 2)),
    run("nsnet", seed=3, current=False),
    run("nsnet", "setting-ii", suites={"universalfakedetect": DIFFUSION, "aigcdetectbenchmark": ["adm"]}),
    run("univfd", "setting-i"),
    run("univfd", "setting-ii", seed=1),
    run("of the lab", origin=LAB),
    run("untrained", origin=RANDOM),
    run("one of each world"),
    run("one of each world", seed=1, origin=LAB),
    run("saved", train_condition="jpeg50"),
    run("saved and not"),
    run("saved and not", seed=1, train_condition="jpeg50"),
    run("real where it counts"),
    run("real where it counts", "setting-i", origin=LAB),
    run("shown as JPEG", conditions=["jpeg90", "jpeg50"]),
    run("balanced", metrics=["acc"]),
    run("seven generators", suites={"genimage": GENIMAGE[1:]}),
    # All that is asked for, but no run has it all.
    run("in parts", conditions=["jpeg90"]),
    run("in parts", "setting-i"),
    run("half of them", suites={"genimage": GENIMAGE[:4]}),
    run("half of them", seed=1, suites={"genimage": GENIMAGE[4:]}),
    run("everywhere", kind="external", params=json.dumps({"training_sets": []})),
    run("trained there", kind="external", params=json.dumps({"training_sets": ["sdv1.4"]})),
]


def tables() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Runs and results as the catalogue has them."""
    rng = np.random.default_rng(4)
    template = synthetic.runs().row(0, named=True)
    trained: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, facts in enumerate(RUNS):
        run_id = f"run{number}"
        trained.append(template | {name: facts[name] for name in facts if name in template} | {"run_id": run_id})
        results += [
            {
                **{"run_id": run_id, "suite": suite, "generator": generator, "condition": condition, "metric": metric},
                **{"value": rng.uniform(), "n_real": 50 + number, "n_fake": 60 + len(generator)},
            }
            for suite, generators in facts["suites"].items()
            for generator in generators
            for condition in facts["conditions"]
            for metric in facts["metrics"]
        ]
    rest = {"family": "gan", "in_domain": False, "ci_low": 0.0, "ci_high": 1.0, "n_clusters": None}
    rest |= {"code_checksum": "code", "data_checksum": "data", "backbone_id": "backbone"}
    current = pl.Series("current", [facts["current"] for facts in RUNS])
    runs = fit(Runs, pl.DataFrame(trained)).with_columns(current)
    tested = fit(Results, pl.DataFrame([row | rest for row in results], infer_schema_length=None))
    return runs, tested.join(runs.select("run_id", "current"), on="run_id")


@pytest.fixture(scope="module")
def catalogue() -> Iterator[duckdb.DuckDBPyConnection]:
    runs, results = tables()
    with duckdb.connect() as connection:
        for name, frame in (("runs", runs), ("results", results)):
            connection.register("rows", frame.to_arrow())
            connection.execute(f"CREATE TABLE {name} AS FROM rows")
            connection.unregister("rows")
        create_published(connection)
        connection.execute(f"CREATE VIEW versus_published AS {views()['versus_published'].sql}")
        yield connection


def beside(figure: dict[str, Any], mine: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the view says of a figure and the results of one detector in its suite; None if it has no such row."""
    generators = set(figure["generators"])
    found = {row["generator"] for row in mine} & generators
    if not mine or (generators and not found):
        return None
    trained = [row for row in mine if row["trained_on_it"]]
    sets = {row["training_set"] for row in trained}
    clean = {row["training_set"] for row in trained if row["train_condition"] == "clean"}
    conditions, metrics = {row["condition"] for row in mine}, {row["metric"] for row in mine}
    worlds = {row["world"] for row in mine if row["training_set"] == figure["training_set"]}
    worlds = worlds or {row["world"] for row in mine}
    reasons = [figure["unmapped"]] if figure["unmapped"] else []
    if len(found) < len(generators):
        reasons.append(f"generators: ours {len(found)} of {len(generators)}")
    if (wanted := figure["training_set"]) is not None and wanted not in sets:
        reasons.append(f"training set: published {wanted}, ours {', '.join(sorted(sets)) or 'unknown'}")
    elif wanted is not None and wanted not in clean:
        reasons.append("training condition: published clean, ours another")
    if (wanted := figure["condition"]) is not None and wanted not in conditions:
        reasons.append(f"condition: published {wanted}, ours {', '.join(sorted(conditions))}")
    if (wanted := figure["metric"]) is not None and wanted not in metrics:
        reasons.append(f"kind of accuracy: published {wanted}, not among ours")
    if worlds != {"REAL"}:
        reasons.append(f"world: ours {', '.join(sorted(worlds))}")
    values, counts = [], []
    for run_id in {row["run_id"] for row in trained if row["train_condition"] == "clean"}:
        same = [
            row
            for row in trained
            if row["run_id"] == run_id
            and row["generator"] in generators
            and all(row[name] == figure[name] for name in ("training_set", "condition", "metric"))
        ]
        if same and len(same) == len(generators):
            values.append(sum(row["value"] for row in same) / len(same))
            counts += [(row["n_real"], row["n_fake"]) for row in same]
    if not reasons and not values:
        reasons = ["no run of ours has all of this at once"]
    if reasons:
        return {"ours": None, "n": None, "comparable": False, "why_not": "; ".join(reasons), "n_seeds": None}
    fewest = min(real for real, _ in counts), min(fake for _, fake in counts)
    ours = sum(values) / len(values)
    return {"ours": ours, "n": fewest, "comparable": True, "why_not": None, "n_seeds": len(values)}


def test_the_view_is_what_the_loops_say(catalogue: duckdb.DuckDBPyConnection) -> None:
    runs, results = tables()
    facts = {
        row["run_id"]: row
        | {
            "world": row["origin"].split(":")[0],
            "trained_on_it": row["kind"] != "external" or bool(json.loads(row["params"])["training_sets"]),
        }
        for row in runs.filter("current").to_dicts()
    }
    tested: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in results.filter("current").to_dicts():
        mine = {**facts[row["run_id"]], **row}
        tested.setdefault((row["suite"], mine["detector"]), []).append(mine)
    expected = {}
    for figure in published().to_dicts():
        for (suite, detector), its in tested.items():
            said = beside(figure, its) if suite == figure["suite"] else None
            if said is not None:
                expected[figure["row"], detector] = said
    rows = catalogue.sql("FROM versus_published").pl().to_dicts()
    assert [(row["row"], row["detector"]) for row in rows] == sorted(
        expected, key=lambda key: (published()["suite"][key[0] - 1], *key)
    )
    for row in rows:
        said = expected[row["row"], row["detector"]]
        assert (row["comparable"], row["why_not"], row["n_seeds"]) == (
            *(said["comparable"], said["why_not"], said["n_seeds"]),
        )
        if row["comparable"]:
            assert row["ours"] == pytest.approx(said["ours"], abs=1e-12)
            assert row["difference"] == pytest.approx(said["ours"] - row["published"], abs=1e-12)
            assert (row["n_real"], row["n_fake"]) == said["n"]
        else:
            assert [row[name] for name in ("ours", "difference", "n_real", "n_fake")] == [None] * 4


def test_each_reason_stands_alone_where_nothing_else_differs(catalogue: duckdb.DuckDBPyConnection) -> None:
    """ADM of GenImage, after training on SDv1.4: one figure of a method beside every detector."""
    rows = catalogue.sql(
        "SELECT detector, why_not, n_seeds FROM versus_published"
        " WHERE suite = 'genimage' AND generator = 'adm' AND training_set = 'sdv1.4' AND method = 'CNNSpot'"
    ).fetchall()
    assert {detector: why_not or f"ours, of {seeds}" for detector, why_not, seeds in rows} == {
        "nsnet": "ours, of 3",
        "trained there": "ours, of 1",
        "half of them": "ours, of 1",
        "saved and not": "ours, of 1",
        "real where it counts": "ours, of 1",
        "univfd": "training set: published sdv1.4, ours setting-i, setting-ii",
        "everywhere": "training set: published sdv1.4, ours unknown",
        "saved": "training condition: published clean, ours another",
        "shown as JPEG": "condition: published clean, ours jpeg50, jpeg90",
        "balanced": "kind of accuracy: published plain_acc, not among ours",
        "of the lab": "world: ours LAB",
        "untrained": "world: ours RANDOM",
        "one of each world": "world: ours LAB, REAL",
        "in parts": "no run of ours has all of this at once",
    }
    means = catalogue.sql(
        "SELECT detector, why_not, n_generators FROM versus_published WHERE suite = 'genimage'"
        " AND generator_printed = 'mean' AND training_set = 'sdv1.4' AND method = 'CNNSpot' AND n_generators > 0"
    ).fetchall()
    said = {detector: why_not for detector, why_not, _ in means}
    assert said["seven generators"] == "generators: ours 7 of 8" and said["nsnet"] is None
    assert said["half of them"] == "no run of ours has all of this at once"  # eight in all, but of two runs
    assert {n for _, _, n in means} == {8}


def test_what_has_no_name_of_ours_is_compared_with_nothing(catalogue: duckdb.DuckDBPyConnection) -> None:
    rows = catalogue.sql("SELECT * FROM versus_published WHERE detector = 'nsnet'").pl()
    unmapped = published().filter(pl.col("unmapped").is_not_null())
    among = rows.join(unmapped.select("row", "unmapped"), on="row")
    assert among.height > 100 and not among["comparable"].any()
    assert among.filter(pl.col("why_not").str.starts_with(pl.col("unmapped"))).height == among.height
    # Degradations of GenImage and what is over sixteen folders, of which ours has one.
    assert among.filter(pl.col("generator_printed").str.starts_with("degraded")).height == 42
    [sixteen] = rows.filter(suite="aigcdetectbenchmark", generator_printed="mean", method="DGS-Net", metric="r_acc")[
        "why_not"
    ]
    assert sixteen == "generators: ours 1 of 16"
    assert rows.filter(suite="universalfakedetect", method="DGS-Net")["comparable"].all()


def test_a_world_other_than_real_is_never_beside_theirs(catalogue: duckdb.DuckDBPyConnection) -> None:
    rows = catalogue.sql("FROM versus_published").pl()
    others = rows.filter(pl.col("detector").is_in(["of the lab", "untrained", "one of each world"]))
    assert others.height > 100 and not others["comparable"].any()
    assert others["why_not"].str.contains("world: ours ").all()
