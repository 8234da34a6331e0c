"""Faults that pydantic found, as lines that say where, what was expected and which names are near."""

from __future__ import annotations

import types
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nsnet.core.names import nearest


def fault_lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each fault of data that should have been a `model`; a check of ours may have found several."""
    lines = []
    for fault in error.errors():
        place = ".".join(str(part) for part in fault["loc"])
        if fault["type"] == "extra_forbidden":
            known = _known_names(model, fault["loc"])
            told = [f"unknown name{nearest(str(fault['loc'][-1]), known)} Known: {', '.join(known)}"]
        elif fault["type"] == "value_error":
            told = fault["msg"].removeprefix("Value error, ").splitlines()
        else:
            told = [f"{fault['msg']} (got {fault['input']!r})"]
        lines += [f"  {place}: {line}" if place else f"  {line}" for line in told]
    return lines


def _known_names(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Fields of the model in which `location` is a name that does not exist."""
    kind: Any = model
    for part in location[:-1]:
        kind = kind.model_fields[part].annotation if _is_model(kind) else get_args(kind)[-1]  # dict or list
        if get_origin(kind) in (Union, types.UnionType):
            kind = next(option for option in get_args(kind) if option is not type(None))
    return sorted(kind.model_fields)


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
