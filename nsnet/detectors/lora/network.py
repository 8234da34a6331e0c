"""The backbone with adapters, and the head behind it; only what is trained is kept."""

from __future__ import annotations

import copy
import re
import warnings
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import nn

from nsnet.detectors.head import Head
from nsnet.detectors.lora.attention import split_attention
from nsnet.detectors.protocol import Tower
from nsnet.detectors.settings import LoraSettings

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
        inject_adapter_in_model(config, nn.ModuleList(attention[:layers]))
    return tower


class LoraNetwork(nn.Module):
    """Pixels to logits and decoupled features. Its state holds adapters and head; the tower comes with the backbone."""

    def __init__(
        self, settings: LoraSettings, tower: Tower, precision: str, projection: Float[torch.Tensor, "d d"]
    ) -> None:
        """Build it; adapters are drawn from torch's generator.

        Args:
            settings: of the detector.
            tower: the backbone, which is copied.
            precision: of the backbone record: passes that are not trained compute so.
            projection: the null space that it starts with.
        """
        super().__init__()
        self._tower, self._bfloat16 = tower, precision == "bfloat16"
        self.visual = adapted(tower.model.visual, settings.rank, settings.alpha, settings.dropout, settings.layers)
        self.head = Head(projection, adapter=False)
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        self._frozen = {name for name in self.state_dict() if name.startswith("visual.") and name not in trained}
        self.register_state_dict_post_hook(_leave_frozen_out)
        self.register_load_state_dict_post_hook(_miss_no_frozen)

    def train(self, mode: bool = True) -> LoraNetwork:
        """Switch dropout of adapters alone: the tower's normalisation keeps its statistics."""
        super().train(mode)
        for name, module in self.visual.named_modules():
            module.training = mode and "lora_dropout" in name
        return self

    def save_memory(self) -> None:
        """Compute the inner values of layers twice in training, and hold none of them."""
        visual: Any = self.visual
        visual.set_grad_checkpointing()

    def features(self, pixels: UInt8[torch.Tensor, "b size size 3"]) -> Float[torch.Tensor, "b d"]:
        """Features as the backbone gives them, from the tower as it is now."""
        features: torch.Tensor = self.visual(self._tower.normalised(pixels))
        return features

    def frozen_features(self, pixels: UInt8[torch.Tensor, "b size size 3"]) -> Float[torch.Tensor, "b d"]:
        """The same float32 features as a pass without gradients computes them, in the backbone's precision."""
        with torch.inference_mode(), torch.autocast(pixels.device.type, torch.bfloat16, enabled=self._bfloat16):
            return self.features(pixels).float()

    def forward(
        self, pixels: UInt8[torch.Tensor, "b size size 3"]
    ) -> tuple[Float[torch.Tensor, " b"], Float[torch.Tensor, "b d"]]:
        """Pixels to logits (b,) and decoupled features (b, d)."""
        logits, decoupled = self.head(self.features(pixels).float())
        return logits, decoupled


def _leave_frozen_out(module: Any, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name in module._frozen:
        del state[prefix + name]


def _miss_no_frozen(module: Any, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if _own(key) not in module._frozen]


def _own(key: str) -> str:
    """A key without the prefixes of modules around the network."""
    return re.sub(r"^.*?(?=visual\.)", "", key)
