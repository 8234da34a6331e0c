"""What is done to a picture before a view is made of it: a value, not a name.

Training and testing choose their conditions independently (train.conditions and
evaluate.conditions), so "train clean, test on JPEG 50" is a line in params.yaml.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import UInt8
from PIL import Image
from scipy import ndimage

from nsnet.core.contracts import make
from nsnet.core.names import unknown
from nsnet.core.provenance import digest
from nsnet.corpus.images import Pixels
from nsnet.features.contracts import AppliedConditions
from nsnet.features.geometry import central, enlarge, resize
from nsnet.features.settings import Blur, ConditionSettings, Crop, Jpeg, Noise, Operation, Resize, Webp

# Raise when an operation makes other pixels of the same picture: features outlive the code
# that made them.
CONDITIONS_VERSION = 1
# A Gaussian is cut off here, in standard deviations: beyond lie 6e-5 of its mass.
TRUNCATE = 4.0


@dataclass(frozen=True)
class Condition:
    """Operations in order, and the seed of those that draw at random.

    Attributes:
        name: what params.yaml and tables call it; no part of its identity.
        operations: applied in this order; none is the clean condition.
        seed: of noise; no part of the identity of a condition that draws nothing.
        published: setting of the literature that it is the same as; no part of the identity.
    """

    name: str
    operations: tuple[Operation, ...] = ()
    seed: int = 0
    published: str | None = None

    @property
    def id(self) -> str:
        """Hash of what is done: part of every feature's key."""
        facts: dict[str, object] = {"operations": [op.model_dump(exclude_none=True) for op in self.operations]}
        if self.operations:
            facts["version"] = CONDITIONS_VERSION
        if any(isinstance(operation, Noise) for operation in self.operations):
            facts["seed"] = self.seed
        return digest(facts)


CLEAN = Condition("clean")


def condition(name: str, settings: ConditionSettings) -> Condition:
    """The condition that params.yaml calls `name`.

    Args:
        name: in the section conditions.
        settings: what stands there.

    Returns:
        The condition.
    """
    return Condition(name, settings.operations, settings.seed, settings.published)


def choose(names: list[str], settings: Mapping[str, ConditionSettings]) -> tuple[Condition, ...]:
    """The conditions of a list of names, each once, in its order.

    Args:
        names: such as evaluate.conditions.
        settings: section conditions.

    Returns:
        Conditions.

    Raises:
        ValueError: a name that the section `conditions` does not have, with near ones.
    """
    for name in names:
        if name not in settings:
            raise unknown("condition", name, settings)
    return tuple(condition(name, settings[name]) for name in dict.fromkeys(names))


def condition_table(train: Sequence[Condition], test: Sequence[Condition]) -> pl.DataFrame:
    """The table condition_settings.

    Args:
        train: conditions of train.conditions.
        test: those of evaluate.conditions.

    Returns:
        A row for each, in the order in which they are named first.
    """
    rows = [
        {
            "condition": one.name,
            "condition_id": one.id,
            "operations": json.dumps([operation.model_dump(exclude_none=True) for operation in one.operations]),
            "published": one.published,
            "trained": one in train,
            "tested": one in test,
        }
        for one in dict.fromkeys((*train, *test))
    ]
    return make(AppliedConditions, rows)


def apply(condition: Condition, pixels: Pixels, image_id: str) -> UInt8[np.ndarray, "h w 3"]:
    """Do to a picture what the condition says.

    Args:
        condition: operations, applied in order.
        pixels: uint8 (H, W, 3) RGB.
        image_id: sha256, hex; with the seed, it decides the noise, whatever else is read.

    Returns:
        uint8 (H', W', 3); the picture itself where there is nothing to do.
    """
    seed = hashlib.sha256(f"{condition.seed}/{image_id}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    for operation in condition.operations:
        pixels = _apply(operation, pixels, rng)
    return pixels


def _apply(operation: Operation, pixels: Pixels, rng: np.random.Generator) -> Pixels:
    match operation:
        case Jpeg():
            return _saved(pixels, "JPEG", operation.quality)
        case Webp():
            return _saved(pixels, "WEBP", operation.quality)
        case Blur():
            sigma = (operation.sigma, operation.sigma, 0)
            return _rounded(ndimage.gaussian_filter(pixels.astype(np.float64), sigma, truncate=TRUNCATE))
        case Noise():
            return _rounded(pixels + rng.normal(0, operation.sigma, pixels.shape))
        case Resize():
            return _resized(operation, pixels)
        case Crop():
            short = min(pixels.shape[:2])
            size = operation.size if operation.size is not None else max(1, round(short * (operation.share or 1)))
            return central(enlarge(pixels, size, "bicubic"), size)


def _resized(operation: Resize, pixels: Pixels) -> Pixels:
    sides = pixels.shape[:2]
    if operation.longest is not None:
        if max(sides) <= operation.longest:
            return pixels
        scale = operation.longest / max(sides)
    else:
        scale = operation.scale if operation.scale is not None else (operation.side or 1) / min(sides)
    height, width = (max(1, round(side * scale)) for side in sides)
    return resize(pixels, height, width, operation.kernel)


def _saved(pixels: Pixels, format: str, quality: int) -> Pixels:
    """Saved by Pillow with its defaults (JPEG: chroma at half resolution) and read back."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format, quality=quality)
    with Image.open(buffer) as saved:
        return np.asarray(saved.convert("RGB"))


def _rounded(values: np.ndarray) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
