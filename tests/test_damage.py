"""What held under attack, kept so: flipped bits in caches and in the catalogue, hostile names."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import numpy as np
import polars as pl
import pytest

from nsnet.core.paths import Paths
from nsnet.reporting.catalogue import build_catalog
from nsnet.reporting.queries import run_query
from nsnet.reporting.views import TABLES
from nsnet.reporting.writing import write_tables
from tests.conftest import run
from tests.synthetic import SETTINGS, write_project

HOSTILE = (
    "'; DROP TABLE runs; --",
    '" OR 1=1 --',
    "$$;COPY runs TO 'x'",
    "../../x",
    "a|b",
    "=1+1",
    "\x1b[31m",
    "<script>alert(1)</script>",
    "{{7*7}}",
    "$x_{",
)


def flip(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    path.chmod(0o644)  # DVC's objects are read-only
    path.write_bytes(content)


def test_flipped_cache_objects_and_deleted_folders_are_made_again(
    project: Path, copy_of: Callable[[Path], Path], rng: np.random.Generator
) -> None:
    copy = copy_of(project)
    objects = sorted(path for path in (copy / ".dvc/cache/files/md5").rglob("*") if path.is_file())
    for number in rng.choice(len(objects), 20, replace=False):
        flip(objects[number], rng)
    for name in ("data", "lab", "artifacts"):
        shutil.rmtree(copy / name)
    run(copy, "nsnet", "mend")  # as `make repro` and the night do first
    run(copy, "dvc", "repro")
    assert run(copy, "git", "status", "--porcelain").stdout == ""
    for name in ("artifacts", "data", "lab"):
        files = sorted(path.relative_to(project) for path in (project / name).rglob("*") if path.is_file())
        costs = [file for file in files if file.parts[:2] == ("artifacts", "costs")]
        for file in set(files) - set(costs):
            assert (copy / file).read_bytes() == (project / file).read_bytes(), file


def test_every_flipped_bit_of_the_catalogue_is_seen_or_harmless(tmp_path: Path, rng: np.random.Generator) -> None:
    paths = Paths(tmp_path)
    write_project(paths)
    build_catalog(paths, SETTINGS)
    whole = paths.database.read_bytes()
    names = ["predictions", "results", "means", "semantic_basis", "runs", "leaderboard"]
    expected = {name: run_query(paths.database, f"FROM {name}") for name in names}
    seen = 0
    for place in rng.choice(len(whole), 60, replace=False):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        paths.database.write_bytes(damaged)
        try:
            for name in names:
                assert run_query(paths.database, f"FROM {name}").equals(expected[name]), f"byte {place} changed {name}"
        except duckdb.Error:
            seen += 1
    assert seen > 20  # the others lie in free blocks and in tables that were not asked for


@pytest.mark.parametrize("name", HOSTILE)
def test_names_do_nothing_to_sql_tables_or_plots(tmp_path: Path, name: str) -> None:
    paths = Paths(tmp_path / "project")
    write_project(paths)
    for kind in TABLES:
        rows = pl.read_parquet(paths.table(kind))
        others = {"ring": name, "lab": name, "generator:lab/ring": f"generator:{name}/{name}"}
        others |= {f"generator:lab/{kept}": f"generator:{name}/{kept}" for kept in ("seen", "blur", "grid", "noise")}
        renamed = rows.with_columns(pl.col(pl.String).replace(others))
        renamed.write_parquet(paths.table(kind))
    build_catalog(paths, SETTINGS)
    listed = run_query(paths.database, "SELECT DISTINCT generator, suite FROM per_generator")
    assert name in listed["generator"].to_list() and listed["suite"].unique().to_list() == [name]
    assert run_query(paths.database, "SELECT count(*) AS n FROM runs")["n"][0] > 0
    write_tables(paths, paths, SETTINGS, 0.75)
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or file.is_relative_to(paths.root)
    for file in (paths.tables / "plots").iterdir():
        ElementTree.parse(file)
    for file in paths.tables.glob("*.md"):
        table = [line for line in file.read_text().splitlines() if line.startswith("|")]
        assert len({line.replace("\\|", "").count("|") for line in table}) <= 1, file
        assert "\x1b" not in file.read_text()
