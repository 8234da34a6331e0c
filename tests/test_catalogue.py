"""nsnet.duckdb: complete, commented, built whole, with the runs of earlier settings beside the current ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from sklearn.metrics import balanced_accuracy_score

from nsnet.core.contracts import make, table_name
from nsnet.core.environment import environment as recorded
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.provenance import digest
from nsnet.evaluation.contracts import Means, Predictions, Results
from nsnet.evaluation.scores import keep_evaluations
from nsnet.reporting import views as views_module
from nsnet.reporting.catalogue import build_catalog, open_read_only
from nsnet.reporting.columns import EVERYWHERE, described, descriptions
from nsnet.reporting.nights import tables as nights
from nsnet.reporting.published import published
from nsnet.reporting.published.contracts import Published
from nsnet.reporting.views import EXAMPLES, TABLES, Definition, macros, views
from nsnet.training.contracts import Runs
from nsnet.training.runs import RunStore
from tests.conftest import ROOT, environment
from tests.synthetic import SETTINGS, WIDTH, basis, patches, write_project

VIEWS = {
    "nightly_trend",
    *("leaderboard", "cross_domain", "generalization_gap", "hardest_generators", "differences", "families", "controls"),
    *("contrastive", "conditions", "per_generator", "plug_and_play", "bias", "detectors", "generators", "scoreboard"),
    *("ablation", "deployment", "worst_mistakes", "flip_rates", "protocols", "robustness", "versus_published"),
}

ENVIRONMENT = recorded("cpu")


def fill_store(paths: Paths) -> None:
    """A store of runs as training and evaluation leave it."""
    trained = read_table(Runs, paths.table(Runs))

    def save(file: Path) -> str:
        from nsnet.core.provenance import file_sha256

        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"weights")
        return file_sha256(file)

    validation = pl.DataFrame(schema={"image_id": pl.String, "score": pl.Float64})
    for row in trained.to_dicts():
        RunStore(paths.run_store).keep(
            row["run_id"], row | {"seconds": 1.5, "environment": ENVIRONMENT}, save, validation
        )
    kept = [(table_name(kind), read_table(kind, paths.table(kind))) for kind in (Predictions, Results)]
    keep_evaluations(paths.run_store, kept)


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Paths:
    """An evaluated project where seed 2 is no longer asked for: its runs are in the store alone."""
    paths = Paths(tmp_path_factory.mktemp("catalogue"))
    write_project(paths)
    fill_store(paths)
    for kind in (Runs, Predictions, Results):
        rows = read_table(kind, paths.table(kind))
        write_table(kind, rows.filter(~pl.col("run_id").str.ends_with("-2")), paths.table(kind))
    build_catalog(paths, SETTINGS)
    return paths


@pytest.fixture
def catalogue(paths: Paths) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_read_only(paths.database) as connection:
        yield connection


def test_it_is_complete_and_commented(catalogue: duckdb.DuckDBPyConnection) -> None:
    tables = dict(catalogue.sql("SELECT table_name, comment FROM duckdb_tables()").fetchall())
    made = {table_name(kind) for kind in (*TABLES, *nights.TABLES)}
    assert set(tables) == made | {"published", "settings", "environments", "build"}
    assert all(tables.values())
    columns = catalogue.sql(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE comment IS NULL AND NOT internal"
    ).fetchall()
    assert columns == []
    found = dict(catalogue.sql("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
    assert set(found) == VIEWS and all(found.values())
    called = dict(catalogue.sql("SELECT function_name, comment FROM duckdb_functions() WHERE NOT internal").fetchall())
    assert set(called) == set(macros()) and all(called.values())
    for table, column, kind in (
        ("features", "feature", f"FLOAT[{WIDTH}]"),
        ("patches", "feature", f"FLOAT[{WIDTH}]"),
        ("semantic_basis", "vector", f"DOUBLE[{WIDTH}]"),
    ):
        assert (
            dict(catalogue.sql(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall())[column] == kind
        )
    storage = catalogue.sql("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert storage[0][0].startswith("v1.5")  # the released command-line client's


def test_the_build_and_the_settings_are_told(catalogue: duckdb.DuckDBPyConnection) -> None:
    build = catalogue.sql("FROM build").pl().row(0, named=True)
    assert build["revision"] == "unknown" and build["duckdb"] == duckdb.__version__ and build["nsnet"]
    assert catalogue.sql("SELECT value FROM settings WHERE key = 'baseline'").fetchall() == [("univfd",)]


def test_published_figures_are_in_it_and_none_is_beside_the_labs(catalogue: duckdb.DuckDBPyConnection) -> None:
    assert make(Published, catalogue.sql("FROM published").pl().to_dicts()).equals(published())
    assert catalogue.sql("SELECT count(*) FROM versus_published").fetchall() == [(0,)]


def test_other_seeds_stay_and_views_look_at_current(catalogue: duckdb.DuckDBPyConnection, paths: Paths) -> None:
    by_seed = 'SELECT seed, "current", count(*), max(seconds) FROM runs GROUP BY ALL ORDER BY ALL'
    counted = catalogue.sql(by_seed).fetchall()
    assert counted == [(0, True, 10, 1.5), (1, True, 10, 1.5), (2, False, 8, 1.5)]
    trained_in = 'SELECT DISTINCT "current", environment, python FROM runs JOIN environments ON id = environment'
    known = (digest(ENVIRONMENT), ENVIRONMENT["python"])
    assert set(catalogue.sql(trained_in).fetchall()) == {(current, *known) for current in (True, False)}
    assert catalogue.sql("SELECT evaluated_in FROM build").fetchall() == [(None,)]  # no stage ran here
    for name in ("predictions", "results"):
        seeds = catalogue.sql(
            f'SELECT DISTINCT r.seed, x."current" FROM {name} x JOIN runs r USING (run_id) ORDER BY ALL'
        ).fetchall()
        assert seeds == [(0, True), (1, True), (2, False)]
    kept = pl.read_parquet(paths.run_store / "biased-nsnet-2" / "results.parquet").height
    assert catalogue.sql("SELECT count(*) FROM results WHERE run_id = 'biased-nsnet-2'").fetchall() == [(kept,)]
    assert catalogue.sql("SELECT DISTINCT seeds FROM detectors").fetchall() == [([0, 1],)]
    assert catalogue.sql("SELECT DISTINCT n_seeds FROM worst_mistakes").fetchall() == [(2,)]


def test_damaged_and_older_runs_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    fill_store(paths)
    write_table(Runs, read_table(Runs, paths.table(Runs)).filter(seed=0), paths.table(Runs))
    (paths.run_store / "biased-nsnet-1" / "detector.safetensors").write_bytes(b"other")
    facts = paths.run_store / "biased-nsnet-2" / "run.json"
    facts.write_text(json.dumps({key: value for key, value in json.loads(facts.read_text()).items() if key != "kind"}))
    build_catalog(paths, SETTINGS)
    with open_read_only(paths.database) as connection:
        kept = {row[0] for row in connection.sql("SELECT run_id FROM runs WHERE NOT current").fetchall()}
    assert "biased-nsnet-1" not in kept and "biased-nsnet-2" not in kept and "biased-univfd-1" in kept
    assert "run biased-nsnet-1 is left out" in capsys.readouterr().err


def test_a_killed_build_leaves_no_log_that_the_next_would_meet(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    (tmp_path / "nsnet.duckdb.wal").write_bytes(b"stale")
    build_catalog(paths, SETTINGS)
    assert not (tmp_path / "nsnet.duckdb.wal").exists()
    paths.table(Means).unlink()
    before = paths.database.read_bytes()
    with pytest.raises(FileNotFoundError, match="no Parquet for means"):
        build_catalog(paths, SETTINGS)
    assert paths.database.read_bytes() == before


def test_every_description_is_of_a_column(catalogue: duckdb.DuckDBPyConnection) -> None:
    found = catalogue.sql(
        "SELECT table_name, column_name, comment FROM duckdb_columns()"
        " WHERE table_name IN (SELECT view_name FROM duckdb_views() WHERE NOT internal)"
    ).fetchall()
    said = {(view, column): comment for view, column, comment in found}
    for view, columns in descriptions().items():
        unused = set(columns) - {column for place, column in said if view in (EVERYWHERE, place)}
        assert unused == set(), view
    assert said["worst_mistakes", "rank"] != said["leaderboard", "acc"]
    assert said["leaderboard", "acc_difference_population_low"].startswith("lower end of the 95 % interval of acc_diff")
    with pytest.raises(KeyError, match="column nothing of view leaderboard is described nowhere"):
        described("leaderboard", "nothing")


def test_a_view_is_a_file_with_a_comment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(views()) == VIEWS
    monkeypatch.setattr(views_module, "FOLDER", tmp_path)
    (tmp_path / "a.sql").write_text("-- Reads another\nSELECT * FROM b\n")
    (tmp_path / "b.sql").write_text("-- One row\nSELECT 1 AS x\n")
    assert list(views.__wrapped__().items()) == [
        ("b", Definition("One row", "SELECT 1 AS x\n")),
        ("a", Definition("Reads another", "SELECT * FROM b\n")),
    ]
    (tmp_path / "b.sql").write_text("SELECT 1 AS x\n")
    with pytest.raises(ValueError, match="first line is its comment"):
        views.__wrapped__()


def test_every_process_has_one_order_of_views_and_macros() -> None:
    orders = set()
    for seed in ("1", "2", "3"):
        script = "from nsnet.reporting.views import macros, views; print(*views(), *macros())"
        command, settings = [sys.executable, "-c", script], {**environment(ROOT), "PYTHONHASHSEED": seed}
        orders.add(subprocess.run(command, env=settings, check=True, capture_output=True, text=True).stdout)
    assert orders == {" ".join([*views(), *macros()]) + "\n"}


def test_thresholds_can_be_chosen_in_sql(catalogue: duckdb.DuckDBPyConnection) -> None:
    rows = catalogue.sql((EXAMPLES / "thresholds.sql").read_text()).pl()
    assert rows.height == 20 * 2
    scores = catalogue.sql(
        "SELECT DISTINCT p.image_id, s.label, p.score FROM predictions p JOIN samples s USING (image_id, split)"
        " WHERE p.run_id = 'biased-nsnet-0' AND split = 'validation'"
    ).pl()
    labels, values = scores["label"].to_numpy(), scores["score"].to_numpy()
    best = max(balanced_accuracy_score(labels, values >= threshold) for threshold in values)
    row = rows.filter(run_id="biased-nsnet-0", condition="clean").row(0, named=True)
    assert row["validation_acc"] == pytest.approx(best, abs=1e-12)
    assert balanced_accuracy_score(labels, values >= row["threshold"]) == pytest.approx(best, abs=1e-12)
    tested = catalogue.sql(
        "SELECT DISTINCT p.image_id, p.score FROM predictions p JOIN samples s USING (image_id, split)"
        " WHERE p.run_id = 'biased-nsnet-0' AND p.condition = 'clean' AND split = 'test' AND s.label = 1"
    ).pl()["score"]
    assert row["f_acc"] == pytest.approx((tested >= row["threshold"]).mean(), abs=1e-12)


def test_accuracy_in_sql_equals_the_results(catalogue: duckdb.DuckDBPyConnection) -> None:
    off = catalogue.sql(
        """
        SELECT count(*), max(abs(value - again)) FROM (
            SELECT x.value, (avg((p.score >= 0.5)::INT) FILTER (s.label = 1)
                             + avg((p.score < 0.5)::INT) FILTER (s.label = 0)) / 2 AS again
            FROM results x
            JOIN predictions p USING (run_id, condition)
            JOIN samples s ON s.image_id = p.image_id AND s.split = 'test'
                 AND (s.generator = x.generator OR s.label = 0)
            WHERE x.metric = 'acc' AND p.split = 'test' GROUP BY x.run_id, x.generator, x.condition, x.value)
        """
    ).fetchall()[0]
    assert off[0] == 28 * 2 * 5 and off[1] < 1e-12


def test_nearest_patches_in_the_null_space() -> None:
    """The example of the README against numpy, on as many patches as the lab has: 8,500 pictures of 49."""
    rows, directions = patches(8500), basis()
    features = rows["feature"].to_numpy()
    removed = np.array(directions.filter("retained", training_set="biased")["vector"].to_list())
    apart = (features - features[0]).astype(np.float64)
    apart -= apart @ removed.T @ removed
    distances = np.linalg.norm(apart, axis=1)
    with duckdb.connect() as connection:
        connection.register("rows", rows.to_arrow())
        connection.register("directions", directions.to_arrow())
        connection.execute("CREATE TABLE patches AS FROM rows")
        connection.execute(
            f"CREATE TABLE semantic_basis AS SELECT * REPLACE (vector::DOUBLE[{WIDTH}] AS vector) FROM directions"
        )
        example = (EXAMPLES / "nearest_patches.sql").read_text()
        found = connection.sql(example).fetchall()
        [(_, profile)] = connection.sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {example}").fetchall()
    order = np.argsort(distances, kind="stable")[:6]
    assert [(row[0], row[1]) for row in found] == [(f"real{place // 49:02}", place % 49) for place in order]
    # float32 products of 128 terms of size 1, and four digits shown.
    assert [row[-1] for row in found] == pytest.approx(distances[order], abs=2e-3)
    # Each patch meets each direction once; every two patches would be thirty thousand times as many rows.
    handled = sum(map(int, re.findall(r'"intermediate_rows": (\d+)', profile)))
    met = rows.height * len(removed)
    assert met <= handled < 4 * met
