"""From the section `backbone` to an open_clip model with its weights, or one clear error before any work."""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError

from nsnet.core.names import nearest
from nsnet.core.origin import LAB_MODEL, RANDOM
from nsnet.core.provenance import file_sha256
from nsnet.features import settings as sections
from nsnet.features import stem_vit  # noqa: F401  (registers the lab CLIP's image tower)

LAB_CLIP = Path(__file__).parent / "lab_clip"
LAB_WEIGHTS = LAB_CLIP / "open_clip_model.safetensors"
LAB_SHA256 = LAB_CLIP / "SHA256"
FOLDER = "local-dir:"


def open_model(settings: sections.Backbone, device: str) -> tuple[Any, str]:
    """Build the model that `settings` names, with its weights.

    - `lab-clip`: the shipped one, checked against its pinned sha256.
    - `local-dir:FOLDER`: a model saved with its configuration, which brings its own
      preprocessing and tokenizer.
    - a name of open_clip's with `weights` a tag of that name, a file, or `random` (drawn
      from seed 0, for trying things out: every table then says RANDOM).

    A file says nothing of its preprocessing: it gets the one that all tags of the
    architecture share. It says nothing of its activation either: weights of OpenAI's need
    a model whose name ends in -quickgelu.

    Args:
        settings: section backbone.
        device: cpu or cuda.

    Returns:
        The model in evaluation mode, and the name that open_clip knows its tokenizer by.

    Raises:
        ValueError: an unknown model or tag, no weights, weights that cannot be had, or
            shipped ones that were changed.
    """
    if settings.model == LAB_MODEL:
        checksum, pinned = file_sha256(LAB_WEIGHTS), LAB_SHA256.read_text().split()[0]
        if checksum != pinned:
            raise ValueError(f"{LAB_WEIGHTS.name} has sha256 {checksum}, expected {pinned}: restore the shipped file")
        name = f"{FOLDER}{LAB_CLIP}"
    else:
        name = settings.model
    options = _options(settings)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            model, _, _ = open_clip.create_model_and_transforms(
                name, device=device, require_pretrained=settings.weights != RANDOM, **options
            )
        except (RuntimeError, OSError, UnpicklingError, SafetensorError) as error:
            reason = str(error).splitlines()[0]
            raise ValueError(f"backbone: cannot load {settings.model}: {reason}\n{_ways(settings.model)}") from error
    model.eval().requires_grad_(False)
    return model, name


def check_pin(settings: sections.Backbone) -> None:
    """Hold a file of weights against its pinned checksum.

    Args:
        settings: section backbone.

    Raises:
        ValueError: the file is another one, or there is no file to check.
    """
    if settings.sha256 is None:
        return
    if settings.weights is None or not Path(settings.weights).is_file():
        raise ValueError(f"backbone.sha256 is of a file, but backbone.weights is {settings.weights!r}: set null")
    checksum = file_sha256(Path(settings.weights))
    if checksum != settings.sha256:
        raise ValueError(f"backbone.sha256: {settings.weights} has {checksum}, expected {settings.sha256}")


def _options(settings: sections.Backbone) -> dict[str, Any]:
    """What open_clip is told beside the name; every mistake in the section is found here, before a download."""
    model, weights = settings.model, settings.weights
    if model == LAB_MODEL or model.startswith(FOLDER):
        if weights is not None:
            raise ValueError(f"backbone.weights: {model} brings its own, set null (got {weights!r})")
        return {"pretrained": None}
    models = open_clip.list_models()
    if model not in models:
        near = nearest(model, [*models, LAB_MODEL])
        raise ValueError(
            f"backbone.model: unknown model {model!r}{near} Known: {LAB_MODEL}, {FOLDER}FOLDER and the {len(models)}"
            " names of open_clip.list_models()"
        )
    if weights == RANDOM:
        return {"pretrained": None}
    tags = open_clip.list_pretrained_tags_by_model(model)
    if weights in tags:
        return {"pretrained": weights}
    if weights is None:
        raise ValueError(f"backbone.weights: {model} needs weights.\n{_ways(model)}")
    if not Path(weights).is_file():
        near = nearest(weights, [*tags, RANDOM])
        raise ValueError(f"backbone.weights: {weights!r} is no tag of {model} and no file{near}\n{_ways(model)}")
    return {"pretrained": weights, **_preprocessing(model, tags)}


def _preprocessing(model: str, tags: list[str]) -> dict[str, Any]:
    """Mean and standard deviation that all published weights of an architecture were trained with."""
    preprocessings = {
        (tuple(facts["mean"]), tuple(facts["std"]))
        for facts in (open_clip.get_pretrained_cfg(model, tag) for tag in tags)
        if facts.get("mean") and facts.get("std")
    }
    if len(preprocessings) > 1:
        raise ValueError(
            f"backbone.weights: weights of {model} are published with {len(preprocessings)} preprocessings, and a"
            " file does not say which is its own: put it into a folder with open_clip_config.json, and name"
            f" {FOLDER}FOLDER as model"
        )
    return {
        name: value for facts in preprocessings for name, value in zip(("image_mean", "image_std"), facts, strict=True)
    }


def _ways(model: str) -> str:
    known = open_clip.list_pretrained_tags_by_model(model)
    tags = ", ".join(known[:5]) + (f" and {len(known) - 5} more" if len(known) > 5 else "") or "there is none"
    return (
        f"Two ways to weights: a tag of {model} ({tags}), which is downloaded on first use and needs the network"
        " (HF_HUB_OFFLINE=1 forbids it); or the path of a file with this architecture's weights (safetensors, or pt"
        f" with weights alone). For a trial without meaning: {RANDOM}"
    )
