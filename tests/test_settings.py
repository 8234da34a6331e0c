"""Reading YAML: faults and traps are named with their line, and nothing is built of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from nsnet.core.settings import DEEPEST, Section, load_section, read_values

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


class Lab(Section):
    seed: int


def write(folder: Path, text: str) -> Path:
    (folder / "params.yaml").write_text(text)
    return folder / "params.yaml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (BOMB, "line 1: anchor &a; expected values without names, written out"),
        ("lab:\n  seed: *seed\n", r"line 2: alias \*seed; expected the value itself"),
        ("lab: {seed: 1}\nmore: &name 3\n", "line 2: anchor &name"),
        ("a:\n" + "[" * 1_000, f"line 2: more than {DEEPEST} levels"),
        ("".join(f"{' ' * depth}a:\n" for depth in range(3_000)), f"line {DEEPEST + 1}: more than {DEEPEST} levels"),
        ("day: 2026-13-45\n", "month must be in 1..12"),
        ("lab: [1, 2\n", "line 2"),
        ("lab: !!python/object:os.system {}\n", "could not determine a constructor"),
    ],
    ids=["bomb", "alias", "anchor", "flow", "block", "date", "unclosed", "object"],
)
def test_traps_in_yaml_are_named(tmp_path: Path, text: str, told: str) -> None:
    began = time.monotonic()
    with pytest.raises(ValueError, match=rf"(?s)params\.yaml cannot be read: .*{told}"):
        read_values(write(tmp_path, text))
    assert time.monotonic() - began < 5  # what nests is looked at one by one, not within each other


def test_what_is_allowed_is_read(tmp_path: Path) -> None:
    text = "[" * DEEPEST + "]" * DEEPEST
    value = read_values(write(tmp_path, f"lab: {{seed: 3}}\nlist: {text[1:-1]}\n"))
    assert value["lab"] == {"seed": 3}
    assert load_section(tmp_path / "params.yaml", "lab", Lab) == Lab(seed=3)


def test_a_file_without_sections_is_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds a list; expected sections"):
        load_section(write(tmp_path, "- lab\n"), "lab", Lab)
