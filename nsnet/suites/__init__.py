"""The published suites and the lab as data: which generators there are, under which folder names, and how sure."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from nsnet.core.faults import fault_lines
from nsnet.core.names import near_names, unknown
from nsnet.suites.catalogue import Protocol, Registry, Suite
from nsnet.suites.contents import Count, Generator, Pool, TrainingSet, normalised

__all__ = [
    "Count",
    "Generator",
    "Pool",
    "Protocol",
    "Registry",
    "Suite",
    "TrainingSet",
    "build_registry",
    "known_suite",
    "named_suite",
    "normalised",
    "protocols",
    "suite",
    "suites",
]

FOLDER = Path(__file__).parent
# The order of the page; the lab, which is no published benchmark, comes last.
ORDER = (
    *("universalfakedetect", "forensynths", "genimage", "aigcdetectbenchmark", "aigibench", "chameleon"),
    *("sd-samples", "imagenet-samples", "coco-mini", "lab"),
)
# Of difflib: "genimag" is 0.93 like "genimage".
ALIKE = 0.9


def suites() -> dict[str, Suite]:
    """All suites by key: the published ones, then the lab."""
    return _registry().suites


def suite(name: str) -> Suite:
    """One suite by key or title, whatever their case and punctuation.

    Raises:
        ValueError: unknown name, with the nearest ones.
    """
    known = known_suite(name)
    if known is None:
        raise unknown("suite", name, suites())
    return known


def known_suite(name: str) -> Suite | None:
    """The suite of that key or title, whatever their case and punctuation."""
    wanted = normalised(name)
    return next(
        (known for known in suites().values() if wanted in (normalised(known.key), normalised(known.title))), None
    )


def named_suite(name: str) -> Suite | None:
    """The suite a user names; None if it is a corpus of their own.

    Raises:
        ValueError: the name is a registered one but for a letter or two, so probably mistyped.
    """
    known = known_suite(name)
    if known is None and near_names(name, suites(), ALIKE):
        raise unknown("suite", name, suites())
    return known


def protocols() -> dict[str, Protocol]:
    """All protocols by key."""
    return _registry().protocols


def build_registry(raw_suites: dict[str, Any], raw_protocols: dict[str, Any]) -> Registry:
    """Validate a registry given as plain data, as the YAML files hold it.

    Args:
        raw_suites: by key.
        raw_protocols: by name.

    Returns:
        The registry.

    Raises:
        ValueError: all faults at once, each with its place.
    """
    try:
        return Registry.model_validate({"suites": _same_both_ways(raw_suites), "protocols": raw_protocols})
    except ValidationError as error:
        faults = fault_lines(error, Registry)
        raise ValueError(f"the registry of suites has {len(faults)} fault(s):\n" + "\n".join(faults)) from error


@functools.cache
def _registry() -> Registry:
    raw = {key: yaml.safe_load((FOLDER / "registry" / f"{key}.yaml").read_text(encoding="utf-8")) for key in ORDER}
    raw_protocols = yaml.safe_load((FOLDER / "registry" / "protocols.yaml").read_text(encoding="utf-8"))
    return build_registry(raw, raw_protocols)


def _same_both_ways(raw: dict[str, Any]) -> dict[str, Any]:
    """Complete `same_as`: the YAML names the origin alone, yet every copy is the same as every other."""
    groups: list[set[str]] = []
    for key, values in raw.items():
        for name, generator in values.get("generators", {}).items():
            group = {f"{key}/{name}", *generator.get("same_as", [])}
            if len(group) > 1:
                touching = [other for other in groups if other & group]
                groups = [other for other in groups if not other & group] + [group.union(*touching)]
    others = {member: sorted(group - {member}) for group in groups for member in group}
    return {
        key: {
            **values,
            "generators": {
                name: {**generator, "same_as": others.get(f"{key}/{name}", [])}
                for name, generator in values.get("generators", {}).items()
            },
        }
        for key, values in raw.items()
    }
