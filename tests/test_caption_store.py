"""The store of captions: what was written is found again, whatever killed or damaged it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from nsnet.semantics.caption_store import CaptionStore

IDS = sorted(hashlib.sha256(bytes([number])).hexdigest() for number in range(40))


def rows(ids: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"image_id": ids, "caption": [f"picture {image_id[:6]}" for image_id in ids]})


def test_what_was_added_is_found_by_another_reader(tmp_path: Path) -> None:
    store = CaptionStore(tmp_path)
    assert store.captions(IDS).is_empty()
    for start in range(0, 40, 7):
        store.add(rows(IDS[start : start + 7]))
    assert store.captions(IDS).equals(rows(IDS)) and CaptionStore(tmp_path).captions(IDS).equals(rows(IDS))
    assert CaptionStore(tmp_path).captions([*IDS[3:5], "f" * 64]).equals(rows(IDS[3:5]))
    assert len(list(tmp_path.iterdir())) == len({image_id[0] for image_id in IDS}), "one file a shard"


def test_a_shard_in_two_files_is_read_whole(tmp_path: Path) -> None:
    """A run was killed after it had written a shard's new file and before it removed the old one."""
    CaptionStore(tmp_path).add(rows(IDS[:20]))
    older = {path: path.read_bytes() for path in tmp_path.iterdir()}
    CaptionStore(tmp_path).add(rows(IDS[20:]))
    for path, content in older.items():
        path.write_bytes(content)
    assert CaptionStore(tmp_path).captions(IDS).equals(rows(IDS))


def test_every_changed_byte_is_seen(tmp_path: Path) -> None:
    CaptionStore(tmp_path).add(rows(IDS[:1]))
    (shard,) = tmp_path.iterdir()
    content = shard.read_bytes()
    for place in range(0, len(content), 97):
        shard.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        assert CaptionStore(tmp_path).captions(IDS).is_empty()
        assert [path.name for path in tmp_path.iterdir()] == [f"damaged-{shard.name}"]
