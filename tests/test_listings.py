"""Suites that list their pictures themselves: in part, with faults, and beside other corpora."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nsnet.corpus.ingest import ingest
from nsnet.corpus.manifests import listed_roles
from tests.trees import coco, draw, entry, sd_samples


def test_suites_are_read_as_they_list_themselves_and_in_part(tmp_path: Path) -> None:
    entries = [entry("Qwen/Qwen-Image", "Cute robot"), entry("someone/New", "Cute robot"), entry("x/Gone", "Hypercar")]
    sd_samples(tmp_path / "sd-samples", entries, 2)
    draw(tmp_path / "sd-samples/images/stray.jpg", 50)
    coco(tmp_path / "COCO-MINI", [" A man on a boat. ", "A red bus."])
    draw(tmp_path / "imagenet-sample-images/n01440764_great_white_shark.JPEG", 60)
    corpus = ingest(tmp_path, tmp_path / "index.parquet")
    columns = ["suite", "generator", "family", "label", "split", "real_pool", "class_name", "caption", "cluster"]
    rows = corpus.samples.sort("suite", "generator", "caption").select(columns).rows()
    assert rows == [
        ("coco-mini", "coco-mini", "real", 0, "test", "coco-mini", None, "A man on a boat.", None),
        ("coco-mini", "coco-mini", "real", 0, "test", "coco-mini", None, "A red bus.", None),
        (*("imagenet-samples", "imagenet-samples", "real", 0, "test", "imagenet-samples"),
         *("great white shark", "a photo of a great white shark", None)),
        *(
            ("sd-samples", name, family, 1, "test", "photographs", "Cute robot", "Cute robot, detailed", "Cute robot")
            for name, family in (("qwen-image", "mmdit"), ("someone/New", "unknown"))
        ),
    ]  # fmt: skip
    reasons = dict(corpus.images.filter(status="rejected").select("path", "reason").iter_rows())
    assert reasons == {"sd-samples/images/stray.jpg": "not listed in the manifest"}


def test_a_suite_may_be_the_whole_tree(tmp_path: Path) -> None:
    sd_samples(tmp_path / "sd-samples", [entry("Qwen/Qwen-Image", "Cute robot")], 1)
    roles, governed = listed_roles(tmp_path / "sd-samples", "sd-samples", None)
    assert [role.path for role in roles] == ["images/Qwen-Image__Cute robot.jpg"] and "" in governed
    named, _ = listed_roles(tmp_path / "sd-samples", "elsewhere", "sd-samples")
    assert named == roles


def test_a_listing_leads_nowhere_else(tmp_path: Path) -> None:
    draw(tmp_path / "secret.jpg", 1)
    out = {**entry("Qwen/Qwen-Image", "a"), "image": "../../secret.jpg"}
    sd_samples(tmp_path / "sd-samples", [entry("Qwen/Qwen-Image", "b")], 1)
    (tmp_path / "sd-samples/images.json").write_text(json.dumps([out]))
    assert listed_roles(tmp_path, "x", None)[0] == []


def test_faults_of_a_listing_are_told_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "sd-samples"
    folder.mkdir()
    (folder / "images.json").write_text(json.dumps([{"repo": 3, "style": "a", "prompt": "b", "image": "c"}, {}]))
    with pytest.raises(ValueError, match=r"images.json has 5 fault\(s\):\n  0.repo: .*\n  1.repo: Field required"):
        listed_roles(tmp_path, "x", None)
    (folder / "images.json").write_text("[")
    with pytest.raises(ValueError, match=r"images.json cannot be read"):
        listed_roles(tmp_path, "x", None)
    (tmp_path / "coco-mini").mkdir()
    (folder / "images.json").write_text("[]")
    with pytest.raises(ValueError, match=r"coco-mini: expected annotations/captions_<split>.json"):
        listed_roles(tmp_path, "x", None)
