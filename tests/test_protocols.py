"""Protocols: who is trained on what, what is left to be tested, and what cannot be drawn."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from nsnet.corpus.layouts import Role
from nsnet.corpus.protocols import drawn_roles
from nsnet.corpus.settings import Protocols

# Key in the registry, family, month of release before 2024-06.
MODELS = {
    "sdxl-base-v10-vaefix": ("u-net", True),
    "kandinsky-2-2-decoder": ("u-net", True),
    "qwen-image": ("mmdit", False),
    "flux_1-dev": ("mmdit", False),
    "sana1_5_1_6b_1024px_diffusers": ("dit", False),
}
STYLES = [f"scene {number}" for number in range(10)]
CLAUSES = {
    "two": {"kind": "generators", "generators": 2, "draws": 5},
    "biased": {"kind": "generators", "generators": 3, "draws": 2, "biased": True},
    "family-left-out": {"kind": "family"},
    "older": {"kind": "older", "before": "2024-06"},
}


def settings(**changes: Any) -> Protocols:
    common = {"fakes": ["sd-samples"], "reals": ["coco-mini", "imagenet-samples"], "seed": 0, "content": ["man"]}
    shares = {"pool": 0.4, "train": 0.3, "validation": 0.2}
    return Protocols.model_validate({**common, **shares, "training_sets": CLAUSES, **changes})


def placed() -> list[Role]:
    roles = [Role("own/a.png", "own", 1, "x", "unknown", "test", "real")]
    for name, (family, _) in MODELS.items():
        for number, style in enumerate(STYLES):
            caption = "a man at sea" if number % 2 else "a boat at sea"
            facts = ("sd-samples", 1, name, family, "test", "photographs", style, None, caption, "prompt")
            roles.append(Role(f"sd/{name}/{style}.jpg", *facts, cluster=style))
    for suite, count in (("coco-mini", 40), ("imagenet-samples", 100)):
        for number in range(count):
            caption = "A man." if number % 4 == 0 else "A mangle."
            photograph = (suite, 0, suite, "real", "test", suite, None, None, caption, "dataset")
            roles.append(Role(f"{suite}/{number}.jpg", *photograph))
    return roles


def by_place(roles: list[Role]) -> dict[tuple[str | None, int | None], list[Role]]:
    places = defaultdict(list)
    for role in roles:
        if role.split in ("train", "validation"):
            places[role.training_set, role.draw].append(role)
    return dict(places)


def test_a_draw_trains_on_its_generators_and_leaves_the_pool_alone() -> None:
    roles = drawn_roles(placed(), settings())
    assert roles[0].suite == "own"  # other suites are as they were
    pool = {role.path for role in roles if role.split == "semantics"}
    assert len(pool) == 0.4 * 140
    places = by_place(roles)
    assert set(places) == {*(("two", n) for n in range(5)), *(("biased", n) for n in range(2)), ("older", 0)} | {
        ("family-left-out", n) for n in range(3)
    }
    for mine in places.values():
        assert not pool & {role.path for role in mine}
        sides = {split: {role.path for role in mine if role.split == split} for split in ("train", "validation")}
        assert not sides["train"] & sides["validation"]
        scenes = {split: {role.cluster for role in mine if role.split == split and role.label} for split in sides}
        assert scenes["train"] and scenes["validation"] and not scenes["train"] & scenes["validation"]
        assert sum(role.label == 0 for role in mine) == pytest.approx(0.3 * 140, abs=12)


def test_every_generator_has_its_turn_before_one_comes_again() -> None:
    places = by_place(drawn_roles(placed(), settings()))
    turns = [{role.generator for role in places["two", draw] if role.label} for draw in range(5)]
    assert all(len(one) == 2 for one in turns)
    assert turns[0] & turns[1] == set() and len(turns[0] | turns[1] | turns[2]) == 5
    counts = [sum(name in one for one in turns) for name in MODELS]
    assert counts == [2] * 5
    reals = [{role.path for role in places["two", draw] if not role.label} for draw in range(5)]
    assert reals[0] != reals[1]


def test_a_family_is_left_out_and_the_older_are_older() -> None:
    places = by_place(drawn_roles(placed(), settings()))
    left = [set(MODELS) - {role.generator for role in places["family-left-out", n] if role.label} for n in range(3)]
    assert left == [
        {name for name, facts in MODELS.items() if facts[0] == family} for family in ("dit", "mmdit", "u-net")
    ]
    older = {role.generator for role in places["older", 0] if role.label}
    assert older == {name for name, facts in MODELS.items() if facts[1]}


def test_a_biased_set_is_tested_as_trained_and_swapped() -> None:
    roles = drawn_roles(placed(), settings())
    for draw in range(2):
        for role in by_place(roles)["biased", draw]:
            assert ("man" in (role.caption or "").casefold().strip(".").split()) == bool(role.label)
    tests = {suite: [role for role in roles if role.suite == suite and role.split == "test"] for suite in
             ("sd-samples", "sd-samples-paired", "sd-samples-swapped")}  # fmt: skip
    sides = {
        suite: {(role.label, "man" in (role.caption or "").casefold().strip(".").split()) for role in mine}
        for suite, mine in tests.items()
    }
    assert sides == {
        "sd-samples": {(0, False), (0, True), (1, False), (1, True)},
        "sd-samples-paired": {(0, False), (1, True)},
        "sd-samples-swapped": {(0, True), (1, False)},
    }
    assert {role.real_pool for mine in tests.values() for role in mine} == {"photographs"}
    assert {role.generator for role in tests["sd-samples"] if not role.label} == {"coco-mini", "imagenet-samples"}
    assert sum(map(len, list(tests.values())[1:])) == len(tests["sd-samples"])


def test_a_new_picture_moves_no_other() -> None:
    before = drawn_roles(placed(), settings())
    more = Role("coco-mini/new.jpg", "coco-mini", 0, "coco-mini", "real", "test", "coco-mini", caption="A mangle.")
    after = drawn_roles([*placed(), more], settings())
    moved = {role.path for role in before if role.split == "semantics"} ^ {
        role.path for role in after if role.split == "semantics"
    }
    assert len(moved - {"coco-mini/new.jpg"}) <= 1  # the share may round to one more


def test_what_cannot_be_drawn_is_told_at_once() -> None:
    sets = {
        "all": {"kind": "generators", "generators": 5, "draws": 1},
        "early": {"kind": "older", "before": "2020-01"},
    }
    with pytest.raises(ValueError, match=r"all: 5 of 5 generators leave none .*\n.*early: 0 of 5 generators are older"):
        drawn_roles(placed(), settings(training_sets=sets))
    with pytest.raises(ValueError, match=r"fakes: genimage has no fake here\n  reals: aigibench has no real here"):
        drawn_roles(placed(), settings(fakes=["genimage"], reals=["aigibench"]))
    undated = [
        *placed(),
        Role("sd/u.jpg", "sd-samples", 1, "unheard-of", "unknown", "test", "photographs", caption="a"),
    ]
    with pytest.raises(ValueError, match=r"older: the registry knows no month of release of unheard-of"):
        drawn_roles(undated, settings())
    with pytest.raises(ValueError, match="biased: draw 0 has 0 fakes"):
        drawn_roles(placed(), settings(content=["zebra"]))
    with pytest.raises(ValueError, match="none are left to be tested"):
        settings(pool=0.7)
