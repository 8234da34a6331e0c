"""The same picture delivered in other ways: scored as those files would be, and flips told."""

from __future__ import annotations

import csv
import io
import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nsnet
from nsnet.features.conditions import CLEAN
from nsnet.features.deliveries import DELIVERIES
from nsnet.prediction.draws import Decision
from nsnet.prediction.predictions import REDELIVERED, Prediction, redeliveries
from nsnet.training.exports import SHIPPED
from tests.conftest import ROOT, run
from tests.predictors import nsnet as command
from tests.trees import draw

NAMES = [CLEAN.name, *(delivery.name for delivery in DELIVERIES)]
load = partial(nsnet.load, detectors=SHIPPED.root)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small and a large picture, and a file that is none."""
    folder = tmp_path_factory.mktemp("here") / "photos"
    draw(folder / "0.png", 0)
    draw(folder / "1.png", 1, size=(700, 300))
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


def test_deliveries_are_scored_as_the_files_that_they_make(photos: Path, tmp_path: Path) -> None:
    """Of crops, which have no shuffle: a file saved by Pillow alone, and predicted like any other."""
    detector = load("univfd")
    picture = Image.open(photos / "1.png").convert("RGB")
    files = {"clean": picture, "at_most_1080": picture}
    files["at_most_512"] = picture.resize((512, 219), Image.Resampling.BICUBIC)
    files["screenshot"] = picture.resize((560, 240), Image.Resampling.BILINEAR)
    for name, file in files.items():
        file.save(tmp_path / f"{name}.png")
    for quality in (90, 70, 50):
        picture.save(tmp_path / f"jpeg{quality}.jpg", quality=quality)
    picture.save(tmp_path / "webp80.webp", quality=80)
    expected = {path.stem: detector.predict(path).score for path in sorted(tmp_path.iterdir())}
    found = detector.redeliver(photos / "1.png")
    assert [one.delivery for one in found] == NAMES and set(expected) == set(NAMES)
    # A head is given other numbers of rows at a time, which changes the order of its sums.
    scores = {one.delivery: one.prediction.score for one in found}
    assert scores == pytest.approx(expected, abs=1e-6)
    moved = {name for name, score in scores.items() if score != pytest.approx(scores["clean"], rel=0.01)}
    assert moved == set(NAMES) - {"clean", "at_most_1080"}


def test_mosaics_keep_their_shuffle(photos: Path) -> None:
    """What leaves a small picture as it is leaves its scores, all eight."""
    detector = load("nsnet")
    small = {one.delivery: one.prediction for one in detector.redeliver(photos / "0.png")}
    said = detector.predict(photos / "0.png")
    for name in ("clean", "at_most_1080", "at_most_512"):
        assert small[name].draws == 8
        assert [small[name].low, small[name].high] == pytest.approx([said.low, said.high], rel=1e-4)
    assert abs(small["jpeg50"].score - said.score) > 1e-4 and small["jpeg50"].path == str(photos / "0.png")


def test_a_flip_is_another_decision_than_that_of_the_picture_as_it_is() -> None:
    words: list[Decision] = ["fake", "fake", "unsure"]
    said = [
        Prediction(None, 0.5, 0.4, 0.6, word, 0.5, 8, "d", "t", "clean", 0, "r", "0" * 64, "0.1.0", "LAB")
        for word in words
    ]
    assert [one.flips for one in redeliveries(["clean", "a", "b"], said)] == [False, False, True]


def test_the_command_has_a_row_for_each_delivery_and_counts_flips(photos: Path) -> None:
    detector = load("univfd")
    scores = [one.prediction.score for one in detector.redeliver(photos / "1.png")]
    # Between two of its scores, so that some flip and some do not, whatever processor computes them.
    low, high = sorted(scores)[2:4]
    words = ["predict", "photos", "--redeliver", "--detector", "univfd", "--threshold", str((low + high) / 2)]
    shown = {name: command(photos.parent, *words, "--format", name) for name in ("json", "jsonl", "csv", "table")}
    assert {finished.exit_code for finished in shown.values()} == {3}
    rows = json.loads(shown["json"].stdout)
    assert [json.loads(line) for line in shown["jsonl"].stdout.splitlines()] == rows
    assert all(tuple(row) == REDELIVERED for row in rows)
    assert [row["delivery"] for row in rows] == [*NAMES, *NAMES, None]
    assert rows[-1]["reason"].startswith("cannot be decoded") and rows[-1]["flips"] is None
    mine = rows[8:16]
    expected = [(score >= (low + high) / 2) != (scores[0] >= (low + high) / 2) for score in scores]
    assert [row["flips"] for row in mine] == expected and 0 < sum(expected) < 7
    counts = [sum(row["flips"] for row in ways) for ways in zip(rows[:8], mine, strict=True)]
    told = ", ".join(f"{name} {count}" for name, count in zip(NAMES, counts, strict=True) if name != "clean")
    for finished in shown.values():
        assert f"flips of 2 pictures: {told}" in finished.stderr
        assert "3 pictures in = 2 scored + 1 rejected" in finished.stderr
    lines = list(csv.DictReader(io.StringIO(shown["csv"].stdout)))
    assert [line["flips"] for line in lines[:16]] == [str(row["flips"]).lower() for row in rows[:16]]
    header, *table = (line.split() for line in shown["table"].stdout.splitlines())
    assert header == ["path", "delivery", "score", "low", "high", "decision", "flips"]
    assert [line[-1] for line in table] == [("yes" if row["flips"] else "no") for row in rows[:16]]


def test_bad_pictures_and_deliveries_of_ones_own(photos: Path) -> None:
    detector = load("univfd", workers=2)
    with pytest.raises(ValueError, match=r"1 of 1 pictures cannot be scored:\n.*bad.jpg: cannot be decoded"):
        detector.redeliver(photos / "bad.jpg")
    assert [one.delivery for one in detector.redeliver(photos / "0.png", DELIVERIES[:1])] == ["clean", "jpeg90"]
    several = list(detector.redeliveries([photos / "0.png", photos / "bad.jpg", photos / "1.png"] * 3))
    assert [isinstance(one, nsnet.Rejection) for one in several] == [False, True, False] * 3
    first = several[0]
    assert not isinstance(first, nsnet.Rejection) and isinstance(first[0], nsnet.Redelivery)
    np.testing.assert_allclose(
        [one.prediction.score for one in first],
        [one.prediction.score for one in detector.redeliver(photos / "0.png")],
        rtol=0,
        atol=1e-6,
    )


def test_the_page_names_every_delivery_and_its_commands_run(tmp_path: Path) -> None:
    """In a folder with pictures of the names that it gives."""
    page = (ROOT / "docs/predict.md").read_text()
    [asked] = re.findall(r"dvc exp run -S 'evaluate.conditions=\[(.*)\]'", page)
    assert asked.split(",") == NAMES
    typed_and_shown = r"^\$ (nsnet predict .*)\n((?:(?:path|lab/).*\n)*)"
    commands = re.findall(typed_and_shown, page, flags=re.MULTILINE)
    assert len(commands) == 3
    quick = re.findall(typed_and_shown, (ROOT / "docs/quickstart.md").read_text(), flags=re.MULTILINE)
    assert quick == commands[:1]  # figures too
    for path in set(re.findall(r"^lab/\S+", page, flags=re.MULTILINE)):
        draw(tmp_path / path, 1)
    (tmp_path / "nsnet").symlink_to(ROOT / "nsnet")
    for typed, shown in commands:
        words = run(tmp_path, "bash", "-c", f"printf '%s\\n' {typed}", project=ROOT).stdout.splitlines()
        finished = command(tmp_path, *words[1:])
        assert finished.exit_code == 0
        found, expected = finished.stdout.splitlines(), shown.splitlines()
        if expected:  # whose figures are those of the lab's pictures; of the explanation no rows are shown
            assert found[0].split() == expected[0].split() and len(found) == len(expected)
    assert len(list((tmp_path / "explained").glob("*.png"))) == 1
