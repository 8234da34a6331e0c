"""Attention whose query, key and value are layers of their own.

Vision transformers keep the three as one matrix. An adapter on that matrix would be
shared by all three, and PEFT's own for torch's attention adapts the output projection as
well: the paper's family adapts exactly q, k and v (arXiv 2511.13108, released code).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.layers.attention import Attention
from timm.models.vision_transformer import VisionTransformer as TimmTransformer
from torch import nn
from torch.nn import functional

QUERY, KEY, VALUE = "query", "key", "value"


class Projections(nn.Module):
    """A fused projection d to 3 d as three layers, with the same output bits."""

    def __init__(self, weight: Float[torch.Tensor, "out d"], bias: Float[torch.Tensor, " out"] | None) -> None:
        super().__init__()
        biases = (None, None, None) if bias is None else bias.chunk(3)
        self.query, self.key, self.value = (_linear(*parts) for parts in zip(weight.chunk(3), biases, strict=True))

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Tokens (b, n, d) to queries, keys and values side by side, (b, n, 3 d)."""
        return torch.cat([self.query(tokens), self.key(tokens), self.value(tokens)], dim=-1)


class SelfAttention(nn.Module):
    """torch's multi-head attention of tokens among themselves, as open_clip calls it."""

    def __init__(self, fused: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads, self.batch_first = fused.num_heads, fused.batch_first
        self.projections = Projections(fused.in_proj_weight.detach(), fused.in_proj_bias.detach())
        self.out_proj = fused.out_proj

    def forward(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        need_weights: bool = False,
        attn_mask: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, None]:
        """Attend; `key` and `value` are the tokens that `query` is, and no weights are given."""
        tokens = query if self.batch_first else query.transpose(0, 1)
        count, length, width = tokens.shape
        parts = self.projections(tokens).view(count, length, 3, self.heads, width // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)
        mixed = functional.scaled_dot_product_attention(queries, keys, values, attn_mask=attn_mask)
        output = self.out_proj(mixed.transpose(1, 2).reshape(count, length, width))
        return output if self.batch_first else output.transpose(0, 1), None


@dataclass(frozen=True)
class Split:
    """The four matrices of a layer: the three of `projections`, and attribute `output` of `module`."""

    projections: Projections
    module: nn.Module
    output: str


def split_attention(visual: Any) -> list[Split]:
    """Give every layer of a vision transformer query, key and value layers, in place; its features stay the same.

    Args:
        visual: open_clip's vision transformer, timm's, or timm's inside open_clip.

    Returns:
        Where they are, first layer first.

    Raises:
        ValueError: a tower of another kind.
    """
    return list(_split(visual.trunk if isinstance(visual, TimmModel) else visual))


def _split(tower: Any) -> Iterator[Split]:
    if isinstance(tower, VisionTransformer):
        for block in tower.transformer.resblocks:
            layer: Any = block
            if not isinstance(layer.attn, nn.MultiheadAttention):
                raise ValueError(f"adapters: attention of the kind {type(layer.attn).__name__} is not known here")
            layer.attn = SelfAttention(layer.attn)
            yield Split(layer.attn.projections, layer.attn, "out_proj")
    elif isinstance(tower, TimmTransformer):
        for block in tower.blocks:
            attention: Any = block.attn
            if type(attention) is not Attention:
                raise ValueError(f"adapters: attention of the kind {type(attention).__name__} is not known here")
            fused = attention.qkv
            split = Projections(fused.weight.detach(), None if fused.bias is None else fused.bias.detach())
            block.attn.qkv = split  # type: ignore[union-attr, assignment]  # a layer in place of a layer
            yield Split(split, attention, "proj")
    else:
        raise ValueError(
            f"adapters go into vision transformers of open_clip or timm, got {type(tower).__name__}: choose another"
            " backbone, or detectors of kind linear"
        )


def _linear(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device=weight.device)
    layer.weight = nn.Parameter(weight.clone(), requires_grad=False)
    if bias is not None:
        layer.bias = nn.Parameter(bias.clone(), requires_grad=False)
    return layer
