"""Reviewed settings for another world: what each profile changes in params.yaml, with the source beside each value.

A profile is a YAML file of this folder. Its sections are laid over those of params.yaml,
value by value; train.detectors is taken as a whole, since a detector left over from
elsewhere would be trained as well.
"""

from __future__ import annotations

from pathlib import Path

from dvc.utils.serialize import dumps_yaml, parse_yaml_for_update
from ruamel.yaml.comments import CommentedMap

from nsnet.core.files import atomic_path
from nsnet.core.names import unknown
from nsnet.core.settings import read_values, validated
from nsnet.params import Params

FOLDER = Path(__file__).parent
WHOLE = ("train.detectors",)


def profile_names() -> list[str]:
    """All profiles, sorted."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def profile_file(name: str) -> Path:
    """The file of a profile.

    Raises:
        ValueError: unknown profile, with the nearest ones.
    """
    if name not in profile_names():
        raise unknown("profile", name, profile_names())
    return FOLDER / f"{name}.yaml"


def use_profile(name: str, params: Path) -> list[str]:
    """Lay a profile over a project's params.yaml; comments stay, and the profile's come with its values.

    Args:
        name: of the profile.
        params: the file, which is replaced.

    Returns:
        Names of the values that changed, as section.name, sorted.

    Raises:
        OSError: there is no such file.
        ValueError: unknown profile, or the file has a fault, before or after; it is then left as it was.
    """
    overlay = _read(profile_file(name))
    before = validated(read_values(params), Params, str(params))
    content = _read(params)
    _lay(content, overlay, "")
    with atomic_path(params) as temporary:
        temporary.write_text(dumps_yaml(content), encoding="utf-8")
        after = validated(read_values(temporary), Params, f"{params} with profile {name}")
    return sorted(_changed(before.model_dump(), after.model_dump(), ""))


def _read(file: Path) -> CommentedMap:
    """With comments, and so that it can be written as DVC does: `dvc exp run -S` shall change no other line."""
    return parse_yaml_for_update(file.read_text(encoding="utf-8"), file)


def _lay(under: CommentedMap, over: CommentedMap, place: str) -> None:
    for name, value in over.items():
        path = f"{place}{name}"
        if path not in WHOLE and isinstance(value, CommentedMap) and isinstance(under.get(name), CommentedMap):
            _lay(under[name], value, f"{path}.")
        elif under.get(name) != value:
            under[name] = value
            if name in over.ca.items:
                under.ca.items[name] = over.ca.items[name]


def _changed(before: object, after: object, place: str) -> list[str]:
    if place not in WHOLE and isinstance(before, dict) and isinstance(after, dict):
        names = sorted({*before, *after}, key=str)
        parts = [_changed(before.get(name), after.get(name), f"{place}.{name}".lstrip(".")) for name in names]
        return [name for part in parts for name in part]
    return [] if before == after else [place]
