"""Effort: the last singular directions of the attention's matrices move, the principal ones stay as they are.

Yan et al., arXiv 2411.15633: W = U S V^T of each matrix of the self-attention; all but the smallest
components are frozen, since they hold what the backbone knows, and the rest is trained under a term that
keeps it orthogonal to them and the matrix as large as it was. From the paper; the released code was not
here to be compared with.
"""

from __future__ import annotations

import copy
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import nn
from torch.nn import functional

from nsnet.detectors.settings import EffortSettings
from nsnet.detectors.tuning.attention import KEY, QUERY, VALUE, split_attention
from nsnet.detectors.tuning.detector import TunedDetector


class SplitLinear(nn.Module):
    """A linear layer as principal part and rest of its singular value decomposition; the rest is trained."""

    def __init__(self, layer: nn.Linear, trained: int) -> None:
        """Split a layer.

        Args:
            layer: not changed.
            trained: singular directions in the rest, those of the smallest values.

        Raises:
            ValueError: the layer has no more than that many.
        """
        super().__init__()
        weight = layer.weight.detach()
        kept = min(weight.shape) - trained
        if kept < 1:
            raise ValueError(f"trained: {trained} of the {min(weight.shape)} singular directions of a layer")
        left, values, right = (part.to(weight.dtype) for part in torch.linalg.svd(weight.double(), full_matrices=False))
        self.bias = None if layer.bias is None else nn.Parameter(layer.bias.detach().clone(), requires_grad=False)
        self.left, self.values = nn.Parameter(left[:, kept:].clone()), nn.Parameter(values[kept:].clone())
        self.right = nn.Parameter(right[kept:].clone())
        self.kept: torch.Tensor
        self.kept_left: torch.Tensor
        self.kept_right: torch.Tensor
        # Less the rest, not made of the principal part: together both are the layer's own bits, nearly.
        self.register_buffer("kept", weight - (self.left * self.values).detach() @ self.right.detach())
        self.register_buffer("kept_left", left[:, :kept].clone())
        self.register_buffer("kept_right", right[:kept].clone())
        self._energy = float(weight.double().square().sum())

    def forward(self, tokens: Float[torch.Tensor, "*n d"]) -> Float[torch.Tensor, "*n out"]:
        """Tokens to the layer's output."""
        rest = functional.linear(functional.linear(tokens, self.right) * self.values, self.left)
        return functional.linear(tokens, self.kept, self.bias) + rest

    def departure(self) -> Float[torch.Tensor, ""]:
        """How far the decomposition is from one, zero at the start.

        Returns:
            ||U^T U - I||^2 + ||V^T V - I||^2 over all directions, and | ||W||^2 - ||W0||^2 |.
        """
        weight = self.kept + (self.left * self.values) @ self.right
        sides = _overlap(self.kept_left, self.left) + _overlap(self.kept_right.T, self.right.T)
        return sides + (weight.square().sum() - self._energy).abs()


def _overlap(kept: Float[torch.Tensor, "d k"], own: Float[torch.Tensor, "d r"]) -> Float[torch.Tensor, ""]:
    """Of ||Q^T Q - I||^2, Q = [kept, own], what can change: twice the blocks between both, and that of `own`."""
    identity = torch.eye(own.shape[1], device=own.device, dtype=own.dtype)
    return 2 * (kept.T @ own).square().sum() + (own.T @ own - identity).square().sum()


def split_layers(visual: nn.Module, trained: int) -> nn.Module:
    """A copy of a vision transformer whose query, key, value and output layers are split; all else is frozen.

    Args:
        visual: of a kind that `split_attention` knows; not changed.
        trained: singular directions of each that are trained.

    Returns:
        The copy, in evaluation mode.

    Raises:
        ValueError: a tower of another kind, or as `SplitLinear`.
    """
    tower = copy.deepcopy(visual).eval().requires_grad_(False)
    for attention in split_attention(tower):
        inputs: list[tuple[nn.Module, str]] = [(attention.projections, part) for part in (QUERY, KEY, VALUE)]
        for module, name in [*inputs, (attention.module, attention.output)]:
            setattr(module, name, SplitLinear(getattr(module, name), trained))
    return tower


class EffortDetector(TunedDetector):
    """The backbone whose attention moves in its smallest singular directions alone."""

    Settings: ClassVar[type[EffortSettings]] = EffortSettings
    settings: EffortSettings

    def moving(self, visual: nn.Module) -> nn.Module:
        return split_layers(visual, self.settings.trained)

    def regularisation(self) -> torch.Tensor:
        layers = [module for module in self.network.visual.modules() if isinstance(module, SplitLinear)]
        return self.settings.orthogonality * torch.stack([layer.departure() for layer in layers]).mean()
