"""The CLIP as one record: architecture, weights, space, preprocessing and views."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import open_clip
import torch

from nsnet.core.provenance import digest, file_sha256
from nsnet.core.world import LAB_MODEL
from nsnet.corpus.images import Pixels
from nsnet.corpus.settings import Harmonise
from nsnet.features import settings as sections
from nsnet.features import stem_vit  # noqa: F401  (registers the lab CLIP's image tower)
from nsnet.features.contracts import CLEAN, HARMONISED
from nsnet.features.views import ViewSettings

LAB_CLIP = Path(__file__).parent / "lab_clip"
LAB_WEIGHTS = LAB_CLIP / "open_clip_model.safetensors"
LAB_SHA256 = LAB_CLIP / "SHA256"
RANDOM = "random"
# Raise when views.py, patches.py or images.py make other pixels of the same picture: features
# outlive the code that made them, and tests/test_backbone.py pins what this version makes.
VIEWS_VERSION = 2


@dataclass(frozen=True)
class Backbone:
    """A frozen CLIP and the record that names it.

    Features are the *projected*, joint-space ones, for pictures as for texts: a null space
    of text directions means nothing in any other space. They are not L2-normalised.
    """

    record: dict[str, Any]
    model: Any
    tokenizer: Any
    views: ViewSettings
    device: str

    @property
    def id(self) -> str:
        """Hash of the record: part of every feature's key and every result row."""
        return digest(self.record)

    def encode_images(self, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """uint8 (B, size, size, 3) to float32 (B, d)."""
        batch = torch.from_numpy(pixels).to(self.device).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(self.record[key], device=self.device).view(3, 1, 1) for key in ("mean", "std"))
        with torch.inference_mode():
            return self.model.encode_image((batch - mean) / std).float().cpu().numpy()

    def encode_texts(self, captions: list[str]) -> npt.NDArray[np.float32]:
        """Captions to float32 (B, d)."""
        with torch.inference_mode():
            return self.model.encode_text(self.tokenizer(captions).to(self.device)).float().cpu().numpy()


def load_backbone(settings: sections.Backbone, device: str = "cpu") -> Backbone:
    """Load the CLIP that `settings` names.

    `model: lab-clip` is the shipped one, checked against its pinned sha256. Any other
    name is open_clip's, with `weights` an open_clip tag or file, or `random` for weights
    drawn from seed 0 (tests of the right shape).

    Raises:
        ValueError: the mosaic does not fit the model's input, or the shipped weights are
            not the pinned ones.
        RuntimeError: open_clip cannot load the weights.
    """
    if settings.model == LAB_MODEL:
        found, pinned = file_sha256(LAB_WEIGHTS), LAB_SHA256.read_text().split()[0]
        if found != pinned:
            raise ValueError(f"{LAB_WEIGHTS.name} has sha256 {found}, expected {pinned}: restore the shipped file")
        name, tag = f"local-dir:{LAB_CLIP}", None
    else:
        name, tag = settings.model, None if settings.weights == RANDOM else settings.weights
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model, _, _ = open_clip.create_model_and_transforms(
            name, pretrained=tag, device=device, require_pretrained=settings.weights != RANDOM
        )
    model.eval().requires_grad_(False)
    visual = open_clip.get_model_preprocess_cfg(model)
    size = int(np.ravel(visual["size"])[0])
    if settings.grid * settings.patch_size != size:
        raise ValueError(
            f"backbone.grid x backbone.patch_size is {settings.grid} x {settings.patch_size} ="
            f" {settings.grid * settings.patch_size}, but {settings.model} takes {size} pixels"
        )
    views = ViewSettings(size, settings.patch_size, settings.grid, settings.lowest, settings.interpolation)
    record = {
        "model": settings.model,
        "weights": settings.weights,
        "weights_sha256": file_sha256(LAB_WEIGHTS) if settings.model == LAB_MODEL else _state_sha256(model),
        "space": "projected",
        "mean": [float(value) for value in visual["mean"]],
        "std": [float(value) for value in visual["std"]],
        "views_version": VIEWS_VERSION,
        **{key: value for key, value in asdict(views).items() if key != "harmonise"},
    }
    return Backbone(record, model, open_clip.get_tokenizer(name), views, device)


def under_conditions(backbone: Backbone, harmonise: Harmonise | None) -> dict[str, Backbone]:
    """The backbone by condition: pictures as they are, and harmonised if settings are given.

    The settings join the record, so features of either condition have keys of their own.
    """
    found = {CLEAN: backbone}
    if harmonise is not None:
        record = {**backbone.record, "harmonise": harmonise.model_dump()}
        found[HARMONISED] = replace(backbone, record=record, views=replace(backbone.views, harmonise=harmonise))
    return found


def stack(pixels: list[Pixels], batch: int) -> npt.NDArray[np.uint8]:
    """Stack views and pad with black to `batch`: kernels see one shape, so a feature does not depend on its batch."""
    padded = np.zeros((batch, *pixels[0].shape), np.uint8)
    padded[: len(pixels)] = pixels
    return padded


def _state_sha256(model: torch.nn.Module) -> str:
    total = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        total.update(name.encode())
        total.update(tensor.contiguous().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return total.hexdigest()
