"""What commands and stages say they would do, against what they then do; saying it changes nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from nsnet.core.foresight import Work, duration, foretell, seconds_each
from nsnet.corpus.scan import scan, survey
from nsnet.features.backbone import load_backbone
from nsnet.features.foresight import foresee_features
from nsnet.features.parts import part_files, read_stats
from nsnet.params import Params
from nsnet.reporting.integrity import spread
from tests.conftest import DETECTORS, ROOT, SEEDS, change, run
from tests.predictors import nsnet
from tests.stores import JPEG, Extraction, make_corpus, request_for
from tests.trees import draw

# Those that may take minutes; each can be asked first.
LONG = (
    *("predict", "ingest", "score", "report", "verify", "check-integrity", "lab train-clip", "lab zero-shot"),
    *("lab calibrate", "lab leakage", "lab layers", "lab null-spaces", "lab sweeps", "lab failures"),
)


def test_work_in_words() -> None:
    assert str(Work("files to read", 12)) == "12 files to read"
    assert str(Work("files to read", 12, 5, 2.0)) == "7 files to read (5 of 12 are known), about 14 s"
    assert str(Work("files to read", 12, 12, 2.0)) == "0 files to read (12 of 12 are known)"
    told = [duration(seconds) for seconds in (0, 0.4, 1, 119.4, 120, 3599, 7199, 12_000)]
    assert told == ["under 1 s", "under 1 s", "1 s", "119 s", "2 min", "60 min", "2 h 00 min", "3 h 20 min"]


@pytest.mark.parametrize("content", [None, "", "[1]", "{}", '{"seconds": 4}'])
def test_nothing_is_told_where_nothing_was_noted(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "cost.json"
    if content is not None:
        file.write_text(content)
    assert seconds_each(file) is None
    last = foretell("report", [], file)[-1]
    told = content is not None and "seconds" in content
    assert last == f"report: {'the last run here took 4 s' if told else 'no run here has told yet how long it takes'}"


def test_seconds_are_those_of_the_last_run(tmp_path: Path) -> None:
    (tmp_path / "cost.json").write_text(json.dumps({"seconds": 30.0, "items": 60, "peak_memory_mb": 200}))
    each = seconds_each(tmp_path / "cost.json")
    lines = foretell("lab", [Work("pictures to render", 10, each=each)], tmp_path / "cost.json")
    assert lines == ["lab: 10 pictures to render, about 5 s", "lab: the last run here took 30 s and 200 MB"]


def test_a_survey_is_what_a_scan_does(tmp_path: Path) -> None:
    tree, index = tmp_path / "tree", tmp_path / "index.parquet"
    for number in range(5):
        draw(tree / f"{number}.png", number)
        os.utime(tree / f"{number}.png", ns=(10**18, 10**18))  # long settled
    (tree / "notes.txt").write_text("no picture")
    assert survey(tree, index, []) == scan(tree, index, []) and survey(tree, index, []).known == 5
    draw(tree / "new.png", 7)
    (tree / "0.png").unlink()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    said = survey(tree, index, [])
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert said == scan(tree, index, []) and (said.inspected, said.known) == (1, 4)


def test_features_are_foreseen(tmp_path: Path, params: Params) -> None:
    backbone = load_backbone(params.backbone)
    corpus = make_corpus(tmp_path)
    extract, request = Extraction(tmp_path, backbone), request_for(corpus)
    store = tmp_path / "store"
    some = extract.some(request, ("reals",))
    assert foresee_features(some, store, backbone.id, 2) == Work("pictures to encode, under a condition each", 12)
    extract(some)
    said = foresee_features(request, store, backbone.id, 2)
    stats = [read_stats(part) for part in part_files(store, backbone.id, [one.id for one in request.conditions])]
    seconds = sum(value for part in stats for name, value in part.items() if name.endswith("_seconds"))
    assert (said.total, said.known) == (36, 12) and said.each == pytest.approx(seconds / 12 / 2)
    done = extract(request)
    assert (done.wanted, done.computed) == (said.total, said.left)
    assert not [path for path in store.iterdir() if path.name.startswith(".")]
    # Training pictures as they are, which are known, and test pictures saved again; one is both.
    more = foresee_features(replace(request, test=[JPEG]), store, backbone.id, 1)
    assert (more.total, more.known) == (12 + 25, 12)


def test_some_files_are_spread_evenly() -> None:
    files = [(Path(str(number)), "") for number in range(10)]
    assert spread(files, None) == files and spread(files, 10) == files and spread([], 3) == []
    assert [path.name for path, _ in spread(files, 3)] == ["0", "4", "8"]
    assert all(len(spread(files, limit)) <= limit for limit in range(1, 12))


def test_stages_say_what_they_then_do(project: Path, copy_of: Callable[[Path], Path]) -> None:
    copy = copy_of(project)
    run(copy, "python", "-m", "nsnet.stages", "corpus")  # an index of the folder that this is a copy of is not used

    def said(stage: str) -> list[str]:
        return run(copy, "python", "-m", "nsnet.stages", stage, "--dry-run").stdout.splitlines()

    assert said("features")[0] == "features: 0 pictures to encode, under a condition each (292 of 292 are known)"
    assert said("corpus")[0].endswith("(292 of 292 are known)")
    change(copy, "train", seeds=list(range(SEEDS + 1)))
    change(copy, "evaluate", conditions=["clean", "jpeg50"])
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if "__pycache__" not in path.parts}
    tested = 16 + 40 * 4
    kinds = {line.split(",")[1].split(" (")[0].strip(): line for line in said("train")[:-1]}
    assert set(kinds) == {"cnn", "linear"}
    # One more seed of each detector on each of two training sets.
    assert kinds["cnn"].startswith(f"train: 2 trainings, cnn ({2 * SEEDS} of {2 * (SEEDS + 1)} are known), about ")
    others = 2 * (DETECTORS - 1)
    assert kinds["linear"].startswith(f"train: {others} trainings, linear ({others * SEEDS} of {others * (SEEDS + 1)}")
    assert said("features")[0].startswith(f"features: {tested} pictures to encode, under a condition each (292 of")
    runs = 2 * DETECTORS * SEEDS
    assert said("evaluate")[0].startswith(f"evaluate: {runs * tested} scores to compute, of a picture by a run each")
    assert said("tables")[0].startswith("tables: the last run here took ")
    after = {path: path.stat().st_mtime_ns for path in copy.rglob("*") if "__pycache__" not in path.parts}
    # The feature store's folder itself was entered; nothing in it has moved.
    assert {path for path in before | after if before.get(path) != after.get(path)} <= {copy / "store/features"}
    trained = run(copy, "dvc", "repro", "train").stdout
    assert f"features: {tested} images encoded, 292 already known" in trained
    assert f"train: {2 * DETECTORS} runs trained, {runs} already known" in trained


def test_a_stage_has_no_limit() -> None:
    for words, told in ((["--limit", "3"], "DVC would keep part of its outputs"), (["--dry-rn"], "did you mean --dry")):
        finished = run(ROOT, "python", "-m", "nsnet.stages", "lab", *words, check=False)
        assert finished.returncode == 1 and told in finished.stderr


@pytest.mark.parametrize("command", LONG)
def test_long_commands_can_be_asked(command: str, tmp_path: Path) -> None:
    shown = nsnet(tmp_path, *command.split(), "--help").output
    assert "--dry-run" in shown


def test_commands_say_what_there_is_to_do(project: Path, copy_of: Callable[[Path], Path], tmp_path: Path) -> None:
    copy = copy_of(project)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}

    def said(*words: str) -> str:
        return nsnet(copy, *words, "--dry-run").stdout.splitlines()[0]

    runs = 2 * DETECTORS * SEEDS
    assert said("verify") == f"verify: {runs} runs to evaluate again"
    assert said("verify", "--run", "univfd", "--limit", "3").startswith("verify --run: 3 runs whose predictions")
    assert said("check-integrity") == f"check-integrity: {292 + runs} files to hash (292 pictures, {runs} detectors)"
    assert said("check-integrity", "--limit", "2").endswith("4 files to hash (2 pictures, 2 detectors)")
    assert said("report") == "report: no run here has told yet how long it takes"
    assert said("lab", "layers", "--view", "crop") == "lab layers: 1 views to study (crop)"
    assert said("lab", "calibrate", "--limit", "2") == "lab calibrate: 2 simulators to learn"
    assert said("lab", "zero-shot") == "lab zero-shot: 640 pictures to render and look at"
    assert said("lab", "train-clip", "--rounds", "1", "2", "3") == "lab train-clip: 6 steps of training"
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before
    # Next time it can tell.
    assert nsnet(copy, "check-integrity", "--limit", "2").stdout.startswith("2 pictures: as they were\n2 detectors")
    assert ", about " in said("check-integrity")
    wrong = nsnet(copy, "lab", "layers", "--view", "crp")
    assert wrong.exit_code == 1 and "did you mean crop" in wrong.output
    wrong = nsnet(copy, "runs", "export", str(tmp_path / "out"), "--detector", "univfdd")
    assert wrong.exit_code == 1 and "did you mean univfd" in wrong.output


def test_folders_are_counted_before_they_are_read(tmp_path: Path) -> None:
    for number in range(6):
        path = draw(tmp_path / f"photos/{('0_real', '1_fake')[number % 2]}/{number}.png", number)
        os.utime(path, ns=(10**18, 10**18))
    shutil.copy(ROOT / "params.yaml", tmp_path)
    words = ("photos", "--out", "work")
    early = nsnet(tmp_path, "score", *words, "--dry-run")
    assert early.exit_code == 1 and "nsnet ingest" in early.output
    lines = nsnet(tmp_path, "ingest", *words, "--dry-run").stdout.splitlines()
    assert lines == ["ingest: 6 files to read", "ingest: no run here has told yet how long it takes"]
    assert not (tmp_path / "work").exists()
    nsnet(tmp_path, "ingest", *words)
    again = nsnet(tmp_path, "ingest", *words, "--dry-run").stdout
    assert again.startswith("ingest: 0 files to read (6 of 6 are known)")
    scored = nsnet(tmp_path, "score", *words, "--dry-run").stdout.splitlines()
    assert scored[0] == "score: 6 pictures to encode, under a condition each"
    assert scored[1] == "score: 18 scores to compute, of a picture by a run each"  # by three detectors that ship
    assert not (tmp_path / "work/tables").exists()


def test_predictions_may_be_few(tmp_path: Path) -> None:
    for number in range(3):
        draw(tmp_path / f"{number}.png", number)
    shown = nsnet(tmp_path, "predict", ".", "nothing.png", "--dry-run", "--limit", "2")
    assert shown.stdout == "predict: 2 of 4 files to score\n" and "nsnet, trained on" in shown.stderr
    wrong = nsnet(tmp_path, "predict", ".", "--dry-run", "--detector", "nsnt")
    assert wrong.exit_code == 1 and "did you mean nsnet" in wrong.output
    rows = nsnet(tmp_path, "predict", ".", "--limit", "2", "--format", "csv", "--draws", "1").stdout.splitlines()
    assert len(rows) == 1 + 2
