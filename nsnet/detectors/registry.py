"""Kinds of detectors by name: those that ship, and those of other packages (entry point group `nsnet.detectors`).

A new kind is one file: a class with the methods of `nsnet.detectors.protocol.Detector` and
an attribute `Settings`, named in the entry points of its package.
"""

from __future__ import annotations

import functools
import importlib
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from nsnet.core.names import unknown
from nsnet.detectors.settings import (
    CnnSettings,
    DetectorSettings,
    EffortSettings,
    LinearSettings,
    LoraSettings,
    PublishedSettings,
)

if TYPE_CHECKING:
    from nsnet.detectors.protocol import Detector

GROUP = "nsnet.detectors"
# Settings without their classes, which bring in torch: params.yaml is read by every stage.
_SHIPPED: dict[str, tuple[type[DetectorSettings], str]] = {
    "linear": (LinearSettings, "nsnet.detectors.linear:LinearDetector"),
    "cnn": (CnnSettings, "nsnet.detectors.cnn:CnnDetector"),
    "lora": (LoraSettings, "nsnet.detectors.tuning.lora:LoraDetector"),
    "effort": (EffortSettings, "nsnet.detectors.tuning.effort:EffortDetector"),
    "published": (PublishedSettings, "nsnet.detectors.published:PublishedDetector"),
}


def kinds() -> list[str]:
    """Names of all kinds, sorted."""
    return sorted({*_SHIPPED, *_plugins()})


def detector_class(kind: str) -> type[Detector]:
    """The class of a kind.

    Raises:
        ValueError: unknown kind, with the nearest ones; or its package is broken.
    """
    if kind in _SHIPPED:
        module, _, name = _SHIPPED[kind][1].partition(":")
        return getattr(importlib.import_module(module), name)
    if kind in _plugins():
        point = _plugins()[kind]
        try:
            plugin = point.load()
        except (ImportError, AttributeError) as error:
            raise ValueError(f"{_title(point)} cannot be loaded: {error}") from error
        settings = getattr(plugin, "Settings", None)
        if not (isinstance(settings, type) and issubclass(settings, DetectorSettings)):
            raise ValueError(
                f"{_title(point)} has no Settings, a subclass of nsnet.detectors.settings.DetectorSettings"
            )
        return plugin
    raise unknown("kind of detector", kind, kinds())


def settings_class(kind: str) -> type[DetectorSettings]:
    """The class of a kind's settings.

    Raises:
        ValueError: as `detector_class`.
    """
    return _SHIPPED[kind][0] if kind in _SHIPPED else detector_class(kind).Settings


@functools.cache  # reading what is installed takes tens of milliseconds
def _plugins() -> dict[str, EntryPoint]:
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=GROUP):
        twin = points.setdefault(point.name, point)
        if point.name in _SHIPPED or twin.value != point.value:
            other = _SHIPPED[point.name][1] if point.name in _SHIPPED else twin.value
            raise ValueError(f"{_title(point)} has the name of another, {other}: uninstall one of the packages")
    return points


def _title(point: EntryPoint) -> str:
    package = point.dist.name if point.dist else "unknown"
    return f"kind of detector {point.name!r} ({point.value}, package {package})"


def settings_union() -> Any:
    """The settings of all kinds as one pydantic type, told apart by `kind`."""
    classes = tuple(settings_class(kind) for kind in kinds())
    return Annotated[Union[classes], Field(discriminator="kind")]  # noqa: UP007 - made at run time
