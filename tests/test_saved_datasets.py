"""Folders that `save_to_disk` of Hugging Face's `datasets` writes, made here with pyarrow in the same form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from nsnet.corpus.saved_datasets import is_saved_dataset, unpack
from tests.conftest import ROOT
from tests.predictors import nsnet as command
from tests.trees import draw, read

PICTURE = pa.struct({"bytes": pa.binary(), "path": pa.string()})
IMAGE = {"_type": "Image"}
TEXT = {"dtype": "string", "_type": "Value"}
# Classes in the order of the alphabet, as `datasets` has them: 0 is fake.
CLASSES: dict[str, Any] = {"names": ["fake", "real"], "_type": "ClassLabel"}


def save(
    folder: Path, columns: dict[str, tuple[dict[str, Any], pa.Array]], split: str | None = "train", streams: int = 1
) -> Path:
    """What `Dataset.save_to_disk` writes: streams with the features in their schema, dataset_info.json, state.json."""
    folder.mkdir(parents=True, exist_ok=True)
    features = {name: facts for name, (facts, _) in columns.items()}
    schema = pa.schema([(name, cells.type) for name, (_, cells) in columns.items()])
    schema = schema.with_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    table = pa.Table.from_arrays([cells for _, cells in columns.values()], schema=schema)
    names = [f"data-{number:05}-of-{streams:05}.arrow" for number in range(streams)]
    share = -(-table.num_rows // streams)
    for number, name in enumerate(names):
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, schema) as writer:
            writer.write_table(table.slice(number * share, share), max_chunksize=2)
    info = {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
    (folder / "dataset_info.json").write_text(json.dumps(info, indent=2))
    state: dict[str, Any] = {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": "5d1d9ff4a6a4c0e1",
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": split,
    }
    (folder / "state.json").write_text(json.dumps(state, indent=2))
    return folder


def pictures(tmp_path: Path, seeds: range) -> pa.Array:
    files = [draw(tmp_path / f"source/{seed}.jpg", seed) for seed in seeds]
    return pa.array([{"bytes": file.read_bytes(), "path": f"/home/me/{file.name}"} for file in files], PICTURE)


def labelled(tmp_path: Path, seeds: range) -> dict[str, tuple[dict[str, Any], pa.Array]]:
    """Pictures, half of them fake, with captions."""
    count = len(seeds)
    return {
        "image": (IMAGE, pictures(tmp_path, seeds)),
        "label": (CLASSES, pa.array([number % 2 for number in range(count)], pa.int64())),
        "text": (TEXT, pa.array([f"picture {seed}" for seed in seeds])),
        "score": ({"dtype": "float32", "_type": "Value"}, pa.array([0.5] * count, pa.float32())),
    }


def test_splits_classes_and_captions_arrive_and_bytes_stay(tmp_path: Path) -> None:
    saved = tmp_path / "photos"
    for number, split in enumerate(("train", "validation", "test")):
        save(saved / split, labelled(tmp_path, range(5 * number, 5 * number + 5)), split, streams=2)
    (saved / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    assert is_saved_dataset(saved)
    folder = unpack(saved, tmp_path / "unpacked")
    assert folder.name == "photos" and folder.parent.parent == tmp_path / "unpacked"
    rows = (folder / "manifest.csv").read_text().splitlines()
    assert rows[:3] == ["path,split,label,caption", "train/0000000.jpg,train,fake,picture 0",
                        "train/0000001.jpg,train,real,picture 1"]  # fmt: skip
    for seed in range(15):
        split, number = ("train", "validation", "test")[seed // 5], seed % 5
        assert (folder / split / f"{number:07}.jpg").read_bytes() == (tmp_path / f"source/{seed}.jpg").read_bytes()
    corpus = read(folder)
    assert corpus.images.filter(status="used").height == 15
    told = dict(corpus.samples.select("caption", "label").iter_rows())
    assert told == {f"picture {seed}": int(seed % 5 % 2 == 0) for seed in range(15)}
    assert set(corpus.samples["suite"]) == {"photos"}


def test_ingest_unpacks_once_and_accounts_for_every_row(tmp_path: Path) -> None:
    columns = labelled(tmp_path, range(4))
    cells = columns["image"][1].to_pylist()
    cells[1]["bytes"] = None  # the picture lies elsewhere
    cells[2] = None
    cells[3]["path"] = None  # made from an array
    columns["image"] = (IMAGE, pa.array(cells, PICTURE))
    save(tmp_path / "saved", columns, split=None)
    words = ["ingest", str(tmp_path / "saved"), "--out", "out"]
    told = command(tmp_path, *words)
    assert told.exit_code == 0 and "corpus: 4 images in = 2 used + 2 rejected" in told.stdout
    [folder] = (tmp_path / "out/unpacked").glob("*/saved")
    assert f"nsnet score {folder.relative_to(tmp_path)} --out out" in told.stdout
    assert (folder / "test/0000003").is_file() and not (folder / "test/0000001.jpg").exists()
    before = folder.stat().st_mtime_ns
    assert command(tmp_path, *words).exit_code == 0 and folder.stat().st_mtime_ns == before
    # Other labels are another dataset, though its pictures and columns are the same.
    save(tmp_path / "saved", columns | {"label": (CLASSES, pa.array([1, 0, 1, 0], pa.int64()))}, split=None)
    assert command(tmp_path, *words).exit_code == 0
    assert len(list((tmp_path / "out/unpacked").iterdir())) == 2


@pytest.mark.parametrize(
    ("facts", "cells", "labels"),
    [
        (CLASSES, pa.array([0, 1], pa.int64()), ["fake", "real"]),
        ({"dtype": "bool", "_type": "Value"}, pa.array([True, False]), ["1", "0"]),
        ({"dtype": "int64", "_type": "Value"}, pa.array([0, 1]), ["0", "1"]),
        (TEXT, pa.array(["real", "Fake"]), ["real", "Fake"]),
        (CLASSES, pa.array([-1, None], pa.int64()), ["", ""]),
    ],
)
def test_labels_of_every_type(tmp_path: Path, facts: dict[str, Any], cells: pa.Array, labels: list[str]) -> None:
    columns = {"labels": (facts, cells), "img": (IMAGE, pictures(tmp_path, range(2)))}
    folder = unpack(save(tmp_path / "saved", columns), tmp_path / "out")
    lines = (folder / "manifest.csv").read_text().splitlines()[1:]
    assert [line.split(",")[2].strip('"') for line in lines] == labels
    if "" in labels:
        with pytest.raises(ValueError, match=r"(?s)2 fault.*line 2: label ''.*line 3: label ''"):
            read(folder)


def test_faults_come_all_at_once_and_nothing_is_written(tmp_path: Path) -> None:
    saved = save(tmp_path / "saved", {"label": ({**CLASSES, "names": ["cat", "real"]}, pa.array([0]))}, "holdout")
    state = json.loads((saved / "state.json").read_text())
    (saved / "state.json").write_text(json.dumps(state | {"_data_files": [{"filename": "../elsewhere.arrow"}]}))
    (tmp_path / "elsewhere.arrow").touch()
    with pytest.raises(ValueError, match=(
        r"(?s)4 fault\(s\).*\['../elsewhere.arrow'\]; expected names of files beside it.*split 'holdout'.*"
        r"columns of type Image: \[\].*classes \['cat'\] of label"
    )):  # fmt: skip
        unpack(saved, tmp_path / "out")
    (saved / "dataset_dict.json").write_text('{"splits": ["../.."]}')
    with pytest.raises(ValueError, match=r"splits \['../..'\]; expected names of folders"):
        unpack(saved, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("damage", ["cut", "cut between batches", "other", "column", "class"])
def test_streams_that_are_not_what_is_said_leave_nothing(tmp_path: Path, damage: str) -> None:
    columns = labelled(tmp_path, range(4))
    if damage == "class":
        columns["label"] = CLASSES, pa.array([0, 1, 2, 0], pa.int64())
    saved = save(tmp_path / "saved", columns)
    [stream] = saved.glob("*.arrow")
    if damage == "cut":
        stream.write_bytes(stream.read_bytes()[:-9000])
    elif damage == "cut between batches":
        with pa.ipc.open_stream(stream.read_bytes()) as reader, stream.open("wb") as sink:
            writer = pa.ipc.new_stream(sink, reader.schema)
            writer.write_batch(reader.read_next_batch())  # and never closed
            sink.flush()
    elif damage == "other":
        stream.write_bytes(b"no arrow stream")
    elif damage == "column":
        info = json.loads((saved / "dataset_info.json").read_text())
        info["features"]["generator"] = TEXT
        (saved / "dataset_info.json").write_text(json.dumps(info))
    with pytest.raises(ValueError, match=r"arrow is not what dataset_info\.json beside it says"):
        unpack(saved, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_folder_of_pictures_is_no_saved_dataset(tmp_path: Path) -> None:
    draw(tmp_path / "0_real/a.png", 1)
    assert not is_saved_dataset(tmp_path) and not is_saved_dataset(ROOT)
