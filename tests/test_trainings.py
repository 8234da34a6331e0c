"""Training sets, and what a run is named by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from nsnet.features.conditions import Condition
from nsnet.semantics.null_space import Bases, orthonormal
from nsnet.training.sets import training_sets
from nsnet.training.settings import Train
from nsnet.training.trainings import plan
from tests.training import (
    BASIS,
    CLEAN,
    CNN,
    DETECTORS,
    LINEAR,
    NOBODY,
    WIDTH,
    FakeBackbone,
    sample_rows,
    samples,
    section,
)


def test_a_picture_listed_twice_counts_once() -> None:
    rows = sample_rows("a", 6, 4, 5)
    once, twice = training_sets(samples(rows)), training_sets(samples(rows, rows[:3], sample_rows("a", 0, 0, 9)))
    assert once == twice and once[0].checksum == twice[0].checksum
    assert len(once[0].train.image_ids) == 12


def test_training_sets_that_lack_a_class_are_all_named() -> None:
    rows = sample_rows("a", 6, 4) + sample_rows("b", 3, 2)
    bad = [row for row in rows if (row["training_set"], row["split"], row["label"]) != ("a", "validation", 1)]
    bad.append({**bad[0], "training_set": "b", "label": 1})
    bad.append({**bad[0], "training_set": "b"})
    with pytest.raises(ValueError, match=r"a: split validation has 4 real and 0 fake") as error:
        training_sets(samples(bad))
    assert f"b: split train calls {bad[0]['image_id']} real and fake" in str(error.value)
    with pytest.raises(ValueError, match="no training pictures"):
        training_sets(samples(sample_rows("a", 0, 0, 3)))


TUNED = {"rank": 2, "alpha": 2, "dropout": 0.0, "flip": False, "epochs": 1, "batch": 8, "lr": 0.1}
TUNED |= {"weight_decay": 0.0, "bce_weight": 0.2, "temperature": 0.07}


def planned(values: dict[str, Any], table: pl.DataFrame | None = None, **changes: Any) -> dict[str, str]:
    """run_id by detector, training set, condition and seed."""
    sets = training_sets(samples(sample_rows("a", 6, 4), sample_rows("b", 3, 2)) if table is None else table)
    conditions = changes.pop("conditions", {"clean": CLEAN})
    directions = changes.pop("bases", {one.name: BASIS for one in sets})
    bases = Bases({name: orthonormal(vectors) for name, vectors in directions.items()}, {})
    backbone = changes.pop("backbone", FakeBackbone())
    beside = changes.pop("companions", NOBODY)
    asked = Train.model_validate(values)
    return {one.title: one.run_id for one in plan(asked, sets, conditions, backbone, bases, beside)}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    """Detectors of which any run is another one now."""
    return {told.split(" on ")[0] for told in before if after[told] != before[told]}


def test_seeds_take_turns_on_the_draws_of_a_set() -> None:
    rows = [{**row, "draw": draw} for draw in (0, 1) for row in sample_rows("a", 6 + draw, 4)]
    table = samples(rows, sample_rows("b", 3, 2))
    sets = {(one.name, one.draw): one.checksum for one in training_sets(table)}
    assert set(sets) == {("a", 0), ("a", 1), ("b", None)} and len(set(sets.values())) == 3
    titles = planned(section(seeds=[0, 1, 2, 3]), table)
    assert {title.partition(" on ")[2] for title in titles} == {
        *(f"a, draw {seed % 2}, clean, seed {seed}" for seed in range(4)),
        *(f"b, clean, seed {seed}" for seed in range(4)),
    }
    with pytest.raises(ValueError, match="no seed trains on a, draw 1; expected 2 seeds, 0 and up"):
        planned(section(seeds=[0, 2]), table)


def test_a_run_is_named_by_what_determines_it_and_by_nothing_else() -> None:
    before = planned(section())
    assert len(set(before.values())) == 3 * 2 * 2
    defaults = {"linear": LINEAR, "cnn": {**CNN, "epochs": 9}}
    assert changed(before, planned(section(defaults=defaults))) == set()
    defaults = {"linear": {**LINEAR, "temperature": 0.1}, "cnn": CNN}
    assert changed(before, planned(section(defaults=defaults))) == {"nsnet"}
    defaults = {"linear": {**LINEAR, "lr": 0.1}, "cnn": CNN}
    assert changed(before, planned(section(defaults=defaults))) == {"nsnet", "plain", "random"}
    assert changed(before, planned(section(seeds=[0, 1, 2]))) == set()
    renamed = planned(section({"other": DETECTORS["plain"]}))
    assert set(renamed.values()) < set(before.values())
    other = {"a": BASIS[[1, 0, 2]], "b": BASIS}
    assert changed(before, planned(section(), bases=other)) == {"nsnet"}
    assert changed(before, planned(section(), bases={"a": BASIS[:2], "b": BASIS})) == {"nsnet", "random"}
    everything = {"nsnet", "plain", "random"}
    assert changed(before, planned(section(), backbone=FakeBackbone({"model": "x", "weights": None}))) == everything
    bf16 = section(runtime={"precision": "bf16-mixed"})
    assert changed(before, planned(bf16)) == everything
    tuned = {"tuned": {"kind": "lora", "view": "crop", **TUNED}}
    several = [planned(section(tuned, runtime={"devices": count})) for count in (1, 2)]
    assert changed(*several) == {"tuned"}  # each process draws numbers of its own
    heads = [planned(section(runtime={"devices": count})) for count in (1, 2)]
    assert changed(*heads) == set()  # which one process trains
    more_tests = samples(sample_rows("a", 6, 4, 9), sample_rows("b", 3, 2, 1))
    assert planned(section(), more_tests) == before
    grown = planned(section(), samples(sample_rows("a", 7, 4), sample_rows("b", 3, 2)))
    assert {told for told in before if before[told] != grown[told]} == {told for told in before if " on a," in told}


def test_twins_and_missing_files_are_named() -> None:
    conditions = {"clean": CLEAN, "same": Condition("same")}
    with pytest.raises(ValueError, match=r"plain on a, same, seed 0: the same .* as plain on a, clean, seed 0"):
        planned(section({"plain": {"view": "crop"}}, conditions=["clean", "same"]), conditions=conditions)
    pictured = {"x": {"view": "mosaic", "null_space": "cross-modal"}}
    with pytest.raises(ValueError, match=r"train.detectors.x: no directions for null_space cross-modal.* caption pool"):
        planned(section(pictured))
    published = {"published": {"kind": "published", "view": "crop", "weights": "nowhere.pth"}}
    with pytest.raises(ValueError, match=r"train.detectors.published: nowhere.pth does not exist"):
        planned(section(published))


def test_published_weights_are_part_of_the_identity(tmp_path: Path) -> None:
    file, found = tmp_path / "head.pth", []
    for bias in (0.0, 1.0):
        torch.save({"weight": torch.zeros(1, WIDTH), "bias": torch.tensor([bias])}, file)
        found.append(planned(section({"p": {"kind": "published", "view": "crop", "weights": str(file)}})))
    assert changed(*found) == {"p"}
