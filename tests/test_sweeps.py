"""Sweeps: which patches a rule takes, whose texts span the null space, and why a generator defeats a probe."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import timm
import torch
from scipy.stats import rankdata

from nsnet.features.views import ViewSettings, make_view
from nsnet.studies.failures import by_family, failures
from nsnet.studies.layer_probes import layer_means
from nsnet.studies.patch_sweep import Rule, rules
from tests.conftest import run

IMAGE_ID = "ab" * 32


def entropies(pixels: Any, size: int) -> Any:
    """Entropy of each patch by a loop, float64."""
    found = np.zeros((pixels.shape[0] // size, pixels.shape[1] // size))
    for row in range(found.shape[0]):
        for col in range(found.shape[1]):
            patch = pixels[row * size : (row + 1) * size, col * size : (col + 1) * size].astype(float)
            power = np.abs(np.fft.fft2(patch @ [0.299, 0.587, 0.114])) ** 2
            share = power[power > 0] / power.sum()
            found[row, col] = -(share * np.log2(share)).sum()
    return found


@pytest.fixture
def pixels(rng: np.random.Generator) -> Any:
    """224 x 224, noise of strengths that differ from patch to patch."""
    strength = np.kron(rng.uniform(1, 60, (28, 28)), np.ones((8, 8)))[:, :, None]
    return np.clip(128 + strength * rng.standard_normal((224, 224, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)


def places(shown: Any, pixels: Any, size: int) -> list[int]:
    """Raster index, in the picture, of each patch of a mosaic."""
    cols = pixels.shape[1] // size
    known = {
        pixels[r * size : (r + 1) * size, c * size : (c + 1) * size].tobytes(): r * cols + c
        for r in range(pixels.shape[0] // size)
        for c in range(cols)
    }
    side = shown.shape[0] // size
    return [
        known[np.ascontiguousarray(shown[r * size : (r + 1) * size, c * size : (c + 1) * size]).tobytes()]
        for r in range(side)
        for c in range(side)
    ]


def test_rules_take_the_patches_that_they_name(pixels: Any) -> None:
    found = {
        rule.name if rule.grid == 7 else rule.grid: (
            rule,
            places(rule.mosaic(pixels, IMAGE_ID), pixels, rule.patch_size),
        )
        for rule in rules(112)
    }
    assert len(found) == len(rules(112)) == 9
    ranks: Any = rankdata(entropies(pixels, 16).ravel(), "ordinal") - 1  # 0 is the lowest of 196
    for rule, chosen in found.values():
        assert len(chosen) == len(set(chosen)) == rule.grid**2 and rule.grid * rule.patch_size == 112
        assert (chosen == sorted(chosen)) != rule.shuffled
    assert set(ranks[found["all of lowest entropy"][1]]) == set(range(49))
    assert set(ranks[found["all of highest entropy"][1]]) == set(range(147, 196))
    both = set(range(24)) | set(range(171, 196))
    assert set(ranks[found["both (the paper)"][1]]) == set(ranks[found["both, in their places"][1]]) == both
    assert set(found["any"][1]) == set(found["any, in their places"][1])
    assert 60 < np.mean(ranks[found["any"][1]]) < 135  # 97.5 on average, standard error 8


def test_the_papers_rule_is_the_pipelines_view_but_for_the_shuffle(pixels: Any) -> None:
    view = make_view("mosaic", pixels, IMAGE_ID, 0, ViewSettings(112, 16, 7, 24, "bicubic"))
    shown = Rule("both", 16, 7).mosaic(pixels, IMAGE_ID)
    assert sorted(places(shown, pixels, 16)) == sorted(places(view.pixels, pixels, 16))
    assert np.array_equal(shown, Rule("both", 16, 7).mosaic(pixels, IMAGE_ID))
    assert not np.array_equal(shown, Rule("both", 16, 7).mosaic(pixels, "cd" * 32))


def test_a_generator_is_unseen_or_its_traces_are_opposite(rng: np.random.Generator) -> None:
    """Training fakes differ in dimension 0; of the held-out ones one does too, one against it, and one in nothing."""
    count = 200
    shifts: dict[str, int | None] = {"reals": None, "same": 3, "other": -3, "none": None}
    features: list[Any] = []
    generators = {}
    for number, (name, shift) in enumerate(shifts.items()):
        rows = rng.standard_normal((count, 6))
        if shift is not None:
            rows[:, 0] += shift
        features.append(rows)
        generators[name] = np.arange(number * count, (number + 1) * count)
    labels = np.repeat([0, 1, 1, 1], count)
    train = np.concatenate([features[0], features[1]]) + 0.1 * rng.standard_normal((2 * count, 6))
    study: Any = SimpleNamespace(
        view="mosaic",
        draws=2,
        per_class=count,
        fixed={"cross-modal": SimpleNamespace(projection=np.eye(6))},
        test=SimpleNamespace(features=np.concatenate(features), labels=labels, generators=generators),
        train=SimpleNamespace(
            features=train, labels=np.repeat([0, 1], count), dosed=lambda dose, per_class, seed: np.arange(2 * count)
        ),
        held_out=SimpleNamespace(generators=["same", "other", "none"]),
    )
    found = failures(study, {"same": "a", "other": "b", "none": "c"})
    told = {row["generator"]: row for row in found.to_dicts()}
    assert told["same"]["knows it"] > 0.95 and told["same"]["does not"] > 0.95 and told["same"]["cosine"] > 0.9
    assert told["other"]["knows it"] > 0.95 and told["other"]["does not"] < 0.05 and told["other"]["cosine"] < -0.9
    assert 0.4 < told["none"]["knows it"] < 0.6 and 0.4 < told["none"]["does not"] < 0.6  # standard error 0.03
    families = by_family(found)
    assert families.sort("family").select("unseen", "opposite").rows() == [(0, 0), (0, 1), (1, 0)]


def test_means_of_layers_are_those_of_a_pass_layer_by_layer() -> None:
    trunk: Any = timm.create_model("vit_tiny_patch16_224", img_size=32, num_classes=0).eval()
    pixels = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    found = layer_means(trunk, pixels)
    with torch.inference_mode():
        tokens = trunk.norm_pre(trunk.patch_drop(trunk._pos_embed(trunk.patch_embed(pixels))))
        expected = [tokens.mean(dim=1)]
        for block in trunk.blocks:
            tokens = block(tokens)
            expected.append(tokens.mean(dim=1))
        assert len(found) == 13 and all(map(torch.equal, found, expected))
        assert not trunk.blocks[0]._forward_hooks and not trunk.blocks[0]._forward_pre_hooks


def test_layers_of_a_project(project: Path) -> None:
    lines = run(project, "nsnet", "lab", "layers", "--view", "crop").stdout.splitlines()
    assert lines[0] == "| view | after layer | content | fake |"
    assert [line.split(" | ")[1] for line in lines[2:]] == ["before the first", "1", "2", "3", "4"]


def test_failures_of_a_project(project: Path) -> None:
    shown = run(project, "nsnet", "lab", "failures", "--view", "crop").stdout
    assert shown.startswith("| view | family | generators | knows it | does not | cosine | opposite | unseen |")
