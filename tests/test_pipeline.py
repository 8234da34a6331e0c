"""The whole pipeline on a tiny lab: the same bytes, only what is needed, and nothing half-finished."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
import yaml
from sklearn.metrics import average_precision_score, balanced_accuracy_score

from nsnet.core.paths import Paths
from nsnet.reporting.catalogue import TABLES
from tests.conftest import environment, make_project, run

REPRODUCIBLE = ("*.parquet", "*.csv", "*.md", "*.svg", "*.safetensors", "*.jpg")


def digests(project: Path) -> dict[str, str]:
    """sha256 of every artefact that must not depend on where, when or how often it was made.

    The scan's index is none: it is a cache of this tree's files and their times.
    """
    folders = [project / name for name in ("lab", "data", "artifacts", "tables")]
    found = [path for folder in folders for pattern in REPRODUCIBLE for path in folder.rglob(pattern)]
    files = [path for path in found if path != Paths(project).scan_index]
    return {str(path.relative_to(project)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}


def stages_run(output: str) -> list[str]:
    """Names of the stages that DVC says it ran."""
    return re.findall(r"Running stage '(\w+)'", output)


def change(project: Path, section: str, **values: object) -> None:
    params = yaml.safe_load((project / "params.yaml").read_text())
    params[section] |= values
    (project / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))


def test_two_runs_give_the_same_bytes(project: Path, tmp_path: Path) -> None:
    again = make_project(tmp_path / "again")
    run(again, "dvc", "repro")
    expected = digests(project)
    assert {Path(name).suffix for name in expected} == {".parquet", ".csv", ".md", ".svg", ".safetensors", ".jpg"}
    assert digests(again) == expected


def test_second_run_rebuilds_only_the_catalogue(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    finished = run(copy, "dvc", "repro")
    assert stages_run(finished.stdout) == ["catalog"]
    assert digests(copy) == digests(project)


def test_changes_run_what_depends_on_them_and_nothing_else(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    finished = run(copy, "dvc", "exp", "run", "--set-param", "train.seed=1")
    assert stages_run(finished.stdout) == ["train", "evaluate", "tables", "catalog"]
    change(copy, "train", seed=0)
    change(copy, "evaluate", bootstrap=40)
    assert stages_run(run(copy, "dvc", "repro").stdout) == ["evaluate", "tables", "catalog"]
    # One more fake of each simulator: only those are encoded.
    change(copy, "lab", test_fakes=5)
    finished = run(copy, "dvc", "repro", "features")
    assert stages_run(finished.stdout) == ["lab", "corpus", "features"]
    assert "features: 40 images encoded, 272 already known" in finished.stdout


@pytest.mark.parametrize(
    ("begun", "unfinished"),
    [
        ("lab/test/*/*/*.jpg", "lab/manifest.csv"),
        ("artifacts/features/clean/features-2.parquet", "artifacts/train/runs.parquet"),
    ],
)
def test_killed_run_leaves_nothing_that_looks_finished(
    project: Path, tmp_path: Path, begun: str, unfinished: str
) -> None:
    killed = make_project(tmp_path / "killed")
    command = ["dvc", "repro", "features"]
    with subprocess.Popen(command, cwd=killed, env=environment(killed), start_new_session=True) as process:
        deadline = time.monotonic() + 120
        while not list(killed.glob(begun)):
            assert process.poll() is None and time.monotonic() < deadline, "the stage ended before it could be killed"
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
    assert not (killed / unfinished).exists()
    expected = digests(project)
    for name, digest in digests(killed).items():
        finished = Path(name).suffix == ".parquet" and not Path(name).name.startswith(".")
        assert not finished or digest == expected[name], f"{name} looks finished and is not"
    run(killed, "dvc", "repro", "features")
    completed = digests(killed)
    assert len([name for name in completed if "/features/" in name]) == 2 * 16
    assert completed == {name: expected[name] for name in completed}


def test_accuracy_and_ap_from_sql_equal_scikit_learn(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        acc = connection.sql(
            """
            SELECT x.run_id, x.generator, x.value AS stored,
                   (avg((p.score >= 0.5)::INT) FILTER (s.label = 1)
                    + avg((p.score < 0.5)::INT) FILTER (s.label = 0)) / 2
            FROM results x
            JOIN predictions p USING (run_id)
            JOIN samples s ON s.image_id = p.image_id AND s.split = 'test'
                 AND (s.generator = x.generator OR s.label = 0)
            WHERE x.metric = 'acc' GROUP BY ALL
            """
        ).fetchall()
        run_id = connection.sql("SELECT run_id FROM runs WHERE detector = 'nsnet' ORDER BY 1").fetchall()[0][0]
        for generator in ("copy_move", "nearest_decoder"):
            rows = connection.execute(
                "SELECT s.label, p.score FROM predictions p JOIN samples s USING (image_id)"
                " WHERE p.run_id = ? AND s.split = 'test' AND (s.generator = ? OR s.label = 0)",
                [run_id, generator],
            ).fetchall()
            labels, scores = [row[0] for row in rows], [row[1] for row in rows]
            weights = [1 / labels.count(label) for label in labels]
            stored = dict(
                connection.execute(
                    "SELECT metric, value FROM results WHERE run_id = ? AND generator = ?", [run_id, generator]
                ).fetchall()
            )
            assert stored["ap"] == pytest.approx(
                average_precision_score(labels, scores, sample_weight=weights), abs=1e-6
            )
            assert stored["acc"] == pytest.approx(balanced_accuracy_score(labels, [s >= 0.5 for s in scores]), abs=1e-6)
    assert len(acc) == 40 * 26
    assert all(stored == pytest.approx(value, abs=1e-6) for *_, stored, value in acc)


def test_catalogue_is_complete_and_commented(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        tables = dict(connection.sql("SELECT table_name, comment FROM duckdb_tables()").fetchall())
        columns = connection.sql(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE table_name IN"
            " (SELECT table_name FROM duckdb_tables())"
        ).fetchall()
        views = dict(connection.sql("SELECT view_name, comment FROM duckdb_views() WHERE NOT internal").fetchall())
        kinds = dict(connection.sql("SELECT column_name, column_type FROM (DESCRIBE features)").fetchall())
        storage = connection.sql("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal").fetchall()
    assert set(tables) == set(TABLES) and all(tables.values())
    assert [row for row in columns if not row[2]] == []
    assert set(views) == {"leaderboard", "cross_domain", "generalization_gap", "hardest_generators"}
    assert all(views.values())
    assert kinds["feature"] == "FLOAT[128]"
    assert storage[0][0].startswith("v1.5")  # the released command-line client's


def test_in_domain_never_enters_a_held_out_mean(project: Path) -> None:
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        seen = connection.sql("SELECT DISTINCT generator FROM results WHERE in_domain ORDER BY 1").fetchall()
        off = connection.sql(
            """
            SELECT count(*) FROM means m JOIN (
                SELECT run_id, metric, avg(value) AS again, count(*) AS n FROM results WHERE NOT in_domain GROUP BY ALL
            ) USING (run_id, metric)
            WHERE m."group" = 'held-out' AND (abs(again - value) > 1e-9 OR n != n_generators OR n != 38)
            """
        ).fetchall()
    assert [row[0] for row in seen] == ["bilinear_decoder", "guided_denoiser"]
    assert off == [(0,)]


def test_metrics_and_plots_are_declared(project: Path) -> None:
    assert "lab/clean/biased/nsnet" in run(project, "dvc", "metrics", "show", "--json").stdout
    shown = run(project, "dvc", "plots", "show", "--json").stdout
    assert "generators_lab_biased.svg" in shown and "spectrum.svg" in shown
