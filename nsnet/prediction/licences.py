"""Licences of what stands behind a detector, as far as they are stated, and what follows for commercial use."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nsnet.core.origin import LAB_MODEL, RANDOM
from nsnet.detectors.registry import detector_class, settings_class
from nsnet.features.settings import TIMM
from nsnet.suites import suites

NOT_STATED = "not stated"
NOTHING = "none needed"
# Of nsnet itself, and so of the lab CLIP that it ships.
OWN = "Apache-2.0"
# SPDX names of licences that allow commercial use. Whatever is not named here is taken to forbid it.
COMMERCIAL = {"apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc0-1.0", "cc-by-4.0"}


@dataclass(frozen=True)
class Terms:
    """Licences by what they are of, and whether all of them allow commercial use. This is no legal advice.

    Attributes:
        licences: "backbone NAME" or "data NAME" to the licence, in words as its source has them.
        reasons: why commercial use is not known to be allowed; empty where it is.
    """

    licences: dict[str, str]
    reasons: list[str]

    @property
    def commercial_ok(self) -> bool:
        """Whether every part has a licence that allows commercial use."""
        return not self.reasons


def terms(run: Mapping[str, Any], trained_on: Sequence[str] | None) -> Terms:
    """Licences of a detector's backbone and training data.

    Args:
        run: its row of the table runs.
        trained_on: suites of its training pictures; None if that is not known.

    Returns:
        What is stated.
    """
    record = json.loads(run["backbone"])
    licences = {f"backbone {record['model']}": _backbone(run, record)}
    licences |= {f"data {name}": _data(name) for name in (["(unknown suites)"] if trained_on is None else trained_on)}
    closed = [f"{part}: {name}" for part, name in licences.items() if name.casefold() not in {*COMMERCIAL, NOTHING}]
    return Terms(licences, closed)


def _backbone(run: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    needs = detector_class(run["kind"]).needs(settings_class(run["kind"]).model_validate_json(run["params"]))
    if record["weights"] == RANDOM or (needs.reads == "pixels" and not needs.tower):
        return NOTHING
    if record["model"] == LAB_MODEL:
        return OWN
    if record["model"].startswith(TIMM) and record["weights"] is None:  # the tag's own weights, as timm publishes them
        import timm

        facts = timm.models.get_pretrained_cfg(record["model"].removeprefix(TIMM))
        return (facts.license if facts else None) or NOT_STATED
    return NOT_STATED


def _data(suite: str) -> str:
    known = suites().get(suite)
    return known.licence if known else NOT_STATED
