"""LoRA on the backbone, as NS-Net trains it, and CLIP+LoRA: low-rank adapters on query, key and value."""

from __future__ import annotations

import copy
import warnings
from typing import ClassVar

from torch import nn

from nsnet.detectors.settings import LoraSettings
from nsnet.detectors.tuning.attention import split_attention
from nsnet.detectors.tuning.detector import TunedDetector

# Where PEFT looks for the layers: in the list of the tower's own attention.
TARGETS = r"(\d+)\.(query|key|value)"


def adapted(visual: nn.Module, rank: int, alpha: float, dropout: float, layers: int | None) -> nn.Module:
    """A copy of a vision transformer with low-rank adapters on q, k and v; all else is frozen.

    Adapters start at zero: the copy's features are the tower's own.

    Args:
        visual: of a kind that `split_attention` knows; not changed.
        rank: r of the products B A that are added to the three matrices.
        alpha: they are scaled by alpha / r.
        dropout: of what A is given, in training.
        layers: how many of the first layers get adapters; None is all.

    Returns:
        The copy, in evaluation mode.

    Raises:
        ValueError: a tower of another kind, or one with fewer layers.
    """
    from peft import LoraConfig, inject_adapter_in_model  # takes seconds

    tower = copy.deepcopy(visual).eval().requires_grad_(False)
    attention = split_attention(tower)
    if layers is not None and layers > len(attention):
        raise ValueError(f"layers: {layers} of a tower that has {len(attention)}")
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=TARGETS)  # type: ignore[arg-type]  # PEFT divides by it only
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the list has no configuration as models of transformers have
        inject_adapter_in_model(config, nn.ModuleList([layer.projections for layer in attention[:layers]]))
    return tower


class LoraDetector(TunedDetector):
    """The backbone with adapters; with null space and contrastive loss it is the paper's."""

    Settings: ClassVar[type[LoraSettings]] = LoraSettings
    settings: LoraSettings

    def moving(self, visual: nn.Module) -> nn.Module:
        settings = self.settings
        return adapted(visual, settings.rank, settings.alpha, settings.dropout, settings.layers)
