"""Detectors as files: their tensors, with settings, backbone and kind in the header; verified whenever read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from nsnet.core.faults import fault_lines
from nsnet.core.files import atomic_path
from nsnet.core.provenance import digest, file_sha256
from nsnet.detectors.protocol import Context, Detector, Tower
from nsnet.detectors.registry import detector_class
from nsnet.detectors.settings import DetectorSettings
from nsnet.semantics.null_space import no_directions

# The one key of the header: safetensors writes several in an order that differs from run to run.
KEY = "nsnet.detector"


def save_detector(detector: Detector, settings: DetectorSettings, context: Context, file: Path) -> str:
    """Write a detector; the same one gives the same bytes.

    Args:
        detector: trained.
        settings: what it was built from.
        context: likewise; the whole backbone record is kept.
        file: .safetensors.

    Returns:
        sha256 of the file, to be kept elsewhere and asked for when it is loaded.
    """
    facts = {
        "settings": settings.model_dump(mode="json"),
        "backbone": dict(context.backbone),
        "width": context.width,
        "seed": context.seed,
    }
    tensors = {name: tensor.cpu().contiguous() for name, tensor in detector.module().state_dict().items()}
    with atomic_path(file) as temporary:
        save_file(tensors, temporary, metadata={KEY: json.dumps(facts, sort_keys=True)})
    return file_sha256(file)


def load_detector(
    file: Path, sha256: str | None, backbone: Mapping[str, Any] | None, tower: Callable[[], Tower] | None = None
) -> Detector:
    """Read a detector, verified.

    Args:
        file: written by `save_detector`.
        sha256: what the file must have, as in runs.detector_sha256; None does not ask.
        backbone: record of the backbone whose features it will be given; None does not ask.
        tower: loads that backbone, for a detector that needs it.

    Returns:
        The detector, on the CPU, ready to score.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: other bytes than expected, no detector, or one of another backbone: one line, naming the file.
    """
    if not file.is_file():
        raise FileNotFoundError(f"{file} does not exist: run `dvc repro train`")
    checksum = file_sha256(file)
    if sha256 is not None and checksum != sha256:
        raise ValueError(
            f"{file} is damaged: it has sha256 {checksum[:12]}, its run was kept with {sha256[:12]}; delete the file"
            " and run `dvc repro train`"
        )
    facts, tensors = _read(file)
    settings = _settings(file, facts)
    if backbone is not None:
        _same_backbone(file, facts["backbone"], backbone)
    context = Context(facts["backbone"], facts["width"], no_directions(facts["width"]), facts["seed"])
    kind = detector_class(settings.kind)
    if tower is not None and kind.needs(settings).tower:
        context = replace(context, tower=tower())
    detector = kind(settings, context)
    try:
        detector.module().load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{file} lacks tensors of a {settings.kind} detector: {_line(error)}") from error
    detector.module().eval()
    return detector


def _read(file: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    try:
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata() or {}
            tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise ValueError(f"{file} is no detector: {_line(error)}; expected safetensors") from error
    try:
        facts = json.loads(metadata.get(KEY, "null"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{file} is no detector: its header {KEY} is no JSON ({error})") from error
    expected = {"settings": dict, "backbone": dict, "width": int, "seed": int}
    known = facts if isinstance(facts, dict) else {}
    missing = [name for name, kind in expected.items() if not isinstance(known.get(name), kind)]
    if missing:
        raise ValueError(f"{file} is no detector: its header {KEY} lacks {', '.join(missing)}")
    return known, tensors


def _settings(file: Path, facts: Mapping[str, Any]) -> DetectorSettings:
    values = facts["settings"]
    try:
        kind = detector_class(str(values.get("kind"))).Settings
        return kind.model_validate(values)
    except ValidationError as error:
        reasons = "; ".join(line.strip() for line in fault_lines(error, kind))
        raise ValueError(f"{file} has settings that no {values['kind']} detector has: {reasons}") from error
    except ValueError as error:
        raise ValueError(f"{file} has settings of no known detector: {error}") from error


def _same_backbone(file: Path, own: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    if digest(own) == digest(asked):
        return
    differ = sorted(name for name in {*own, *asked} if own.get(name) != asked.get(name))
    differences = "; ".join(f"{name}: {own.get(name)!r}, not {asked.get(name)!r}" for name in differ)
    raise ValueError(
        f"{file} was trained on backbone {digest(own)} ({own.get('model')}), but is asked to score features of"
        f" {digest(asked)} ({asked.get('model')}): {differences}. Run `dvc repro train`, or restore the section"
        " backbone"
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
