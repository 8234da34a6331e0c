"""`nsnet query`: read-only, within limits, and in formats that hold every type."""

from __future__ import annotations

import json
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest
from typer.testing import CliRunner

from nsnet.cli.main import app
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


SLOW = "SELECT count(DISTINCT a.range::VARCHAR || b.range) FROM range(1000000) a, range(100000) b"


def test_a_statement_is_interrupted(database: Path) -> None:
    started = time.perf_counter()
    with pytest.raises(ValueError, match=r"longer than 0\.3 s; allow more with --timeout"):
        run_query(database, SLOW, timeout=0.3)
    # It would run for hours.
    assert time.perf_counter() - started < 20
    assert run_query(database, "FROM runs", timeout=60)["acc"].to_list() == [0.5]


def test_a_statement_has_so_much_memory(database: Path) -> None:
    with pytest.raises(ValueError, match="more memory than 40MB; allow more with --memory"):
        run_query(database, SLOW, timeout=120, memory="40MB")
    assert list(database.parent.iterdir()) == [database]


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
