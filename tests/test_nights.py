"""Nights from the first to a rollback, without Prefect and DVC: judged, appended, published, and nothing lost."""

from __future__ import annotations

import datetime
import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.core import files
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.evaluation.contracts import Predictions, Results
from nsnet.nightly.findings import BLOCKS, Finding
from nsnet.nightly.night import Night, Recorded, judge, record
from nsnet.nightly.publishing import decide_for, publish
from nsnet.nightly.records import accepted, add_night
from nsnet.nightly.versions import faults_of, keep_version, version_folder
from nsnet.reporting.nights.contracts import NightFindings, Nights
from nsnet.reporting.nights.tables import PARTS, read_nights
from nsnet.reporting.queries import run_query
from tests.conftest import ROOT
from tests.synthetic import SETTINGS, write_project

LATE = datetime.datetime(2099, 1, 1)
TREND = "SELECT night, outcome, findings, acc_change, worse_generators FROM nightly_trend"
ONE = f"{TREND} WHERE training_set = 'biased' AND detector = 'nsnet' AND condition = 'clean' ORDER BY night"


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A project whose pipeline has run."""
    values = yaml.safe_load((ROOT / "params.yaml").read_text()) | {"evaluate": SETTINGS.model_dump()}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(values))
    for name in ("data.dvc", "dvc.yaml"):
        (tmp_path / name).write_text("outs: []\n")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "leaderboard.md").write_text("first\n")
    write_project(Paths(tmp_path))
    return Paths(tmp_path)


def night(paths: Paths, *findings: Finding, seconds: float = 1.0, started: datetime.datetime = LATE) -> Recorded:
    """A night whose pipeline came to its end, unless it found something that blocks before."""
    costs = [{"stage": "train", "seconds": seconds, "peak_memory_mb": 100.0}]
    reproduced = not any(one.blocks for one in findings)
    this = Night(started, list(findings), costs if reproduced else [], reproduced=reproduced)
    judge(paths, this)
    return record(paths, this)


def worsen(paths: Paths) -> None:
    """nsnet on biased takes every blur for real from now on; and tables/ says so."""
    scores = read_table(Predictions, paths.table(Predictions))
    there = pl.col("run_id").str.starts_with("biased-nsnet-") & pl.col("image_id").str.starts_with("blur")
    there &= ~pl.col("run_id").str.contains("without|plain")
    worse = scores.with_columns(pl.when(there).then(0.0).otherwise(pl.col("score")).alias("score"))
    write_table(Predictions, worse, paths.table(Predictions))
    with files.atomic_path(paths.tables / "leaderboard.md") as temporary:
        temporary.write_text("second\n")


def ask(paths: Paths, sql: str) -> list[tuple[object, ...]]:
    return run_query(paths.nights / "nsnet.duckdb", sql).rows()


def names(paths: Paths, number: int) -> list[str]:
    return read_nights(NightFindings, paths.nights).filter(night=number)["finding"].to_list()


def test_quiet_nights_share_a_version_and_the_trend_says_nothing_moved(paths: Paths) -> None:
    first, second = night(paths), night(paths)
    assert (first.night, second.night) == (1, 2)
    assert first.published and second.published and first.published.version == second.published.version
    assert ask(paths, ONE) == [(1, "accepted", "", None, 0), (2, "accepted", "", 0.0, 0)]
    linked = version_folder(paths, first.published.version) / "artifacts/evaluate/predictions.parquet"
    assert linked.stat().st_ino == paths.table(Predictions).stat().st_ino  # costs no room


def test_a_regression_is_refused_and_published_tables_stay_until_a_person_accepts(paths: Paths) -> None:
    night(paths)
    catalogue = paths.nights / "nsnet.duckdb"
    was = ask(paths, "SELECT image_id, score FROM predictions ORDER BY ALL")
    worsen(paths)
    second = night(paths)
    assert second.published and second.published.night == 1
    [[finding, blocks, subject, detail]] = (
        read_nights(NightFindings, paths.nights).select("finding", "blocks", "subject", "detail").rows()[:1]
    )
    assert (finding, blocks, subject) == ("regression", True, "biased/clean/clean/nsnet") and "lab/blur -0." in detail
    assert ask(paths, "SELECT image_id, score FROM predictions ORDER BY ALL") == was
    [_, (number, outcome, findings, change, worse)] = ask(paths, ONE)
    assert (number, outcome, worse) == (2, "refused", 1) and "regression" in str(findings)
    assert isinstance(change, float) and change < 0
    # The night after is compared with the accepted one again, not with the refused one.
    assert "regression" in names(paths, night(paths).night)

    decide_for(paths, 2, "accepted", "a person", "we know")
    assert ask(paths, "SELECT image_id, score FROM predictions ORDER BY ALL") != was
    assert night(paths).published.night == 4 and names(paths, 4) == []  # type: ignore[union-attr]
    decide_for(paths, 1, "rolled back", "a person", "we did not")
    assert ask(paths, "SELECT image_id, score FROM predictions ORDER BY ALL") == was
    assert (version_folder(paths, accepted(paths.nights).version) / "tables/leaderboard.md").read_text() == "first\n"  # type: ignore[union-attr]
    decisions = ask(paths, 'SELECT night, action, "by", why FROM night_decisions ORDER BY decision')
    assert decisions[1:] == [
        (2, "accepted", "a person", "we know"),
        (4, "accepted", "the night", "nothing found that blocks"),
        (1, "rolled back", "a person", "we did not"),
    ]
    assert catalogue.exists()


def test_a_generator_that_is_gone_blocks_and_a_new_one_does_not(paths: Paths) -> None:
    whole = {kind: read_table(kind, paths.table(kind)) for kind in (Results, Predictions)}
    without = {
        Results: whole[Results].filter(pl.col("generator") != "ring"),
        Predictions: whole[Predictions].filter(~pl.col("image_id").str.starts_with("ring")),
    }
    for kind, rows in without.items():
        write_table(kind, rows, paths.table(kind))
    night(paths)
    for kind, rows in whole.items():
        write_table(kind, rows, paths.table(kind))
    assert names(paths, night(paths).night) == ["new-generator"]
    for kind, rows in without.items():
        write_table(kind, rows, paths.table(kind))
    third = night(paths)
    assert names(paths, third.night) == ["missing-generator"]
    assert third.published and third.published.night == 2


def test_a_stage_twice_as_slow_as_its_median_is_told_once_there_is_one(paths: Paths) -> None:
    for seconds in (1.0, 9.0, 1.2):
        assert "slow-stage" not in names(paths, night(paths, seconds=seconds).night)
    assert names(paths, night(paths, seconds=2.3).night) == []  # median 1.2
    slow = night(paths, seconds=3.6)  # median 1.75
    assert names(paths, slow.night) == ["slow-stage"] and slow.published and slow.published.night == 5


def test_a_night_without_tables_is_recorded_and_changes_nothing(paths: Paths) -> None:
    drift = Finding("corpus-drift", "data", "lab/blur: 0 added, 1 removed, 0 changed")
    assert night(paths, drift) == Recorded(1, None) and not (paths.nights / "nsnet.duckdb").exists()
    assert publish(paths) is None
    night(paths)
    third = night(paths, drift)
    assert third.published and third.published.night == 2
    assert ask(paths, "SELECT night, outcome, findings FROM nightly_trend WHERE acc IS NULL ORDER BY night") == [
        (1, "refused", "corpus-drift"),
        (3, "refused", "corpus-drift"),
    ]
    with pytest.raises(ValueError, match="night 3 made no tables"):
        decide_for(paths, 3, "accepted", "a person", "")


def test_a_clock_that_goes_back_is_told_and_the_order_is_that_of_numbers(paths: Paths) -> None:
    night(paths)
    assert names(paths, night(paths, started=datetime.datetime(2001, 1, 1)).night) == ["clock"]
    assert accepted(paths.nights).night == 2  # type: ignore[union-attr]


def test_a_reader_keeps_the_catalogue_that_it_opened(paths: Paths) -> None:
    night(paths)
    count = "SELECT count(*) FROM nights"
    reader = (
        "import sys, duckdb; c = duckdb.connect(sys.argv[1], read_only=True)\n"
        f"for _ in sys.stdin: print(c.sql('{count}').fetchall()[0][0], flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", reader, str(paths.nights / "nsnet.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin and process.stdout
        answers = []
        for step in range(2):
            process.stdin.write("\n")
            process.stdin.flush()
            answers.append(process.stdout.readline().strip())
            if step == 0:
                night(paths)
        process.stdin.close()
    assert answers == ["1", "1"] and ask(paths, count) == [(2,)]


def test_the_swap_is_tried_again_where_the_platform_locks(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    night(paths)
    monkeypatch.setattr(files, "SWAP_SECONDS", 0.0)
    locked = [True, True]
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if target.suffix == ".duckdb" and locked:
            locked.pop()
            raise PermissionError(13, "in use", str(target))
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    night(paths)
    assert not locked and ask(paths, "SELECT count(*) FROM nights") == [(2,)]
    monkeypatch.setattr(files, "SWAPS", 2)
    locked += [True] * 2
    with pytest.raises(PermissionError, match="in use"):
        publish(paths)
    assert ask(paths, "SELECT count(*) FROM nights") == [(2,)]


def test_a_damaged_version_is_named_and_another_can_be_published(paths: Paths) -> None:
    first = night(paths)
    worsen(paths)
    night(paths)
    decide_for(paths, 2, "accepted", "a person", "")
    folder = version_folder(paths, accepted(paths.nights).version)  # type: ignore[union-attr]
    damaged = folder / "artifacts/evaluate/predictions.parquet"
    damaged.unlink()
    damaged.write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"night 2 is damaged:\n.*predictions.parquet is not what was published"):
        publish(paths)
    assert ask(paths, "SELECT count(*) FROM nights") == [(2,)]
    decide_for(paths, first.night, "rolled back", "a person", "damaged")
    assert keep_version(paths) == folder.name and faults_of(folder) == []  # the project still has what it was made of
    (folder / "version.json").write_text("{")
    assert "cannot be read" in faults_of(folder)[0]


def test_a_damaged_night_is_named(paths: Paths) -> None:
    night(paths)
    part = next(paths.nights.glob("nights/night=000001/nights.parquet"))
    part.write_bytes(part.read_bytes()[:-9])
    with pytest.raises(ValueError, match=r"night=000001/nights\.parquet cannot be read"):
        read_nights(Nights, paths.nights)


def test_a_night_is_whole_or_not_there(paths: Paths) -> None:
    night(paths)

    def rows() -> Iterable[dict[str, object]]:
        yield {"finding": "clock", "blocks": False, "subject": "", "detail": ""}
        raise OSError(28, "No space left on device")

    empty: dict[str, list[dict[str, object]]] = {kind.__name__: [] for kind in PARTS}
    assert set(empty) == {"Nights", "NightMeans", "NightChanges", "NightFindings", "NightStages"}
    with pytest.raises(OSError, match="No space"):
        add_night(paths.nights, {NightFindings: rows()})
    assert read_nights(Nights, paths.nights)["night"].to_list() == [1]
    assert night(paths).night == 2


def _append(folder: Path, times: int) -> list[int]:
    row = {"finding": "clock", "blocks": False, "subject": "", "detail": ""}
    return [add_night(folder, {NightFindings: [row]}) for _ in range(times)]


def test_two_processes_never_get_the_same_number(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        numbers = pool.starmap(_append, [(tmp_path, 20)] * 2)
    assert sorted(numbers[0] + numbers[1]) == list(range(1, 41))
    assert read_nights(NightFindings, tmp_path)["night"].to_list() == list(range(1, 41))


def test_the_command_lists_shows_accepts_and_rolls_back(paths: Paths) -> None:
    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(app, ["--project", str(paths.root), "nights", *words])
        assert result.exit_code == code, result.output
        return result.output

    assert "nothing to publish" in run("publish")
    night(paths)
    worsen(paths)
    night(paths)
    listed = run("list").splitlines()
    assert "accepted" in listed[1] and "published" in listed[1] and "regression" in listed[2]
    assert "regression (blocks): biased/clean/clean/nsnet: acc on 1 generators" in run("show", "2")
    assert "night 2 is published" in run("accept", "2", "--why", "we know")
    assert "accepted by" in run("show", "2") and "we know" in run("show", "2")
    assert "night 1 is published" in run("rollback", "1", "--why", "no")
    assert "is published already" in run("rollback", "1", "--why", "no", code=1)
    assert "night 7: there is none" in run("accept", "7", "--why", "no", code=1)
    assert "built again" in run("publish")


def test_the_page_explains_every_finding() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    assert [name for name in BLOCKS if f"| `{name}` |" not in page] == []
    assert json.dumps(sorted(BLOCKS))  # names are plain text
