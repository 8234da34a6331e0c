"""What a section of params.yaml is, and how one is read: every fault is found before any work starts.

Each package has a module `settings` with the sections that it owns; `nsnet.params` puts
them together. A stage reads its own sections only, so that DVC may leave it alone when
another's change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nsnet.core.faults import fault_lines

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Model = TypeVar("Model", bound=BaseModel)

# Mappings and lists within each other. Settings need six; Python's own limit, where a reader falls over, is near 1,000.
DEEPEST = 20


class Section(BaseModel):
    """A part of params.yaml: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_values(path: Path) -> Any:
    """The plain values of a YAML file.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError: the file is no YAML, or holds anchors, aliases or more than DEEPEST levels: a few
            lines of those grow to gigabytes.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_tricks(text)
        return yaml.safe_load(text)
    # ValueError: dates such as 2026-13-45, numbers too long, bytes that are no UTF-8.
    except (yaml.YAMLError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def _refuse_tricks(text: str) -> None:
    """Look at the events of a YAML text, which nest nothing, before its values are built."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else 0
        name = getattr(event, "anchor", None)
        if isinstance(event, yaml.AliasEvent):
            raise ValueError(f"line {line}: alias *{name}; expected the value itself, written out")
        if name is not None:
            raise ValueError(f"line {line}: anchor &{name}; expected values without names, written out")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ValueError(f"line {line}: more than {DEEPEST} levels of mappings and lists within each other")


def validated(values: Any, model: type[Model], source: str) -> Model:
    """Build a `model` from plain values.

    Args:
        values: as `read_values` gives them.
        model: what they should be.
        source: where they come from, for messages.

    Returns:
        The model.

    Raises:
        ValueError: all faults at once, each with its place, what was expected and, for an
            unknown name, the nearest known ones.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = fault_lines(error, model)
        raise ValueError(f"{source} has {len(faults)} fault(s):\n" + "\n".join(faults)) from error


def read_json(path: Path, model: type[Model]) -> Model:
    """Read a JSON file that should hold a `model`.

    Args:
        path: of the file.
        model: what it should be.

    Returns:
        The model.

    Raises:
        ValueError: there is no such file, it is no JSON, or it has faults: all at once.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    return validated(values, model, str(path))


def load_section(path: Path, name: str, model: type[Model]) -> Model:
    """Read one section of params.yaml.

    Args:
        path: the file.
        name: the section.
        model: what it should be.

    Returns:
        The section's values.

    Raises:
        OSError: as `read_values`.
        ValueError: as `read_values` and `validated`, or the file holds no sections.
    """
    values = read_values(path) or {}
    if not isinstance(values, dict):
        raise ValueError(f"{path} holds a {type(values).__name__}; expected sections, each with its settings")
    return validated(values.get(name), model, f"section {name} of {path}")


def load_value(path: Path, place: str, kind: Any) -> Any:
    """Read a value that is no section of its own, such as `train.conditions`, without the package that owns it.

    Args:
        path: params.yaml.
        place: names from the top, separated by dots.
        kind: type of the value, as pydantic understands it.

    Returns:
        The value, as `kind`.

    Raises:
        OSError: as `read_values`.
        ValueError: it is missing or of another type; as `read_values`.
    """
    value = read_values(path) or {}
    for name in place.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise ValueError(f"{place} of {path}: {error}") from error
