"""`nsnet query`: read-only, within limits, and in formats that hold every type."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import namedtuple
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import psutil
import pytest
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.reporting.catalogue import open_read_only
from nsnet.reporting.queries import as_text, run_query, write_rows

NESTED = (
    "SELECT [1, 2] AS list, {'a': 1, 'b': 'x,y'} AS struct, MAP {'k': 1.5} AS map, INTERVAL 3 MONTH AS interval,"
    " '\\xAA\\x01'::BLOB AS blob, [INTERVAL 1 DAY] AS inner_interval, DATE '2026-01-02' AS day, NULL AS nothing,"
    ' [1.5, 2]::FLOAT[2] AS array, 1 AS "odd ""name"""'
)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "nsnet.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE runs AS SELECT 'nsnet' AS detector, 0.5 AS acc")
    return path


def test_every_type_is_csv(database: Path) -> None:
    text = as_text(run_query(database, NESTED, "csv"), "csv")
    header, values = text.splitlines()
    assert header == 'list,struct,map,interval,blob,inner_interval,day,nothing,array,"odd ""name"""'
    expected = '"[1,2]","{""a"":1,""b"":""x,y""}","{""k"":1.5}",3 months,aa01,"[""1 day""]",2026-01-02,,"[1.5,2.0]",1'
    assert values == expected


def test_every_type_is_json(database: Path) -> None:
    row = json.loads(as_text(run_query(database, NESTED, "json"), "json"))[0]
    assert row["list"] == [1, 2] and row["struct"] == {"a": 1, "b": "x,y"} and row["blob"] == "aa01"
    assert row["interval"] == "3 months" and row["inner_interval"] == '["1 day"]' and row["day"] == "2026-01-02"


def test_every_type_is_markdown_and_a_table(database: Path) -> None:
    assert '| [1,2] | {"a":1,"b":"x,y"} |' in as_text(run_query(database, NESTED, "markdown"), "markdown")
    assert run_query(database, NESTED)["blob"].to_list() == ["aa01"]


def test_parquet_keeps_types(database: Path, tmp_path: Path) -> None:
    frame = run_query(database, "SELECT [1, 2] AS list, 'ab'::BLOB AS blob", "parquet")
    write_rows(frame, "parquet", tmp_path / "rows.parquet")
    assert pl.read_parquet(tmp_path / "rows.parquet").rows() == [([1, 2], b"ab")]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP TABLE runs", "read-only"),
        ("SELECT acc FROM run", "runs"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
        ("COPY runs TO '/tmp/runs.csv'", "disabled"),
        ("SET memory_limit = '99GB'", "locked"),
        ("SELECT 1; SELECT 2", "one statement, got 2"),
        ("", "one statement, got 0"),
    ],
)
def test_it_only_reads_the_catalogue(database: Path, sql: str, message: str) -> None:
    with pytest.raises((ValueError, duckdb.Error), match=message):
        run_query(database, sql)


HELD = "SELECT len(list(a.range)) FROM range(1000000) a, range(100000) b"
SLOW = "SELECT count(DISTINCT a.range::VARCHAR || b.range) FROM range(1000000) a, range(100000) b"


def test_a_statement_is_interrupted(database: Path) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"longer than 0\.3 s; allow more with --timeout"):
        run_query(database, SLOW, timeout=0.3)
    # It would run for hours.
    assert time.perf_counter() - started < 20
    assert run_query(database, "FROM runs", timeout=60)["acc"].to_list() == [0.5]


def test_a_cross_join_that_is_too_large_ends_with_a_clear_error(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both where DuckDB has to hold what it counts, and where it hands out rows without end."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    usage = namedtuple("usage", ("total", "used", "free"))
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(0, 0, 20_000_000))
    with pytest.raises(ValueError, match="more memory than 40MB and half of the free disk; allow more with --memory"):
        run_query(database, HELD, timeout=120, memory="40MB")
    with pytest.raises(ValueError, match="the rows need more memory than 40MB: ask for fewer"):
        run_query(database, "FROM range(1000000) a, range(100000) b", timeout=120, memory="40MB")
    assert list(database.parent.iterdir()) == [database] and list(tmp_path.iterdir()) == []


def test_what_memory_does_not_hold_spills_to_a_folder_of_its_own(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    most = []

    def watch(*given: Any) -> duckdb.DuckDBPyConnection:
        most.append(given[2])
        return open_read_only(*given)

    monkeypatch.setattr("nsnet.reporting.queries.open_read_only", watch)
    # Sorting 3 million strings of 40 bytes takes more than the 60 MB that it may hold.
    sql = "SELECT count(*) AS n FROM (SELECT md5(range::VARCHAR) || range AS s FROM range(3000000) ORDER BY s OFFSET 1)"
    assert run_query(database, sql, timeout=120, memory="60MB")["n"].to_list() == [2_999_999]
    with open_read_only(database, "60MB") as connection, pytest.raises(duckdb.OutOfMemoryException):
        connection.sql(sql).fetchall()
    assert most[0].parent == tmp_path and not most[0].exists() and list(tmp_path.iterdir()) == []


def test_by_default_a_statement_may_hold_half_of_the_machine(database: Path) -> None:
    [held] = run_query(database, "SELECT current_setting('memory_limit') AS held")["held"].to_list()
    value, unit = held.split()
    factor = {"MiB": 2**20, "GiB": 2**30, "TiB": 2**40}[unit]
    # DuckDB prints one digit behind the point.
    assert float(value) * factor == pytest.approx(psutil.virtual_memory().total / 2, rel=0.06)


def test_the_command_takes_limits(database: Path) -> None:
    words = ["query", SLOW, "--database", str(database), "--timeout", "0.2", "--memory", "1GB"]
    finished = CliRunner().invoke(app, words)
    assert finished.exit_code == 1 and "allow more with --timeout" in finished.output
    bad = CliRunner().invoke(app, ["query", "FROM runs", "--database", str(database), "--memory", "much"])
    assert bad.exit_code == 1 and "error:" in bad.output
    shown = CliRunner().invoke(app, ["query", "FROM runs", "--database", str(database), "--format", "csv"])
    assert shown.output == "detector,acc\nnsnet,0.5\n"


def test_the_version() -> None:
    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0 and shown.output.startswith("nsnet ")
