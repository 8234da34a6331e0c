"""The scan's index: nothing is decoded twice, and nothing that changed is missed."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from nsnet.corpus.inspection import Limits, inspect
from nsnet.corpus.scan import scan
from nsnet.corpus.tree import file_names
from tests.trees import draw

HOUR_AGO = time.time() - 3600


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for seed in range(5):
        age(draw(tmp_path / f"tree/{seed}.png", seed))
    return tmp_path / "tree"


def age(path: Path) -> None:
    """Files changed within the last two seconds are never taken from the index."""
    os.utime(path, (HOUR_AGO, HOUR_AGO))


def test_index_holds_what_inspect_finds(tree: Path, tmp_path: Path) -> None:
    found = scan(tree, tmp_path / "index.parquet", ["gone.png"])
    rows = pl.read_parquet(tmp_path / "index.parquet")
    assert (found.inspected, found.known, rows.height) == (6, 0, 6)
    for row in rows.iter_rows(named=True):
        facts = vars(inspect(tree / row["path"]))
        assert {name: row[name] for name in facts} == facts
    assert rows["path"].to_list() == sorted(rows["path"])


def test_folders_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / 'it\'s a "tree"; DROP'
    draw(odd / "a.png", 1)
    assert scan(odd, odd / "index.parquet", []).inspected == 1
    assert pl.read_parquet(odd / "index.parquet")["path"].to_list() == ["a.png"]


def test_the_working_directory_is_a_tree_too(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree)
    scan(Path(), tmp_path / "index.parquet", [])
    assert pl.read_parquet(tmp_path / "index.parquet")["path"].to_list() == [f"{seed}.png" for seed in range(5)]
    assert list(file_names(Path(), [], {})) == [f"{seed}.png" for seed in range(5)]


def test_unchanged_files_are_not_read_again(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    before = index.read_bytes()

    def refuse(*_: object) -> None:
        raise AssertionError("an unchanged file was read")

    monkeypatch.setattr("nsnet.corpus.scan.inspect_named", refuse)
    again = scan(tree, index, [])
    assert (again.inspected, again.known) == (0, 5)
    assert index.read_bytes() == before


def test_changes_are_seen(tree: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    (tree / "0.png").unlink()
    draw(tree / "1.png", 99)
    age(draw(tree / "new.png", 7))
    assert scan(tree, index, []).inspected == 2
    rows = {row["path"]: row for row in pl.read_parquet(index).iter_rows(named=True)}
    assert set(rows) == {"1.png", "2.png", "3.png", "4.png", "new.png"}
    assert rows["1.png"]["image_id"] == inspect(tree / "1.png").image_id


def test_same_size_and_time_within_the_clocks_precision_is_read_again(tree: Path, tmp_path: Path) -> None:
    index, path = tmp_path / "index.parquet", tree / "note.png"
    path.write_bytes(b"one")
    stamp = path.stat().st_mtime_ns
    scan(tree, index, [])
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp, stamp))
    assert scan(tree, index, []).inspected == 1
    assert pl.read_parquet(index).filter(path="note.png")["image_id"][0] == inspect(path).image_id


def test_touched_files_are_hashed_but_not_decoded(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    expected = pl.read_parquet(index)
    for path in tree.iterdir():
        os.utime(path, (HOUR_AGO + 60, HOUR_AGO + 60))
    monkeypatch.setattr("nsnet.corpus.scan.inspect", lambda path, limits: pytest.fail(f"{path} was decoded"))
    assert scan(tree, index, []).inspected == 5
    assert pl.read_parquet(index).drop("mtime_ns").equals(expected.drop("mtime_ns"))


def test_index_of_another_version_is_not_used(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    monkeypatch.setattr("nsnet.corpus.scan.INDEX_VERSION", 0)
    assert scan(tree, index, []).inspected == 5


def test_a_file_that_is_no_index_of_this_version_is_replaced(tree: Path, tmp_path: Path) -> None:
    index = tmp_path / "index.parquet"
    pl.DataFrame({"path": ["0.png"], "size": [1]}).write_parquet(index)
    assert scan(tree, index, []).inspected == 5
    assert pl.read_parquet(index).height == 5


def test_an_index_that_is_not_what_was_written_is_not_believed(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    before = pl.read_parquet(index)
    schema = pq.read_schema(index)
    wider = before.with_columns(pl.col("width") + 1).to_arrow().cast(schema)
    pq.write_table(wider.replace_schema_metadata(schema.metadata), index)
    assert scan(tree, index, []).known == 0
    assert "index.parquet is not what was written" in capsys.readouterr().err
    assert pl.read_parquet(index).equals(before) and scan(tree, index, []).inspected == 0


def test_nothing_is_known_of_another_tree(tree: Path, tmp_path: Path) -> None:
    scan(tree, tmp_path / "index.parquet", [])
    tree.rename(tmp_path / "moved")
    assert scan(tmp_path / "moved", tmp_path / "index.parquet", []).inspected == 5


def test_what_could_not_be_read_is_tried_again(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A permission or a disk that came back changes neither size nor time."""
    index = tmp_path / "index.parquet"

    def refuse(path: Path) -> object:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr("nsnet.corpus.inspection.open_regular", refuse)
        scan(tree, index, [])
    assert set(pl.read_parquet(index)["reason"]) == {"unreadable: Permission denied"}
    assert scan(tree, index, []).inspected == 5
    assert set(pl.read_parquet(index)["status"]) == {"used"}


def test_folders_that_cannot_be_listed_are_told(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tree / "locked/a.png", 9)
    listed = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr("os.scandir", refuse)
    scan(tree, tmp_path / "index.parquet", [])
    rows = pl.read_parquet(tmp_path / "index.parquet")
    assert rows.filter(path="locked/")["reason"].to_list() == ["folder cannot be opened: its pictures are not read"]
    assert rows.height == 6


def test_links_are_followed_wherever_they_lead_but_not_round(tree: Path) -> None:
    """Two generators may link to one pool of reals; a link to a folder above leads round."""
    for name in ("a/0_real", "b/0_real"):
        (tree / name).parent.mkdir()
        (tree / name).symlink_to(tree)
    found = list(file_names(tree, [], {}))
    assert found == [f"{seed}.png" for seed in range(5)]
    pool = tree.parent / "pool"
    draw(pool / "x.png", 1)
    for name in ("a/0_real", "b/0_real"):
        (tree / name).unlink()
        (tree / name).symlink_to(pool)
    assert list(file_names(tree, [], {}))[5:] == ["a/0_real/x.png", "b/0_real/x.png"]


@pytest.mark.parametrize("chunk", [1, 2, 3, 7])
def test_index_and_tree_are_read_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Files come and go between chunks of any size: what is kept equals what a new scan finds."""
    monkeypatch.setattr("nsnet.corpus.scan.CHUNK", chunk)
    names = ["a.png", "a/a.png", "a/z.png", "a-b/a.png", "a0.png", "b/b/b.png", "b/b.png", "B.png", "Ä.png", "z/é.png"]
    tree, index, fresh = (tmp_path / name for name in ("tree", "index.parquet", "fresh.parquet"))
    for turn in range(6):
        there = [name for number, name in enumerate(names) if (number * (turn + 2) + turn) % 3]
        shutil.rmtree(tree, ignore_errors=True)
        for name in there:
            age(draw(tree / name, names.index(name)))
        # Files that did not exist have no time stamp to be known by.
        known = set(pl.read_parquet(index).filter(pl.col("mtime_ns") >= 0)["path"]) if turn else set()
        found = scan(tree, index, ["a.png", "gone.png"])
        everything = sorted({*there, "a.png", "gone.png"})
        assert list(file_names(tree, ["a.png", "gone.png"], {})) == everything
        assert found.known == len(known & set(there)) and found.inspected == len(everything) - found.known
        fresh.unlink(missing_ok=True)
        scan(tree, fresh, ["a.png", "gone.png"])
        assert pl.read_parquet(index).equals(pl.read_parquet(fresh))


def test_interrupted_scan_leaves_the_old_index(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = tmp_path / "index.parquet"
    scan(tree, index, [])
    before = index.read_bytes()
    draw(tree / "new.png", 8)
    monkeypatch.setattr("nsnet.corpus.scan.inspect", lambda path, limits: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        scan(tree, index, [])
    assert index.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"tree", "index.parquet", "index.parquet.sha256"}


def test_limits_that_change_are_asked_of_known_files_too(tree: Path, tmp_path: Path) -> None:
    """A file that a limit refused is looked at again, and one that a new limit refuses is not taken from the index."""
    index = tmp_path / "index.parquet"
    draw(tree / "large.png", 9, (300, 200))
    age(tree / "large.png")

    def reasons(limits: Limits) -> dict[str, str]:
        scan(tree, index, [], limits=limits)
        return dict(pl.read_parquet(index).filter(status="rejected").select("path", "reason").iter_rows())

    assert reasons(Limits()) == {}
    few = Limits(max_pixels=150 * 140)
    assert reasons(few) == {"large.png": "too many pixels: 300 x 200, at most 21000"}
    assert scan(tree, index, [], limits=few).known == 5, "what is within the limits is not looked at again"
    size = (tree / "large.png").stat().st_size
    assert reasons(Limits(max_bytes=size - 1))["large.png"] == f"too large: {size} bytes, at most {size - 1}"
    assert reasons(Limits()) == {}


def test_files_elsewhere_are_not_read(tree: Path, tmp_path: Path) -> None:
    """A picture's link may lead to another of the tree; out of it only whole folders, in manifests those at the top."""
    draw(tmp_path / "pool/x.png", 20)
    (tmp_path / "pool/y.png").symlink_to("x.png")
    (tree / "a").mkdir()
    links: dict[str, str | Path] = {
        "inside.png": "0.png",
        "outside.png": tmp_path / "pool/x.png",
        "top": tmp_path / "pool",
        "a/deep": tmp_path / "pool",
        "device.png": "/dev/zero",
        "a/up.png": "../1.png",
        "top/more": tmp_path,  # lies in the pool
    }
    for name, target in links.items():
        (tree / name).symlink_to(target)
    draw(tmp_path / "secret.png", 21)
    index = tmp_path / "index.parquet"
    scan(tree, index, ["top/x.png", "a/deep/x.png", "top/more/secret.png"])
    rows = dict(pl.read_parquet(index).select("path", "reason").iter_rows())
    out = {name for name, reason in rows.items() if reason and reason.startswith("link out of the tree")}
    assert out == {"outside.png", "device.png", "a/deep/x.png", "top/more/secret.png"}
    assert {"inside.png", "a/up.png", "top/x.png", "top/y.png", "a/deep/y.png"} <= rows.keys() - out
    assert pl.read_parquet(index).filter(pl.col("path").is_in(out))["image_id"].null_count() == 4
