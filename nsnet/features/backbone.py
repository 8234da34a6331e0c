"""The image tower as one record: architecture, weights, space, precision, preprocessing and views."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch
from jaxtyping import Float, UInt8

from nsnet.core.origin import LAB_MODEL
from nsnet.core.provenance import digest, file_sha256
from nsnet.features import settings as sections
from nsnet.features import weights
from nsnet.features.image_towers import open_image_tower
from nsnet.features.int8 import INT8_VERSION, Int8Passes, check_int8
from nsnet.features.settings import TEXTLESS
from nsnet.features.towers import has_tokens, pooled, pooled_and_tokens, slot_means
from nsnet.features.views import VIEWS_VERSION, ViewSettings


@dataclass(frozen=True)
class Backbone:
    """A frozen image tower and the record that names it.

    A CLIP's features are the *projected*, joint-space ones, for pictures as for texts: a null
    space of text directions means nothing in any other space. Those of a tower without texts
    are the ones that it pools its tokens to. They are not L2-normalised.

    Attributes:
        record: everything that decides a feature.
        model: open_clip's, or an `ImageTower`.
        tokenizer: the name that open_clip knows its tokenizer by; None if it reads no texts.
        views: how pictures are shown to it.
        device: where it computes.
        width: dimension d of a feature.
        passes: who computes the features of pictures in place of torch, if anyone.
        short_passes: whether passes of fewer views give the same bits here: nsnet.features.short_passes.
    """

    record: dict[str, Any]
    model: Any
    tokenizer: str | None
    views: ViewSettings
    device: str
    width: int
    passes: Int8Passes | None = None
    short_passes: dict[str, bool] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Hash of the record: part of every feature's key and every result row."""
        return digest(self.record)

    @property
    def has_patches(self) -> bool:
        """Whether `encode_patches` is possible."""
        return has_tokens(self.model.visual)

    def encode_images(self, pixels: UInt8[np.ndarray, "b size size 3"]) -> Float[np.ndarray, "b d"]:
        """Views to float32 features.

        A feature does not depend on the other pictures of a call, but its last bits do depend
        on how many there are: calls whose results must agree are of one size (`stack`), or
        of one that is known to make no difference (nsnet.features.short_passes).
        """
        if self.passes is not None:
            return self.passes(pixels)[0]
        with torch.inference_mode(), self.precision():
            return self.features(self._placed(pixels)).float().cpu().numpy()

    def encode_patches(
        self, pixels: UInt8[np.ndarray, "b size size 3"]
    ) -> tuple[Float[np.ndarray, "b d"], Float[np.ndarray, "b slots d"]]:
        """Mosaics to float32 features as `encode_images` gives them, and the features of their slots in raster order.

        What a slot's feature is: nsnet.features.towers.

        Raises:
            ValueError: the tower has no patch tokens.
        """
        if not self.has_patches:
            raise ValueError(f"the tower of {self.record['model']} has no patch tokens: set features.patches to false")
        if self.passes is not None:
            features, slots = self.passes(pixels)
            return features, slots
        with torch.inference_mode():
            with self.precision():
                whole, tokens = self.features_and_tokens(self._placed(pixels))
            return whole.float().cpu().numpy(), slot_means(tokens.float(), self.views.grid).cpu().numpy()

    def encode_texts(self, captions: list[str]) -> Float[np.ndarray, "b d"]:
        """Captions to float32 features.

        Raises:
            ValueError: the tower reads no texts.
        """
        if self.tokenizer is None:
            raise ValueError(f"{self.record['model']} has no text tower: semantics.text names a sentence encoder")
        tokens = open_clip.get_tokenizer(self.tokenizer)(captions).to(self.device)
        with torch.inference_mode(), self.precision():
            return self.model.encode_text(tokens).float().cpu().numpy()

    def features(self, pixels: UInt8[torch.Tensor, "b size size 3"]) -> Float[torch.Tensor, "b d"]:
        """A pass: views on the device to features there."""
        if self.has_patches:
            return pooled(self.model.visual, self.normalised(pixels))
        features: torch.Tensor = self.model.encode_image(self.normalised(pixels))
        return features

    def features_and_tokens(
        self, pixels: UInt8[torch.Tensor, "b size size 3"]
    ) -> tuple[Float[torch.Tensor, "b d"], Float[torch.Tensor, "b tokens d"]]:
        """A pass that gives the features of all patch tokens too."""
        return pooled_and_tokens(self.model.visual, self.normalised(pixels))

    def whole(self, pixels: UInt8[torch.Tensor, "b size size 3"]) -> tuple[torch.Tensor, ...]:
        """All that a pass can give, for those who compute it otherwise: features (b, d), and of slots (b, slots, d)."""
        if not self.has_patches:
            return (self.features(pixels),)
        features, tokens = self.features_and_tokens(pixels)
        return features, slot_means(tokens, self.views.grid)

    def normalised(self, pixels: UInt8[torch.Tensor, "b size size 3"]) -> Float[torch.Tensor, "b 3 size size"]:
        """Views as the tower takes them: float32, less its mean, over its standard deviation."""
        # Permuted, not copied: the batch stays in channels_last, which convolutions like best.
        batch = pixels.permute(0, 3, 1, 2).float().div_(255)
        mean, std = (torch.tensor(self.record[key], device=pixels.device).view(3, 1, 1) for key in ("mean", "std"))
        return batch.sub_(mean).div_(std)

    def precision(self) -> torch.autocast:
        """The context of passes: bfloat16 for matrix products and convolutions; norms and softmax stay in float32."""
        enabled = self.record["precision"] == "bfloat16"
        return torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=enabled)

    def _placed(self, pixels: npt.NDArray[np.uint8]) -> torch.Tensor:
        batch = torch.from_numpy(pixels)
        if torch.device(self.device).type == "cuda":
            batch = batch.pin_memory()  # copied while the GPU still computes what it was given before
        return batch.to(self.device, non_blocking=True)


def load_backbone(settings: sections.Backbone, device: str = "cpu") -> Backbone:
    """Load the tower that `settings` names (`open_model`, or `open_image_tower` if it has no text tower).

    Args:
        settings: section backbone.
        device: cpu or cuda; eight bits are for the CPU, wherever it is asked for.

    Returns:
        The tower, in evaluation mode, with its record.

    Raises:
        ImportError: as `open_image_tower` and `check_int8`.
        ValueError: as `open_model`, `open_image_tower` and `check_int8`; a file of weights is not the one that is
            pinned; or the mosaic does not fit the model's input.
    """
    eight_bits = settings.runtime == "int8"
    if eight_bits:
        check_int8()
        device = "cpu"
    weights.check_pin(settings)
    alone = settings.model.startswith(TEXTLESS)
    model, tokenizer = (open_image_tower(settings).to(device), None) if alone else weights.open_model(settings, device)
    visual = open_clip.get_model_preprocess_cfg(model)
    size = int(np.ravel(visual["size"])[0])
    if settings.grid * settings.patch_size != size:
        raise ValueError(
            f"backbone.grid x backbone.patch_size is {settings.grid} x {settings.patch_size} ="
            f" {settings.grid * settings.patch_size}, but {settings.model} takes {size} pixels"
        )
    views = ViewSettings(size, settings.patch_size, settings.grid, settings.lowest, settings.interpolation)
    lab = settings.model == LAB_MODEL
    record = {
        "model": model.name if alone else settings.model,
        # A file's name says nothing that its hash does not say better.
        "weights": "file" if settings.weights and Path(settings.weights).is_file() else settings.weights,
        "weights_sha256": file_sha256(weights.LAB_WEIGHTS) if lab else _state_sha256(model),
        "space": "pooled" if alone else "projected",
        "precision": settings.precision,
        "mean": [float(value) for value in visual["mean"]],
        "std": [float(value) for value in visual["std"]],
        "views_version": VIEWS_VERSION,
        **asdict(views),
    }
    if eight_bits:
        record |= {"runtime": settings.runtime, "int8_version": INT8_VERSION}
    with torch.inference_mode():
        width = int(model.encode_image(torch.zeros(1, 3, size, size, device=device)).shape[1])
    backbone = Backbone(record, model, tokenizer, views, device, width)
    return replace(backbone, passes=Int8Passes(backbone, settings.model)) if eight_bits else backbone


def stack(pixels: Sequence[UInt8[np.ndarray, "size size 3"]], batch: int) -> UInt8[np.ndarray, "batch size size 3"]:
    """Stack views and pad with black to `batch`: kernels see one shape, so a feature does not depend on its batch.

    Args:
        pixels: at least one view, at most `batch`.
        batch: views in a forward pass.

    Returns:
        uint8 (batch, size, size, 3).
    """
    padded = np.zeros((batch, *pixels[0].shape), np.uint8)
    padded[: len(pixels)] = pixels
    return padded


def _state_sha256(model: torch.nn.Module) -> str:
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
