"""What PATH may be: files, folders, patterns and lists, each file once, and what leads to none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nsnet.prediction.inputs import expand
from tests.trees import draw


def reasons(root: Path, *words: str) -> dict[str, str | None]:
    """Files that words stand for, below a root, with the reason of those that are rejected."""
    files, _ = expand([str(root / word) for word in words])
    found = {file.path.relative_to(root).as_posix(): file.inspect() for file in files}
    return {name: facts.reason if facts.status == "rejected" else None for name, facts in found.items()}


def test_folders_are_walked_in_order_of_names(tmp_path: Path) -> None:
    for number, name in enumerate(("b.png", "a/z.JPG", "a/inner/c.webp", ".hidden/d.png", ".e.png")):
        draw(tmp_path / name, number)
    for name in ("notes.txt", "more.zip"):
        (tmp_path / name).write_bytes(b"x")
    outside = draw(tmp_path.parent / f"{tmp_path.name}-outside.png", 9)
    (tmp_path / "c.png").symlink_to(outside)
    found = reasons(tmp_path, ".")
    assert list(found) == ["a/inner/c.webp", "a/z.JPG", "b.png", "c.png", "more.zip"]
    assert [name for name, reason in found.items() if reason is None] == ["a/inner/c.webp", "a/z.JPG", "b.png"]
    assert "link out of the tree" in str(found["c.png"]) and "unpack it" in str(found["more.zip"])
    assert reasons(tmp_path, "c.png") == {"c.png": None}  # a link that is named is meant


def test_words_keep_their_order_and_files_come_once(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.png", "in/c.png")):
        draw(tmp_path / name, number)
    (tmp_path / "x.txt").write_text("no picture")
    assert list(reasons(tmp_path, "x.txt", "b.png", ".", "b.png")) == ["x.txt", "b.png", "a.png", "in/c.png"]
    assert reasons(tmp_path, "x.txt") == {"x.txt": "cannot be decoded: no picture of a known format"}
    assert reasons(tmp_path, "gone.png") == {"gone.png": "unreadable: No such file or directory"}


def test_patterns_match_files_and_folders(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b[1].png", "b1.png", "in/deep/c.png")):
        draw(tmp_path / name, number)
    assert list(reasons(tmp_path, "**/*.png")) == ["a.png", "b1.png", "b[1].png", "in/deep/c.png"]
    assert list(reasons(tmp_path, "i*")) == ["in/deep/c.png"]
    assert list(reasons(tmp_path, "b[1].png")) == ["b[1].png"]  # there is a file of that name
    files, faults = expand([str(tmp_path / "*.jpg")])
    assert not files and "no file matches" in faults[0].reason


def test_lists_name_files_and_no_patterns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "a.png", 1)
    draw(tmp_path / "in/b.png", 2)
    monkeypatch.chdir(tmp_path)
    files, faults = expand(["-"], ["a.png\n", "\n", "in\r\n", "*.png\n"])
    assert [file.shown for file in files] == ["a.png", "in/b.png", "*.png"] and not faults
    assert files[2].inspect().reason == "unreadable: No such file or directory"


def test_folders_that_lead_to_nothing_are_told(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("x")
    files, [fault] = expand([str(tmp_path / "empty")])
    assert not files and "no pictures in this folder; expected .bmp" in fault.reason


def test_names_that_are_no_utf8_can_be_printed(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff.png"
    Path(os.fsdecode(name)).write_bytes(draw(tmp_path / "a.png", 1).read_bytes())
    [named], _ = expand([os.fsdecode(name)])
    assert named.shown.endswith("/\\xff.png") and named.inspect().status == "used"
    found = reasons(tmp_path, ".")
    assert list(found) == ["\\xff.png", "a.png"] and "not UTF-8" in str(found["\\xff.png"])
