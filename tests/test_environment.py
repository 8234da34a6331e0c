"""The record of what computed a number: complete, the same each time, and no part of any table's bytes."""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from pathlib import Path

import duckdb
import torch

from nsnet.core.device import threads
from nsnet.core.environment import PACKAGES, _processor, environment
from nsnet.core.provenance import digest
from nsnet.reporting.environments import COLUMNS, environment_rows
from tests.conftest import ROOT

# By the name that is imported; what has another name on an index.
NAMED = {
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "open_clip": "open_clip_torch",
    "lightning_fabric": "lightning-fabric",
}
# Imported by what computes, and makes no number: checks, files of settings, progress, shapes of arrays.
IDLE = {"jaxtyping", "pandera", "pydantic"}


def test_it_names_this_process() -> None:
    with threads(1):
        record = environment("cpu")
    assert record == json.loads(json.dumps(record)) and record["threads"] == 1
    assert record["packages"]["torch"] == torch.__version__.partition("+")[0] and record["gpu"] is None
    assert set(record) | {"id"} == set(COLUMNS) and record["processor"]


def test_every_package_that_computes_is_recorded() -> None:
    """Whatever features, semantics, detectors, training and evaluation import from elsewhere."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*declared["dependencies"], *(one for extra in declared["optional-dependencies"].values() for one in extra)]
    assert set(PACKAGES) <= {re.split(r"[\[<>= ;]", line)[0] for line in asked}
    used = set()
    for package in ("features", "semantics", "detectors", "training", "evaluation"):
        for file in (ROOT / "nsnet" / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Import):
                    used |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    used.add(node.module.partition(".")[0])
    outside = used - set(sys.stdlib_module_names) - {"nsnet"} - IDLE
    assert used >= IDLE
    assert {NAMED.get(name, name) for name in outside} <= set(PACKAGES)


def test_a_processor_has_a_name(tmp_path: Path) -> None:
    listing = tmp_path / "cpuinfo"
    listing.write_text("processor\t: 0\nmodel name\t: Example 9000\nprocessor\t: 1\nmodel name\t: Example 9000\n")
    assert _processor(listing) == "Example 9000"
    assert _processor(tmp_path / "nothing")


def test_rows_are_the_records_by_name() -> None:
    one = environment("cpu") | {"threads": 1}
    other = one | {"threads": 2}
    rows = environment_rows([one, other, dict(one)])
    assert rows["id"].to_list() == sorted([digest(one), digest(other)])
    assert environment_rows([]).columns == list(COLUMNS)
    back = rows.filter(id=digest(other)).row(0, named=True)
    assert json.loads(back.pop("packages")) == other["packages"] and back["threads"] == 2


def test_every_result_leads_to_an_environment(project: Path) -> None:
    """From results over runs to what trained them, and from the catalogue to what evaluated them."""
    with duckdb.connect(str(project / "nsnet.duckdb"), read_only=True) as connection:
        lost = connection.sql(
            "SELECT count(*) FROM results JOIN runs USING (run_id) LEFT JOIN environments e ON e.id = environment"
            " WHERE e.id IS NULL"
        ).fetchall()
        evaluated = connection.sql(
            "SELECT packages->>'$.torch' FROM build JOIN environments ON id = evaluated_in"
        ).fetchall()
    assert lost == [(0,)] and evaluated == [(torch.__version__.partition("+")[0],)]


def test_no_table_names_it(project: Path) -> None:
    """Tables are the same on every machine whose numbers are; what differs lies in the store and in costs."""
    [runs] = (project / "artifacts").rglob("runs.parquet")
    with duckdb.connect() as connection:
        columns = {row[0] for row in connection.sql(f"DESCRIBE FROM '{runs}'").fetchall()}
    assert "environment" not in columns
    record = environment("cpu")
    texts = [file.read_text() for pattern in ("*.csv", "*.md") for file in (project / "tables").rglob(pattern)]
    assert texts and not [text for text in texts if digest(record) in text or record["processor"] in text]
