"""What a section of params.yaml is, and how one is read: every fault is found before any work starts.

Each package has a module `settings` with the sections that it owns; `nsnet.params` puts
them together. A stage reads its own sections only, so that DVC may leave it alone when
another's change.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from nsnet.core.faults import fault_lines

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Model = TypeVar("Model", bound=BaseModel)


class Section(BaseModel):
    """A part of params.yaml: unknown names are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_values(path: Path) -> Any:
    """The plain values of a YAML file.

    Raises:
        ValueError: the file is no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error


def validated(values: Any, model: type[Model], source: str) -> Model:
    """Build a `model` from plain values that came from `source`.

    Raises:
        ValueError: all faults at once, each with its place, what was expected and, for an
            unknown name, the nearest known ones.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        faults = fault_lines(error, model)
        raise ValueError(f"{source} has {len(faults)} fault(s):\n" + "\n".join(faults)) from error


def load_section(path: Path, name: str, model: type[Model]) -> Model:
    """Read one section of params.yaml.

    Raises:
        ValueError: as `read_values` and `validated`.
    """
    return validated((read_values(path) or {}).get(name), model, f"section {name} of {path}")


def load_value(path: Path, place: str, kind: Any) -> Any:
    """Read a value that is no section of its own, such as `train.conditions`, without the package that owns it.

    Args:
        path: params.yaml.
        place: names from the top, separated by dots.
        kind: type of the value, as pydantic understands it.

    Raises:
        ValueError: it is missing or of another type; as `read_values`.
    """
    found = read_values(path) or {}
    for name in place.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    try:
        return TypeAdapter(kind).validate_python(found)
    except ValidationError as error:
        raise ValueError(f"{place} of {path}: {error}") from error
