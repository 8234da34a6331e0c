"""Views over single pictures, and the examples: against loops over the tables that they read."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from sklearn.metrics import roc_auc_score

from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.evaluation.contracts import Predictions
from nsnet.reporting.catalogue import build_catalog
from nsnet.reporting.queries import run_query
from nsnet.reporting.views import EXAMPLES, open_tables
from nsnet.training.contracts import Runs
from tests.synthetic import SETTINGS, write_project

# Means of the same few numbers, added in another order.
CLOSE = 1e-12


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An evaluated project whose pictures play several roles.

    A second suite shares one picture of each label; one is listed twice; two were let into validation too.
    """
    paths = Paths(tmp_path_factory.mktemp("pictures"))
    write_project(paths)
    corpus = read_table(Samples, paths.table(Samples))
    shared = corpus.filter(pl.col("image_id").is_in(["real00", "ring00"])).with_columns(suite=pl.lit("other"))
    write_table(Samples, pl.concat([corpus, shared, corpus.filter(image_id="real01")]), paths.table(Samples))
    scores = read_table(Predictions, paths.table(Predictions))
    leaked = scores.filter(pl.col("image_id").is_in(["real05", "ring01"]), split="test", condition="clean")
    leaked = leaked.with_columns(split=pl.lit("validation"), score=1 - pl.col("score"))
    write_table(Predictions, pl.concat([scores, leaked]), paths.table(Predictions))
    return paths


@pytest.fixture(scope="module")
def connection(paths: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_tables(paths, paths, SETTINGS) as connection:
        yield connection


def scored(paths: Paths) -> pl.DataFrame:
    """Every score of a test picture, with its run."""
    found = read_table(Predictions, paths.table(Predictions)).filter(split="test")
    return found.join(read_table(Runs, paths.table(Runs)), on="run_id")


def test_worst_mistakes(paths: Paths, connection: duckdb.DuckDBPyConnection) -> None:
    """Each wrong picture once, with its used file: neither twins nor a second suite multiply it."""
    labels = dict(read_table(Samples, paths.table(Samples)).select("image_id", "label").iter_rows())
    names = ["training_set", "train_condition", "condition", "detector"]
    means = scored(paths).group_by(*names, "image_id").agg(pl.col("score").mean())
    wrong: dict[tuple[str | int, ...], list[tuple[float, str]]] = defaultdict(list)
    for row in means.to_dicts():
        label = labels[row["image_id"]]
        if (row["score"] >= 0.5) != (label == 1):
            far = -round(abs(row["score"] - 0.5), 9)
            wrong[(*(row[name] for name in names), label)].append((far, f"lab/{row['image_id']}.png"))
    found = connection.sql("FROM worst_mistakes").pl()
    assert found.height == sum(map(len, wrong.values())) > 100
    for place, rows in found.partition_by([*names, "label"], as_dict=True).items():
        assert rows["rank"].to_list() == list(range(1, rows.height + 1))
        # Means that differ in their last bits only may change places.
        listed = [(-round(abs(score - 0.5), 9), path) for score, path in rows.select("score", "path").iter_rows()]
        assert sorted(listed) == sorted(wrong[place]) and [far for far, _ in listed] == sorted(far for far, _ in listed)
    assert found.filter(pl.col("path") != "lab/" + pl.col("image_id") + ".png").is_empty()
    ring = found.filter(image_id="ring00")
    assert ring.height and set(ring.select("suite", "generator", "label").iter_rows()) == {("lab", "ring", 1)}


def test_runs_of_another_project(paths: Paths, connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """As `nsnet score` has them: the pictures here, the detectors elsewhere."""
    here, trained = Paths(tmp_path / "here"), Paths(tmp_path / "trained")
    shutil.copytree(paths.artifacts, here.artifacts)
    trained.table(Runs).parent.mkdir(parents=True)
    shutil.move(here.table(Runs), trained.table(Runs))
    with open_tables(here, trained, SETTINGS) as other:
        rows = other.sql("FROM worst_mistakes").fetchall()
        assert rows and rows == connection.sql("FROM worst_mistakes").fetchall()


@pytest.fixture(scope="module")
def database(paths: Paths) -> Path:
    build_catalog(paths, SETTINGS)
    return paths.database


def test_alarms(paths: Paths, database: Path) -> None:
    """What a macro gives is tested with the macros; here, which pictures it is given, and the mean over seeds."""
    rows = run_query(database, (EXAMPLES / "alarms.sql").read_text(encoding="utf-8"))
    clean = rows.filter(suite="lab", condition="clean")
    assert clean.height == 5 and clean["auroc"].to_list() == sorted(clean["auroc"], reverse=True)
    held_out = scored(paths).filter(~pl.col("image_id").str.starts_with("seen"))
    for row in clean.to_dicts():
        runs = held_out.filter(training_set="biased", condition="clean", detector=row["detector"])
        expected = defaultdict(list)
        for _, run in runs.group_by("run_id"):
            fake = (~run["image_id"].str.starts_with("real")).to_numpy()
            scores = run["score"].to_numpy()
            expected["auroc"].append(roc_auc_score(fake, scores))
            # At most 5 % of 24 reals: one may be called fake.
            second = sorted(scores[~fake])[-2]
            expected["tpr_at_5_percent"].append((scores[fake] > second).mean())
            caught, alarms = (scores[fake] >= 0.5).mean(), (scores[~fake] >= 0.5).mean()
            expected["alarms_right"].append(0.01 * caught / (0.01 * caught + 0.99 * alarms))
        for column, values in expected.items():
            assert row[column] == pytest.approx(sum(values) / len(values), abs=CLOSE), column
