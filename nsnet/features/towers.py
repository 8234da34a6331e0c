"""The patch tokens of an image tower, in the joint space.

What a token's feature means: attention mixes tokens, so it is "this slot in the context
of the others", not a picture of the slot alone. Projecting it with the layers that were
trained for the pooled feature is common practice, not something the tower was trained for.

- lab CLIP: a convolutional stem makes 49 tokens on the 7 x 7 grid of the mosaic's slots.
  The pooled feature is P LN(mean of tokens); a token's is P LN(token).
- CLIP's vision transformers: the pooled feature is the class token's, P LN(token 0); a patch
  token's is P LN(token), and the class token is left out.
- timm's vision transformers: their features are pooled of normalised tokens, or the class
  token's; a patch token's is itself, normalised the same way.
- Where the token grid is finer or coarser than the slots (ViT-L/14: 16 x 16 tokens on 7 x 7
  slots), a slot's feature is the mean of the tokens' by overlapping area.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.models.vision_transformer import VisionTransformer as TimmTransformer

# Kernels take the rows of a product in groups of as many, or of a divisor, and sum those left over in another order.
ROWS = 8


def has_tokens(visual: Any) -> bool:
    """Whether a tower has tokens that its own last layers can project: not if convolutional or pooled by attention."""
    if isinstance(visual, TimmModel):
        return has_tokens(visual.trunk) and not hasattr(visual.head, "pool")
    if isinstance(visual, TimmTransformer):
        return visual.attn_pool is None and visual.global_pool in ("token", "avg")
    return isinstance(visual, VisionTransformer) and visual.attn_pool is None and visual.pool_type in ("tok", "avg")


def pooled_and_tokens(
    visual: Any, pixels: Float[torch.Tensor, "b 3 size size"]
) -> tuple[Float[torch.Tensor, "b d"], Float[torch.Tensor, "b tokens d"]]:
    """One pass through a tower: the picture's feature and every patch token's, in the joint space.

    The pooled feature has the same bits as `pooled` gives.

    Args:
        visual: a tower that `has_tokens`.
        pixels: float32 (b, 3, size, size), normalised as the tower wants it.

    Returns:
        (b, d) and (b, tokens, d).
    """
    if isinstance(visual, TimmTransformer):
        found: Any = visual.forward_intermediates(pixels, indices=1, norm=True, output_fmt="NLC")
        return visual.forward_head(found[0]), visual.fc_norm(found[1][-1])
    options = {"indices": 1, "normalize_intermediates": True, "output_fmt": "NLC"}
    outputs = _without_projection(visual).forward_intermediates(pixels, **options)
    tokens = outputs["image_intermediates"][-1]
    if isinstance(visual, TimmModel):
        tokens = visual.trunk.fc_norm(tokens)
    return project(visual, outputs["image_features"]), _projection(visual)(tokens)


def pooled(visual: Any, pixels: Float[torch.Tensor, "b 3 size size"]) -> Float[torch.Tensor, "b d"]:
    """One pass through a tower: the picture's feature.

    Args:
        visual: a tower that `has_tokens`.
        pixels: as `pooled_and_tokens`.

    Returns:
        (b, d).
    """
    if isinstance(visual, TimmTransformer):
        features: torch.Tensor = visual(pixels)
        return features
    return project(visual, _without_projection(visual)(pixels))


def project(visual: Any, features: Float[torch.Tensor, "b width"]) -> Float[torch.Tensor, "b d"]:
    """A tower's last projection, in products of whole groups of rows: a picture's bits do not tell how many there were.

    Args:
        visual: open_clip's, which `has_tokens`.
        features: what it pools, before the projection.

    Returns:
        (b, d).
    """
    missing = -len(features) % ROWS
    padded = torch.nn.functional.pad(features, (0, 0, 0, missing)) if missing else features
    projected: torch.Tensor = _projection(visual)(padded)[: len(features)]
    return projected


def _projection(visual: Any) -> Callable[[torch.Tensor], torch.Tensor]:
    if isinstance(visual, TimmModel):
        return visual.head
    return lambda values: values if visual.proj is None else values @ visual.proj


def _without_projection(visual: Any) -> Any:
    """The same layers and weights but the last."""
    trunk = copy(visual)
    if isinstance(visual, TimmModel):
        trunk._modules = {**visual._modules, "head": torch.nn.Identity()}
    else:
        trunk._parameters = {**visual._parameters, "proj": None}
    return trunk


def slot_means(tokens: Float[torch.Tensor, "b tokens d"], grid: int) -> Float[torch.Tensor, "b slots d"]:
    """Features of the grid x grid slots of a mosaic: means of tokens, weighted by overlapping area.

    Args:
        tokens: (b, tokens, d), a square number in raster order.
        grid: slots a side.

    Returns:
        (b, grid * grid, d).
    """
    side = math.isqrt(tokens.shape[1])
    if side == grid:
        return tokens
    shares = torch.from_numpy(np.kron(overlaps(side, grid), overlaps(side, grid))).to(tokens)
    return torch.einsum("st,btd->bsd", shares, tokens)


def overlaps(tokens: int, slots: int) -> Float[np.ndarray, "slots tokens"]:
    """Share of each slot of a line that each token covers, both dividing it evenly; rows sum to 1.

    Args:
        tokens, slots: along the line.

    Returns:
        float64 (slots, tokens).
    """
    slot, token = np.arange(slots)[:, None] / slots, np.arange(tokens)[None] / tokens
    length = np.minimum(slot + 1 / slots, token + 1 / tokens) - np.maximum(slot, token)
    return np.maximum(length, 0) * slots
