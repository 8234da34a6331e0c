"""Kinds of detectors by name: those that ship, and those of other packages (entry point group `nsnet.detectors`).

A new kind is one file: a class with the methods of `nsnet.detectors.protocol.Detector` and
an attribute `Settings`, named in the entry points of its package.
"""

from __future__ import annotations

import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from nsnet.core.names import unknown
from nsnet.detectors.settings import CnnSettings, DetectorSettings, LinearSettings, PublishedSettings

if TYPE_CHECKING:
    from nsnet.detectors.protocol import Detector

GROUP = "nsnet.detectors"
# Settings without their classes, which bring in torch: params.yaml is read by every stage.
_SHIPPED: dict[str, tuple[type[DetectorSettings], str]] = {
    "linear": (LinearSettings, "nsnet.detectors.linear:LinearDetector"),
    "cnn": (CnnSettings, "nsnet.detectors.cnn:CnnDetector"),
    "published": (PublishedSettings, "nsnet.detectors.published:PublishedDetector"),
}


def kinds() -> list[str]:
    """Names of all kinds, sorted."""
    return sorted({*_SHIPPED, *_plugins()})


def detector_class(kind: str) -> type[Detector]:
    """The class of a kind.

    Raises:
        ValueError: unknown kind, with the nearest ones.
    """
    if kind in _SHIPPED:
        module, _, name = _SHIPPED[kind][1].partition(":")
        return getattr(importlib.import_module(module), name)
    if kind in _plugins():
        return _plugins()[kind].load()
    raise unknown("kind of detector", kind, kinds())


def settings_class(kind: str) -> type[DetectorSettings]:
    """The class of a kind's settings.

    Raises:
        ValueError: unknown kind, with the nearest ones.
    """
    return _SHIPPED[kind][0] if kind in _SHIPPED else detector_class(kind).Settings


def _plugins() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def settings_union() -> Any:
    """The settings of all kinds as one pydantic type, told apart by `kind`."""
    classes = tuple(settings_class(kind) for kind in kinds())
    return Annotated[Union[classes], Field(discriminator="kind")]  # noqa: UP007 - made at run time
