"""The registry: what it counts, how it finds a folder, which faults it reports, and its pages."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nsnet.cli.suites import app
from nsnet.params import Params
from nsnet.suites import FOLDER, Registry, build_registry, protocols, suite, suites
from nsnet.suites.page import BY_HAND, OVERVIEW, pages, write_pages
from tests.conftest import ROOT

GAN_HALF = {"progan", "cyclegan", "biggan", "stylegan", "gaugan", "stargan"} | (
    {"deepfake", "seeingdark", "san", "crn", "imle"}
)
DIFFUSION_HALF = {"dalle", "glide_100_10", "glide_100_27", "glide_50_27", "guided", "ldm_100", "ldm_200", "ldm_200_cfg"}
# As section 3 of the method lists them.
GENIMAGE_SEVEN = ["Midjourney", "SDv1.5", "ADM", "GLIDE", "Wukong", "VQDM", "BigGAN"]
AIGIBENCH = [
    "ProGAN", "R3GAN", "StyleGAN3", "StyleGAN-XL", "StyleSwim", "WFIR", "BlendFace", "E4S", "FaceSwap", "InSwap",
    "SimSwap", "FLUX1-dev", "Imagen3", "Midjourney-V6", "SD3", "SDXL", "GLIDE", "DALLE-3", "BLIP", "Infinite-ID",
    "InstantID", "IP-Adapter", "PhotoMaker", "CommunityAI", "SocialRF",
]  # fmt: skip


def small() -> dict[str, Any]:
    """Two suites and a protocol without fault, as the YAML files would hold them."""
    facts = {"title": "T", "citation": "C", "licence": "L", "hosts": [], "layouts": {"labelled": "<generator>"}}
    generators = {key: {"name": key, "family": "gan", "folders": [key]} for key in ("one", "two")}
    training = {"set": {"title": "S", "sources": [{"generator": "one", "family": "gan", "folders": ["one"]}]}}
    return {
        "suites": {
            "first": {**facts, "generators": generators, "training_sets": training},
            "second": {**facts, "generators": copy.deepcopy(generators)},
        },
        "protocols": {"pair": {"title": "P", "statement": "Ours.", "size": 2, "members": ["first/one", "second/two"]}},
    }


def built(raw: dict[str, Any]) -> Registry:
    return build_registry(raw["suites"], raw["protocols"])


def test_generators_per_suite() -> None:
    assert {key: len(found.generators) for key, found in suites().items()} == {
        "universalfakedetect": 19,
        "forensynths": 13,
        "genimage": 8,
        "aigcdetectbenchmark": 17,
        "aigibench": 25,
        "chameleon": 1,
        "sd-samples": 64,
        "imagenet-samples": 0,
        "coco-mini": 0,
        "lab": 40,
    }
    assert {path.stem for path in (FOLDER / "registry").iterdir()} == {*suites(), "protocols"}


def test_universalfakedetect_is_eleven_domains_of_forensynths_and_eight_more() -> None:
    generators = suite("universalfakedetect").generators
    assert set(generators) == GAN_HALF | DIFFUSION_HALF and len(GAN_HALF) == 11
    assert set(suite("forensynths").generators) - GAN_HALF == {"stylegan2", "whichfaceisreal"}
    pools = {key: generators[key].real_pool for key in DIFFUSION_HALF}
    assert pools == {key: "imagenet" if key == "guided" else "laion" for key in DIFFUSION_HALF}
    for key in GAN_HALF:
        assert generators[key].n_total == suite("forensynths").generators[key].n_total
        assert f"forensynths/{key}" in generators[key].same_as


@pytest.mark.parametrize(
    ("where", "key", "folders"),
    [
        ("genimage", "sdv1_4", ["Stable Diffusion V1.4", "stable_diffusion_v_1_4", "imagenet_ai_0419_sdv4", "SD V1.4"]),
        ("genimage", "wukong", ["WUKONG", "imagenet_ai_0424_wukong"]),
        ("aigibench", "inswap", ["InSwap", "ImSwap"]),
        ("aigibench", "midjourney-v6", ["Midjourney", "midjourney_v6"]),
        ("forensynths", "seeingdark", ["sitd", "Seeing dark"]),
        ("universalfakedetect", "glide_100_27", ["Glide-100-27"]),
        ("genimage", None, ["Stable Diffusion V1", "imagenet", "", "--"]),  # a part of a name is not the name
    ],
)
def test_find_by_odd_names(where: str, key: str | None, folders: list[str]) -> None:
    for folder in folders:
        found = suite(where).find(folder)
        assert (found.key if found else None) == key, folder


def test_find_pool() -> None:
    found = suite("universalfakedetect").find_pool("LAION")
    assert found is not None and found.n is not None and found.n.value == 1000
    # Reals beside the fakes have no folder: the name belongs to the generator.
    assert suite("universalfakedetect").find_pool("progan") is None
    assert suite("genimage").pools["adm"].folders == []


def test_unknown_names_get_near_names_and_the_list() -> None:
    with pytest.raises(ValueError, match=r"did you mean genimage.*Known: aigcdetectbenchmark, aigibench"):
        suite("genimag")


def test_paper40_is_the_reading_of_the_method() -> None:
    expected = {f"universalfakedetect/{key}" for key in DIFFUSION_HALF}
    for where, names in (("genimage", GENIMAGE_SEVEN), ("aigibench", AIGIBENCH)):
        for name in names:
            found = suite(where).find(name)
            assert found is not None, name
            expected.add(f"{where}/{found.key}")
    (paper40,) = protocols().values()
    assert set(paper40.members) == expected and len(expected) == len(paper40.members) == 40
    assert paper40.key == "paper40" and "reading" in paper40.statement


def test_same_pictures_both_ways_and_alike() -> None:
    members = {f"{key}/{name}": g for key, found in suites().items() for name, g in found.generators.items()}
    for member, generator in members.items():
        for other in generator.same_as:
            assert set(members[other].same_as) | {other} == set(generator.same_as) | {member}
            assert members[other].family == generator.family
            assert members[other].in_domain_for == generator.in_domain_for
    assert members["aigibench/wfir"].same_as == ["aigcdetectbenchmark/whichfaceisreal", "forensynths/whichfaceisreal"]
    # Nothing in our sources says that other suites hold GenImage's own pictures.
    assert not any(generator.same_as for generator in suite("genimage").generators.values())


def test_in_domain() -> None:
    seen = {
        f"{key}/{name}"
        for key, found in suites().items()
        for name, generator in found.generators.items()
        if "setting-ii" in generator.in_domain_for
    }
    progan = {f"{key}/progan" for key in ("universalfakedetect", "forensynths", "aigcdetectbenchmark", "aigibench")}
    assert seen == progan | {"genimage/sdv1_4", "aigcdetectbenchmark/sdv1_4"}


def test_lab_says_what_params_say(params: Params) -> None:
    for training_set in suite("lab").training_sets.values():
        assert [source.generator for source in training_set.sources] == params.lab.train_simulators
    for key, generator in suite("lab").generators.items():
        assert bool(generator.in_domain_for) == (key in params.lab.train_simulators)
        assert generator.note and generator.native_size == 224
    found = suite("lab").find_pool("lab-photographs")
    assert found is not None


def test_all_faults_of_suites_at_once() -> None:
    raw = small()
    assert built(raw).suites["first"].pools["one"].folders == []
    raw["suites"]["first"]["generators"]["two"] |= {"folders": ["O-N-E"], "real_pool": "too"}
    raw["suites"]["second"]["generators"]["one"]["real_pool"] = "tow"
    with pytest.raises(ValueError, match=r"3 fault\(s\)") as caught:
        built(raw)
    for part in (
        "suites.first: generator two: the name 'one', case and punctuation aside, is that of generator one too",
        "suites.first: generator two: real_pool: unknown 'too'",
        "suites.second: generator one: real_pool: unknown 'tow'; did you mean two",
    ):
        assert part in str(caught.value)


def test_a_protocol_names_no_picture_twice() -> None:
    raw = small()
    raw["suites"]["second"]["generators"]["one"]["same_as"] = ["first/one"]
    raw["protocols"]["pair"]["members"] = ["first/one", "second/one"]
    with pytest.raises(ValueError, match="protocol pair: first/one and second/one are the same pictures"):
        built(raw)


def test_all_faults_between_suites_at_once() -> None:
    raw = small()
    raw["suites"]["first"]["generators"]["one"] |= {"in_domain_for": ["sett"], "same_as": ["second/on"]}
    raw["suites"]["second"]["training_sets"] = copy.deepcopy(raw["suites"]["first"]["training_sets"])
    raw["protocols"]["pair"]["members"] = ["first/one", "first/one", "first/three"]
    with pytest.raises(ValueError, match=r"5 fault\(s\)") as caught:
        built(raw)
    for part in (
        "first/one: in_domain_for: unknown 'sett'; did you mean set?",
        "first/one: same_as: unknown 'second/on'; did you mean second/one",
        "training set set is defined by first and by second",
        "protocol pair: members: unknown 'first/three'",
        "protocol pair: expected 2 members, got 3, 2 of them distinct",
    ):
        assert part in str(caught.value)


def test_faults_of_fields_name_their_place() -> None:
    raw = small()
    three = {"value": 3, "certainty": "read"}
    raw["suites"]["first"]["generators"]["one"] |= {"famly": "gan", "family": "gann", "n_fake": {**three, "about": 7}}
    raw["suites"]["second"]["generators"]["one"] |= {"n_real": three, "n_fake": three, "n_total": three}
    with pytest.raises(ValueError, match=r"4 fault\(s\)") as caught:
        built(raw)
    for part in ("first.generators.one.famly", "first.generators.one.family", "n_fake.about", "sum to 6, n_total is 3"):
        assert part in str(caught.value)


def test_pages_are_what_the_registry_says(tmp_path: Path) -> None:
    folder = ROOT / "docs/suites"
    assert {file.stem for file in folder.glob("*.md")} == {OVERVIEW, *suites(), *protocols()}
    for name, text in pages().items():
        made, mark, by_hand = (folder / f"{name}.md").read_text(encoding="utf-8").partition(BY_HAND)
        assert made.strip() == text.strip() and "nsnet suites pages docs/suites" in made.splitlines()[0]
        # Every suite says against what it was checked, and how its page changed.
        assert name not in suites() or (mark and "## Checked against" in by_hand and "## Changes" in by_hand)
    shutil.copytree(folder, tmp_path / "suites")
    assert len(write_pages(tmp_path / "suites")) == len(pages())
    for file in folder.glob("*.md"):
        assert (tmp_path / "suites" / file.name).read_bytes() == file.read_bytes()
    # The pages name every suite, generator and training set.
    for key, found in suites().items():
        assert f"[{key}]({key}.md)" in pages()[OVERVIEW] and f"# {found.title}\n" in pages()[key]
        assert all(f"| {each} |" in pages()[key] for each in (*found.generators, *found.training_sets))


def test_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["list"])
    assert listed.exit_code == 0 and all(name in listed.output for name in (*suites(), *protocols()))
    for name, found in suites().items():
        shown = runner.invoke(app, ["show", name])
        starts = {line.split()[0] for line in shown.output.splitlines() if line.strip()}
        assert shown.exit_code == 0 and set(found.generators) <= starts
    forty = runner.invoke(app, ["show", "paper40"]).output
    assert "our reading" in forty and "sdv1_5" in forty
    written = runner.invoke(app, ["pages", str(tmp_path / "made")])
    assert f"{len(pages())} pages in" in written.output and len(list((tmp_path / "made").iterdir())) == len(pages())
    wrong = runner.invoke(app, ["show", "paper4"])
    assert wrong.exit_code == 1 and "did you mean paper40" in wrong.output and "Known: aigcdetect" in wrong.output
    for command in ("list", "show", "pages"):
        assert f"nsnet suites {command}" in runner.invoke(app, [command, "--help"]).output
