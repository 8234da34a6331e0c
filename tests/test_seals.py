"""Files that were changed after they were kept are told, wherever the change came from and whenever a writer died."""

from __future__ import annotations

from pathlib import Path

import pytest

from nsnet.core.seals import broken, drop, seal, sealed_path


def test_every_changed_byte_is_told(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    with sealed_path(path) as temporary:
        temporary.write_bytes(b"0123456789")
    assert not broken(path)
    for place in range(10):
        changed = bytearray(b"0123456789")
        changed[place] ^= 1
        path.write_bytes(changed)
        assert broken(path)
    path.write_bytes(b"0123456789")
    assert not broken(path)


def test_what_was_never_sealed_or_is_gone_is_not_broken(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    assert not broken(path)
    path.write_bytes(b"a")
    assert not broken(path)
    seal(path)
    path.write_bytes(b"b")
    assert broken(path)
    seal(path)
    assert not broken(path)
    path.unlink()
    assert not broken(path)
    path.write_bytes(b"c")
    drop(path)
    assert list(tmp_path.iterdir()) == []


def test_a_writer_that_fails_leaves_the_old_file_and_one_killed_between_a_file_without_a_seal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "kept"
    path.write_bytes(b"old")
    seal(path)
    with pytest.raises(OSError, match="no"), sealed_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise OSError("no")
    assert path.read_bytes() == b"old" and not broken(path)

    def killed(path: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nsnet.core.seals.seal", killed)
    with pytest.raises(KeyboardInterrupt), sealed_path(path) as temporary:
        temporary.write_bytes(b"new")
    assert path.read_bytes() == b"new" and not broken(path)
