"""The command line, and the commands and tables that README and the pages show."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.core.console import print_table
from nsnet.core.printing import markdown_table
from nsnet.reporting.views import EXAMPLES
from tests.conftest import ROOT, run

SHOWN = r"^\$ (nsnet query .+?)\n(.*?)^```"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
QUERIES = [
    (command, shown, f"{page.stem}-{number}")
    for page in PAGES
    for number, (command, shown) in enumerate(re.findall(SHOWN, page.read_text(), flags=re.MULTILINE | re.DOTALL))
]


def test_readme_shows_three_queries_and_the_pages_more() -> None:
    assert [name for _, _, name in QUERIES if name.startswith("README")] == ["README-0", "README-1", "README-2"]
    assert len([name for _, _, name in QUERIES if name.startswith("queries")]) >= 2


def test_readme_is_what_a_newcomer_needs() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


@pytest.mark.parametrize(("command", "shown"), [each[:2] for each in QUERIES], ids=[each[2] for each in QUERIES])
def test_queries_of_the_pages_run_and_give_the_columns_shown(project: Path, command: str, shown: str) -> None:
    finished = run(project, "bash", "-c", command)
    header = next(line for line in finished.stdout.splitlines() if line.startswith("|"))
    assert header == shown.splitlines()[0]
    assert len(finished.stdout.splitlines()) > 2


def test_tree_names_what_there_is() -> None:
    tree = re.search(r"```text\n(nsnet/.*?)```", (ROOT / "docs/structure.md").read_text(), flags=re.DOTALL)
    assert tree is not None
    names = [name for line in tree.group(1).splitlines() for name in line.split("  ")[0].split()]
    assert [name for name in names if not (ROOT / name).exists()] == []
    packages = {path.parent.relative_to(ROOT).as_posix() + "/" for path in (ROOT / "nsnet").glob("*/__init__.py")}
    assert packages <= set(names), packages - set(names)


def test_make_help_explains_itself() -> None:
    shown = run(ROOT, "make", "help").stdout
    assert all(f"make {target}" in shown for target in ("env", "repro", "test", "docs", "serve", "stop"))


def test_query_formats(project: Path, tmp_path: Path) -> None:
    sql = "SELECT detector, acc FROM leaderboard ORDER BY training_set, detector LIMIT 2"
    outputs = {
        kind: run(project, "nsnet", "query", sql, "--format", kind).stdout for kind in ("csv", "json", "markdown")
    }
    rows = json.loads(outputs["json"])
    assert [row["detector"] for row in rows] == ["cnn-control", "nsnet"]
    assert outputs["csv"].splitlines()[0] == "detector,acc"
    assert outputs["markdown"].startswith("| detector | acc |\n| --- | ---: |\n| cnn-control |")
    target = tmp_path / "rows.parquet"
    run(project, "nsnet", "query", sql, "--format", "parquet", "--output", str(target))
    assert pl.read_parquet(target)["detector"].to_list() == ["cnn-control", "nsnet"]
    assert "cnn-control" in run(project, "nsnet", "query", sql).stdout


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("DROP TABLE runs", "read-only"),
        ("SELECT acc FROM leaderbord", "leaderboard"),
        ("SELECT * FROM read_csv('/etc/passwd')", "disabled"),
    ],
)
def test_query_only_reads_the_catalogue(project: Path, sql: str, message: str) -> None:
    finished = run(project, "nsnet", "query", sql, check=False)
    assert finished.returncode == 1 and "Traceback" not in finished.stderr
    assert message in finished.stderr


@pytest.mark.parametrize("example", sorted(EXAMPLES.glob("*.sql")), ids=lambda file: file.stem)
def test_every_example_answers_within_the_limits(project: Path, example: Path) -> None:
    answer = run(project, "nsnet", "query", example.read_text(encoding="utf-8"), "--format", "json").stdout
    assert json.loads(answer)


def test_nearest_pictures_are_numpys(project: Path) -> None:
    sql = (EXAMPLES / "nearest_pictures.sql").read_text(encoding="utf-8")
    rows = json.loads(run(project, "nsnet", "query", sql, "--format", "json").stdout)
    tables = {
        name: pl.read_parquet(project / f"artifacts/{name}.parquet") for name in ("corpus/images", "corpus/samples")
    }
    tested = tables["corpus/samples"].filter(split="test").unique("image_id")
    files = tables["corpus/images"].filter(status="used").join(tested, on="image_id").sort("path")
    features = pl.read_parquet(project / "artifacts/features/features.parquet").filter(
        condition="clean", view="crop", draw=0
    )
    shown = files.join(features, on="image_id", maintain_order="left")
    unit = shown["feature"].to_numpy().astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    apart = 1 - unit @ unit[0]
    order = np.lexsort((np.arange(len(apart)), apart.round(4)))[:6]
    assert rows[0]["path"] == shown["path"][0] and len(rows) == 6
    # float32 products of 128 terms, and four digits shown.
    assert [row["distance"] for row in rows] == pytest.approx(sorted(apart)[:6], abs=2e-4)
    assert {row["path"] for row in rows[:3]} <= {shown["path"][int(place)] for place in order}


def test_the_pages_python_reads_the_catalogue(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    [block] = re.findall(r"```python\n(.*?)```", (ROOT / "docs/queries.md").read_text(encoding="utf-8"), flags=re.S)
    monkeypatch.chdir(project)
    names: dict[str, Any] = {}
    exec(block, names)
    assert names["frame"].columns == ["detector", "acc"] and not names["frame"].is_empty()
    assert names["table"].to_dict("list") == names["frame"].to_dict(as_series=False)


def test_parquet_needs_a_file(project: Path) -> None:
    finished = run(project, "nsnet", "query", "FROM runs", "--format", "parquet", check=False)
    assert finished.returncode == 2 and "--output" in finished.stderr


def test_missing_catalogue_says_what_to_do(tmp_path: Path) -> None:
    finished = run(tmp_path, "nsnet", "query", "FROM runs", check=False)
    assert finished.returncode == 1 and "dvc repro" in finished.stderr


def test_leaderboard_names_its_world(project: Path) -> None:
    shown = run(project, "nsnet", "leaderboard").stdout
    assert shown.startswith("LAB: simulated generators") and "univfd" in shown and "tables/" in shown


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command, such as ("lab", "leakage")."""
    if not hasattr(command, "commands"):
        yield words
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


@pytest.mark.parametrize("command", list(commands(typer.main.get_command(app))), ids=" ".join)
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"])
    assert shown.exit_code == 0
    _, found, example = shown.output.partition("Example")
    assert found and f"nsnet {' '.join(command)}" in example


@pytest.mark.parametrize("command", ["lab leakage", "lab zero-shot --count 5", "lab calibrate --only copymove"])
def test_mistakes_end_in_a_line_and_no_traceback(tmp_path: Path, command: str) -> None:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    finished = run(tmp_path, "nsnet", *command.split(), check=False)
    assert finished.returncode == 1 and finished.stderr.startswith("error: "), finished.stderr


def test_names_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    """Brackets are no markup on the terminal, and bars no columns in Markdown."""
    print_table(["name"], [["SDXL [turbo]"], ["x[/foo]"]])
    shown = capsys.readouterr().out
    assert "SDXL [turbo]" in shown and "x[/foo]" in shown
    assert markdown_table(pl.DataFrame({"name": ["a|b\nc"]})).splitlines()[-1] == "| a\\|b c |"


def test_unknown_stages_get_near_names() -> None:
    finished = run(ROOT, "python", "-m", "nsnet.stages", "featurs", check=False)
    assert finished.returncode == 1 and "did you mean features" in finished.stderr


def test_leakage_probes_content_and_label(project: Path) -> None:
    shown = run(project, "nsnet", "lab", "leakage", "--view", "crop", "--rank", "0", "--rank", "120").stdout
    header, _, whole, emptied = shown.splitlines()
    assert header == "| view | directions removed | content | fake | fake, biased |"
    content = [float(line.split("|")[3]) for line in (whole, emptied)]
    assert content[0] > content[1]  # eight directions of 128 hold less content than all


def test_every_command_that_the_pages_name_is_there() -> None:
    known = {" ".join(words) for words in commands(typer.main.get_command(app))}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = 0
    for page in PAGES:
        for block in re.findall(r"```console\n(.*?)```", page.read_text(), flags=re.DOTALL):
            for words in re.findall(r"(?:^\$ |&& )nsnet ([a-z-]+(?: [a-z-]+)?)", block, flags=re.MULTILINE):
                named += 1
                assert words in known or words.split()[0] in known, (page.name, words)
            for target in re.findall(r"^\$ make ([a-z-]+)", block, flags=re.MULTILINE):
                assert target in targets, (page.name, target)
    assert named > 30
