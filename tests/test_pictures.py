"""From image_id to pixels: checked against the hash, decoded once, nothing held; and views as arrays on disk."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch.utils.data import DataLoader

from nsnet.core.provenance import file_sha256
from nsnet.corpus.images import Pixels, decode_rgb
from nsnet.features.conditions import CLEAN, Condition, apply
from nsnet.features.pictures import PictureDataset, PictureSource, ReplacedPicture
from nsnet.features.pixels import PixelStore
from nsnet.features.settings import Jpeg
from nsnet.features.views import ViewSettings, make_view

SETTINGS = ViewSettings(size=112, patch_size=16, grid=7, lowest=24, interpolation="bicubic")
JPEG = Condition("jpeg50", (Jpeg(op="jpeg", quality=50),))


@pytest.fixture
def files(tmp_path: Path, picture: Pixels) -> dict[str, Path]:
    found = {}
    for turn in range(4):
        path = tmp_path / f"{turn}.png"
        Image.fromarray(np.rot90(picture, turn)).save(path)
        found[file_sha256(path)] = path
    return found


def test_views_are_those_of_the_decoded_file(files: dict[str, Path]) -> None:
    source = PictureSource(files, SETTINGS)
    image_id, path = next(iter(files.items()))
    pixels = apply(JPEG, decode_rgb(path.read_bytes()), image_id)
    assert (source.pixels(image_id, JPEG) == pixels).all()
    found = source.views(image_id, JPEG, [("mosaic", 1), ("crop", 0)])
    for view, (name, draw) in zip(found, [("mosaic", 1), ("crop", 0)], strict=True):
        assert (view.pixels == make_view(name, pixels, image_id, draw, SETTINGS).pixels).all()
    assert (source.view(image_id, JPEG, "crop").pixels == found[1].pixels).all()


def test_a_replaced_picture_is_an_error_with_its_path(files: dict[str, Path]) -> None:
    (first, path), (second, other), *_ = files.items()
    source = PictureSource({first: other, second: path / "no", "0" * 64: path}, SETTINGS)
    with pytest.raises(ReplacedPicture, match=re.escape(f"{other}: has sha256 {second}, expected {first}")):
        source.pixels(first, CLEAN)
    with pytest.raises(ReplacedPicture, match="cannot be read"):
        source.view(second, CLEAN, "crop")
    with pytest.raises(ReplacedPicture, match="no file is known of picture 1111"):
        source.view("1" * 64, CLEAN, "crop")


def test_the_dataset_gives_what_is_asked_for(files: dict[str, Path]) -> None:
    source = PictureSource(files, SETTINGS)
    items = [(image_id, view, 0) for image_id in files for view in ("mosaic", "full")]
    batches = list(DataLoader(PictureDataset(source, CLEAN, items), batch_size=3))
    assert [len(batch) for batch in batches] == [3, 3, 2]
    together = np.concatenate(batches)
    for place, (image_id, view, draw) in enumerate(items):
        assert (together[place] == source.view(image_id, CLEAN, view, draw).pixels).all()


def test_a_block_is_built_once_and_mapped(tmp_path: Path, files: dict[str, Path]) -> None:
    source, image_ids = PictureSource(files, SETTINGS), list(files)
    store = PixelStore(tmp_path / "store", source)
    block = store.block(JPEG, "mosaic", 1, image_ids)
    assert isinstance(block, np.memmap) and not block.flags.writeable
    for place, image_id in enumerate(image_ids):
        assert (block[place] == source.view(image_id, JPEG, "mosaic", 1).pixels).all()
    for path in files.values():
        path.unlink()  # nothing is read again
    assert (store.block(JPEG, "mosaic", 1, image_ids) == block).all()
    assert not list(tmp_path.glob("store/.*"))
    for other in (
        lambda: store.block(CLEAN, "mosaic", 1, image_ids),
        lambda: store.block(JPEG, "mosaic", 0, image_ids),
    ):
        with pytest.raises(ReplacedPicture, match="4 pictures are not the ones that were ingested"):
            other()


@pytest.mark.parametrize("what", ["flip", "truncate", "note"])
def test_a_damaged_block_is_built_again(
    tmp_path: Path, files: dict[str, Path], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    store, image_ids = PixelStore(tmp_path / "store", PictureSource(files, SETTINGS)), list(files)
    before = np.array(store.block(CLEAN, "crop", 0, image_ids))
    path = next(tmp_path.glob("store/*.npy"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if what == "note":
        path.with_suffix(".json").write_text("{")
    else:
        path.write_bytes(content if what == "flip" else content[:1000])
    assert (store.block(CLEAN, "crop", 0, image_ids) == before).all()
    assert f"{path} is damaged" in capsys.readouterr().err
    assert path.with_name(path.name + ".damaged").exists()
