"""The whole pipeline on a tiny lab: the same bytes, only what is needed, and nothing half-finished."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from sklearn.metrics import average_precision_score, balanced_accuracy_score, roc_auc_score

from nsnet.evaluation.metrics import METRICS
from tests.conftest import DETECTORS, SEEDS, change, environment, make_project, run, stages_run

REPRODUCIBLE = ("*.parquet", "*.csv", "*.md", "*.svg", "*.safetensors", "*.jpg")
RUNS = 2 * DETECTORS * SEEDS


def digests(project: Path) -> dict[str, str]:
    """sha256 of every artefact that must not depend on where, when or how often it was made."""
    folders = [project / name for name in ("lab", "data", "artifacts", "tables")]
    found = [path for folder in folders for pattern in REPRODUCIBLE for path in folder.rglob(pattern)]
    return {str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(found)}


def test_two_runs_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    again = make_project(tmp_path / "again")
    run(again, "dvc", "repro")
    expected = digests(project)
    assert {Path(name).suffix for name in expected} == {".parquet", ".csv", ".md", ".svg", ".safetensors", ".jpg"}
    assert digests(again) == expected
    assert (again / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()


def test_second_run_rebuilds_only_the_catalogue(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    finished = run(copy, "dvc", "repro")
    assert stages_run(finished.stdout) == ["catalog"]
    assert digests(copy) == digests(project)


def test_commits_that_change_no_code_of_an_output_change_no_output(
    project: Path, copy_of: Callable[[Path], Path]
) -> None:
    """Outputs hold a checksum of what made them, not the commit."""
    copy = copy_of(project)
    with (copy / "flows/nightly_eval.py").open("a") as stream:
        stream.write("# a comment\n")
    with (copy / "nsnet/cli/main.py").open("a") as stream:
        stream.write("# a comment\n")
    assert stages_run(run(copy, "dvc", "repro").stdout) == ["catalog"]
    # Forced to run again, with another revision under it, the tables come out as they were.
    run(copy, "dvc", "repro", "--force", "--single-item", "evaluate")
    assert digests(copy) == digests(project)


def test_a_changed_training_default_touches_neither_lab_nor_corpus_nor_features(
    project: Path, copy_of: Callable[[Path], Path]
) -> None:
    copy = copy_of(project)
    change(copy, "train", **{"defaults.cnn.epochs": 2})
    finished = run(copy, "dvc", "repro", "train")
    assert stages_run(finished.stdout) == ["train"]
    # No setting of the network is in a linear head's identity.
    assert f"train: {2 * SEEDS} runs trained, {RUNS - 2 * SEEDS} already known" in finished.stdout


def test_changes_run_what_depends_on_them_and_nothing_else(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    finished = run(copy, "dvc", "exp", "run", "--set-param", f"train.seeds=[{','.join(map(str, range(SEEDS + 1)))}]")
    assert stages_run(finished.stdout) == ["train", "evaluate", "tables", "catalog"]
    assert f"train: {2 * DETECTORS} runs trained, {RUNS} already known" in finished.stdout
    # One more fake of each simulator: only those are encoded, and no detector is trained again.
    change(copy, "train", seeds=list(range(SEEDS)))
    change(copy, "lab", test_fakes=5)
    finished = run(copy, "dvc", "repro", "train")
    assert stages_run(finished.stdout) == ["lab", "corpus", "captions", "features", "semantics", "train"]
    assert "features: 40 images encoded, 292 already known" in finished.stdout
    assert f"train: 0 runs trained, {RUNS} already known" in finished.stdout


def test_there_and_back_again_computes_nothing(project: Path, copy_of: Callable[[Path], Path]) -> None:
    """A, B, A: outputs are what manifest and params ask for, whatever the history."""
    copy = copy_of(project)
    change(copy, "backbone", lowest=10)
    assert "features: 292 images encoded, 0 already known" in run(copy, "dvc", "repro", "features").stdout
    run(copy, "git", "checkout", "--quiet", "params.yaml")
    (copy / ".dvc/cache/runs").rename(copy / ".dvc/cache/no-runs")  # DVC would bring the outputs back by itself
    finished = run(copy, "dvc", "repro")
    assert "features: 0 images encoded, 292 already known" in finished.stdout
    assert (copy / "dvc.lock").read_bytes() == (project / "dvc.lock").read_bytes()
    assert digests(copy) == digests(project)


def test_a_test_condition_more_is_one_line_and_trains_nothing(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    change(copy, "evaluate", conditions=["clean", "jpeg50"])
    finished = run(copy, "dvc", "repro")
    tested = 16 + 40 * 4
    assert f"features: {tested} images encoded, 292 already known" in finished.stdout
    assert f"train: 0 runs trained, {RUNS} already known" in finished.stdout
    with duckdb.connect(str(copy / "nsnet.duckdb"), read_only=True) as connection:
        conditions = connection.sql(
            "SELECT DISTINCT train_condition, condition FROM leaderboard ORDER BY ALL"
        ).fetchall()
        flips = connection.sql("SELECT condition, n_real, n_fake, count(*) FROM flip_rates GROUP BY ALL").fetchall()
    assert conditions == [("clean", "clean"), ("clean", "jpeg50")]
    assert flips == [("jpeg50", 16, 40 * 4, 2 * DETECTORS)]
    assert (copy / "tables/flip_rates.md").exists() and not (project / "tables/flip_rates.md").exists()


def test_killed_run_leaves_nothing_that_looks_finished(project: Path, tmp_path: Path) -> None:
    """Other stages: tests/test_fault_matrix.py."""
    begun, unfinished = "store/features/*/*/lab/*/part-*.parquet", "artifacts/features/features.parquet"
    killed = make_project(tmp_path / "killed")
    command = ["dvc", "repro", "train"]
    with subprocess.Popen(command, cwd=killed, env=environment(killed), start_new_session=True) as process:
        deadline = time.monotonic() + 180
        while not list(killed.glob(begun)):
            assert process.poll() is None and time.monotonic() < deadline, "the stage ended before it could be killed"
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (killed / unfinished).exists()
    expected = digests(project)
    for name, digest in digests(killed).items():
        finished = Path(name).suffix == ".parquet" and not Path(name).name.startswith(".")
        assert not finished or digest == expected[name], f"{name} looks finished and is not"
    run(killed, "dvc", "repro", "train")
    completed = digests(killed)
    assert completed == {name: expected[name] for name in completed}


def test_a_damaged_part_of_the_store_is_named_and_made_again(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    part = sorted((copy / "store/features").rglob("part-*.parquet"))[3]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    finished = run(copy, "dvc", "repro", "--force", "--single-item", "features")
    assert part.name in finished.stderr
    assert digests(copy) == digests(project)


def test_metrics_from_sql_equal_scikit_learn(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        acc = connection.sql(
            """
            SELECT x.run_id, x.generator, x.value AS stored,
                   (avg((p.score >= 0.5)::INT) FILTER (s.label = 1)
                    + avg((p.score < 0.5)::INT) FILTER (s.label = 0)) / 2
            FROM results x
            JOIN predictions p USING (run_id)
            JOIN samples s ON s.image_id = p.image_id AND s.split = 'test' AND p.split = 'test'
                 AND (s.generator = x.generator OR s.label = 0)
            WHERE x.metric = 'acc' GROUP BY ALL
            """
        ).fetchall()
        run_id = connection.sql("SELECT run_id FROM runs WHERE detector = 'nsnet' ORDER BY 1").fetchall()[0][0]
        for generator in ("copy_move", "nearest_decoder"):
            rows = connection.execute(
                "SELECT s.label, p.score FROM predictions p JOIN samples s USING (image_id)"
                " WHERE p.run_id = ? AND s.split = 'test' AND p.split = 'test' AND (s.generator = ? OR s.label = 0)",
                [run_id, generator],
            ).fetchall()
            labels, scores = [row[0] for row in rows], [row[1] for row in rows]
            weights = [1 / labels.count(label) for label in labels]
            stored = dict(
                connection.execute(
                    "SELECT metric, value FROM results WHERE run_id = ? AND generator = ?", [run_id, generator]
                ).fetchall()
            )
            # All in float64: what is left is the order of sums.
            assert stored["ap"] == pytest.approx(
                average_precision_score(labels, scores, sample_weight=weights), abs=1e-12
            )
            assert stored["plain_ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
            assert stored["auroc"] == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
            assert stored["acc"] == pytest.approx(
                balanced_accuracy_score(labels, [score >= 0.5 for score in scores]), abs=1e-12
            )
    assert len(acc) == 40 * RUNS
    assert all(stored == pytest.approx(value, abs=1e-12) for *_, stored, value in acc)


def test_catalogue_is_complete_and_commented(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        tables = dict(connection.sql("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        columns = connection.sql(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE table_name IN"
            " (SELECT table_name FROM duckdb_tables())"
        ).fetchall()
        views = dict(connection.sql("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
        kinds = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE features)").fetchall())
        patches = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE patches)").fetchall())
        per_picture = connection.sql("SELECT DISTINCT n FROM (SELECT count(*) AS n FROM patches GROUP BY image_id)")
        slots = per_picture.fetchall()
        storage = connection.sql("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert all(tables.values())
    assert [row for row in columns if not row[2]] == []
    assert {"leaderboard", "cross_domain", "generalization_gap", "hardest_generators", "differences"} <= set(
        views
    ) | set(tables)
    assert all(views.values())
    assert kinds["feature"] == patches["feature"] == "FLOAT[128]"
    assert slots == [(49,)]
    assert storage[0][0].startswith("v1.5")  # the released command-line client's


def test_in_domain_never_enters_a_held_out_mean(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        seen = connection.sql("SELECT DISTINCT generator FROM results WHERE in_domain ORDER BY 1").fetchall()
        off = connection.sql(
            """
            SELECT count(*) FROM means m JOIN (
                SELECT r.training_set, r.detector, metric, avg(value) AS again,
                       count(*) / count(DISTINCT run_id) AS n, count(DISTINCT run_id) AS seeds
                FROM results JOIN runs r USING (run_id) WHERE NOT in_domain GROUP BY ALL
            ) USING (training_set, detector, metric)
            WHERE m."group" = 'held-out'
              AND (abs(again - value) > 1e-9 OR n != n_generators OR n != 38 OR seeds != n_seeds)
            """
        ).fetchall()
        compared = connection.sql("SELECT count(*) FROM means WHERE \"group\" = 'held-out'").fetchall()
    assert [row[0] for row in seen] == ["bilinear_decoder", "guided_denoiser"]
    assert off == [(0,)] and compared[0][0] == 2 * DETECTORS * len(METRICS)


def test_an_image_listed_twice_in_a_training_set_counts_once(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        twice = connection.sql(
            "SELECT run_id, image_id FROM predictions GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
        ).fetchall()
    assert twice == []


def test_metrics_and_plots_are_declared(project: Path) -> None:
    assert "nsnet" in run(project, "dvc", "metrics", "show", "--json").stdout
    # In git, so that a fresh clone can compare.
    assert "metrics.json" in run(project, "git", "ls-files").stdout.split()
    shown = run(project, "dvc", "plots", "show", "--json").stdout
    assert "generators_lab_biased.svg" in shown and "spectrum" in shown


def test_faults_end_in_a_line_before_any_work(tmp_path: Path) -> None:
    broken = make_project(tmp_path / "broken")
    change(broken, "train", **{"defaults.linear.lr": "fast"})
    finished = run(broken, "dvc", "repro", check=False)
    assert "Traceback" not in finished.stdout + finished.stderr
    assert "train.detectors.nsnet.lr" in finished.stderr and not (broken / "lab").exists()
