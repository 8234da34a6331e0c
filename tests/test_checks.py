"""`nsnet suites check`: found, expected, missing, surplus, unreadable, on each suite in miniature."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nsnet.cli import app
from nsnet.suites import suite
from nsnet.suites.checks import check_folder
from tests.trees import PER_FOLDER, TREES, draw


@pytest.mark.parametrize("name", list(TREES))
def test_every_generator_of_a_whole_tree_is_found(tmp_path: Path, name: str) -> None:
    TREES[name](tmp_path / name)
    rows = {row["name"]: row for row in check_folder(tmp_path / name)}
    for key, generator in suite(name).generators.items():
        assert int(rows[key]["fake"]) >= PER_FOLDER and int(rows[key]["real"]) >= PER_FOLDER, key
        assert rows[key]["unreadable"] == "0"
        if generator.n_fake and not generator.n_fake.about:
            assert f"{generator.n_fake.value - int(rows[key]['fake']):,} fake missing" in rows[key]["finding"]
    sets = {row.removeprefix("train: ") for row in rows if row.startswith("train: ")}
    assert sets == set(suite(name).training_sets)


def test_missing_surplus_and_unreadable(tmp_path: Path) -> None:
    root = tmp_path / "ForenSynths"
    TREES["forensynths"](root)
    shutil.rmtree(root / "san")
    draw(root / "newgan/1_fake/a.png", 1)
    (root / "biggan/1_fake/000.v1.png").write_bytes(b"")
    (root / "biggan/1_fake/more.zip").write_bytes(b"PK")
    draw(root / "notes/a.png", 2)
    for number in range(181):
        (root / f"seeingdark/0_real/x{number}.png").hardlink_to(root / "biggan/0_real/000.v1.png")
    rows = {row["name"]: row for row in check_folder(root)}
    assert rows["san"]["finding"] == "missing" and "438" in rows["san"]["expected"]
    assert rows["newgan"]["finding"] == "surplus: not registered"
    assert rows["biggan"]["unreadable"] == "1"
    assert rows["seeingdark"]["finding"] == f"{360 - 181 - 2 * PER_FOLDER} real + fake missing"
    for why in ("(folders without a label)", "(archives, left unpacked)"):
        assert rows[why]["finding"] == "1 files not used"
    assert rows["biggan"]["fake"] == str(PER_FOLDER)
    shown = CliRunner().invoke(app, ["suites", "check", str(root)])
    assert shown.exit_code == 0 and "surplus: not registered" in shown.output


def test_shared_pools_are_counted_with_each_generator(tmp_path: Path) -> None:
    root = tmp_path / "universalfakedetect"
    TREES["universalfakedetect"](root)
    rows = {row["name"]: row for row in check_folder(root)}
    assert rows["dalle"]["real"] == rows["ldm_100"]["real"] == rows["guided"]["real"] == str(PER_FOLDER)
    assert "real 1,000" in rows["dalle"]["expected"]


def test_unknown_folders_and_names_are_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        check_folder(tmp_path / "nowhere")
    draw(tmp_path / "own/0_real/a.png", 1)
    with pytest.raises(ValueError, match="no registered suite is recognised"):
        check_folder(tmp_path / "own")
    with pytest.raises(ValueError, match="did you mean genimage"):
        check_folder(tmp_path / "own", "genimages")
    shown = CliRunner().invoke(app, ["suites", "check", str(tmp_path / "own")])
    assert shown.exit_code == 1 and "Traceback" not in shown.output
