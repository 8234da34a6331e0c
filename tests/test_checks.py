"""`nsnet suites check`: found, expected, missing, surplus, unreadable, on each suite in miniature."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nsnet.cli.main import app
from nsnet.corpus.checks import check_folder
from nsnet.suites import suite
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
    (root / "notes/b.txt").write_text("about")
    shutil.rmtree(root / "crn/1_fake")
    for number in range(181):
        (root / f"seeingdark/0_real/x{number}.png").hardlink_to(root / "biggan/0_real/000.v1.png")
    rows = {row["name"]: row for row in check_folder(root)}
    assert rows["san"]["finding"] == "missing" and "438" in rows["san"]["expected"]
    assert rows["newgan"]["finding"] == "surplus: not registered"
    assert rows["crn"]["finding"].startswith("no fake pictures") and rows["crn"]["real"] == str(PER_FOLDER)
    assert rows["biggan"]["unreadable"] == "1"
    assert rows["seeingdark"]["finding"] == f"{360 - 181 - 2 * PER_FOLDER} real + fake missing"
    for why in ("(the folders above it name no label)", "(archives, not unpacked)", "(no pictures: .txt 1)"):
        assert rows[why]["finding"] == "1 not used"
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


def test_copies_of_a_shared_pool_are_counted_beside_their_generator(tmp_path: Path) -> None:
    """UniversalFakeDetect as repackaged: three reals in each domain's folder, not six in all."""
    root = tmp_path / "universalfakedetect"
    for seed in range(3):
        for number, domain in enumerate(("dalle", "ldm_100")):
            draw(root / domain / f"0_real/{seed}.png", seed)
            draw(root / domain / f"1_fake/{seed}.png", 10 + 3 * number + seed)
    rows = {row["name"]: row for row in check_folder(root)}
    assert rows["dalle"]["real"] == rows["ldm_100"]["real"] == "3"
    assert rows["dalle"]["finding"] == "997 real missing; 997 fake missing"


def test_training_sets_are_counted_without_validation(tmp_path: Path) -> None:
    TREES["aigibench"](tmp_path / "aigibench")
    rows = {row["name"]: row for row in check_folder(tmp_path / "aigibench")}
    assert rows["train: setting-i"]["real"] == rows["train: setting-i"]["fake"] == str(4 * PER_FOLDER)


def test_other_corpora_beside_a_suite_and_manifests_are_told(tmp_path: Path) -> None:
    root = tmp_path / "data"
    TREES["genimage"](root / "GenImage")
    draw(root / "mine/0_real/a.png", 1)
    draw(root / "listed/a.png", 2)
    draw(root / "listed/b.png", 3)
    (root / "listed/manifest.csv").write_text("path,label\na.png,real\n")
    rows = {(row["suite"], row["name"]): row for row in check_folder(root)}
    assert (
        rows["data", "(all of it)"]["finding"] == "no registered suite" and rows["data", "(all of it)"]["real"] == "1"
    )
    assert rows["listed", "(all of it)"]["real"] == "1"
    assert rows["", "(not listed in the manifest)"]["finding"] == "1 not used"
    assert rows["genimage", "adm"]["fake"] == str(PER_FOLDER)


def test_a_folder_of_archives_says_so(tmp_path: Path) -> None:
    for name in ("train.zip", "progan_train.7z.001", "imagenet_ai.z01", "more.tar.zst"):
        (tmp_path / name).write_bytes(b"PK")
    with pytest.raises(ValueError, match="4 archives want unpacking first"):
        check_folder(tmp_path)


def test_folders_that_cannot_be_opened_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated, as root may open every folder."""
    TREES["forensynths"](tmp_path / "ForenSynths")
    listed = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "san":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", refuse)
    rows = {row["name"]: row for row in check_folder(tmp_path / "ForenSynths")}
    assert rows["(folders that cannot be opened)"]["finding"] == "1 not used" and rows["san"]["finding"] == "missing"
