"""Faults that pydantic found, as lines that say where, what was expected and which names are near."""

from __future__ import annotations

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from nsnet.core.names import nearest


def fault_lines(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line for each fault of data that should have been a `model`; a check of ours may have found several.

    Args:
        error: pydantic's.
        model: what the data should have been.

    Returns:
        Lines with the place, what is wrong and, for an unknown name, near ones.
    """
    lines = []
    for fault in error.errors():
        names, owner = _walk(model, fault["loc"])
        place = ".".join(names)
        if fault["type"] == "extra_forbidden":
            known = sorted(owner.model_fields) if _is_model(owner) else []
            messages = [f"unknown name{nearest(str(fault['loc'][-1]), known)} Known: {', '.join(known)}"]
        elif fault["type"] == "union_tag_invalid":
            known = [tag.strip("' ") for tag in fault["ctx"]["expected_tags"].split(",")]
            discriminator = fault["ctx"]["discriminator"].strip("'")
            place, tag = f"{place}.{discriminator}", str(fault["ctx"]["tag"])
            messages = [f"unknown name {tag!r}{nearest(tag, known)} Known: {', '.join(known)}"]
        elif fault["type"] == "value_error":
            messages = fault["msg"].removeprefix("Value error, ").splitlines()
        else:
            messages = [f"{fault['msg']} (got {fault['input']!r})"]
        lines += [f"  {place}: {line}" if place else f"  {line}" for line in messages]
    return lines


def _walk(model: type[BaseModel], location: tuple[str | int, ...]) -> tuple[list[str], Any]:
    """The names on the way to a fault, tags of unions left out, and what the last name was looked for in."""
    kind: Any = model
    owner: Any = model
    names: list[str] = []
    for part in location:
        options = _options(kind)
        tagged = [option for option in options if part in _tags(option)]
        if len(options) > 1 and tagged:  # pydantic names the member of a union in the place
            kind = tagged[0]
            continue
        owner = kind = options[0]
        names.append(str(part))
        if _is_model(kind):
            field = kind.model_fields.get(part)
            kind = field.annotation if field else None
        else:
            inner = [option for option in get_args(kind) if option is not Ellipsis]
            kind = inner[-1] if inner else None  # of a dict, list or tuple
    return names, owner


def _options(kind: Any) -> list[Any]:
    """The members of a union but None; any other type is its own only option."""
    if get_origin(kind) is Annotated:
        return _options(get_args(kind)[0])
    if get_origin(kind) in (Union, types.UnionType):
        return [inner for option in get_args(kind) if option is not type(None) for inner in _options(option)]
    return [kind]


def _tags(option: Any) -> set[str]:
    """What pydantic may call a member of a tagged union: the values of its literal fields."""
    if not _is_model(option):
        return set()
    fields = [field.annotation for field in option.model_fields.values()]
    return {str(value) for kind in fields if get_origin(kind) is Literal for value in get_args(kind)}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
