"""The backbone as it moves, and the head behind it; only what is trained is kept."""

from __future__ import annotations

import re
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import nn

from nsnet.detectors.head import Head
from nsnet.detectors.protocol import Tower


class TunedNetwork(nn.Module):
    """Pixels to logits and decoupled features. Its state holds what is trained; the tower comes with the backbone."""

    def __init__(self, visual: nn.Module, tower: Tower, precision: str, projection: Float[torch.Tensor, "d d"]) -> None:
        """Put a head behind a tower.

        Args:
            visual: the backbone's vision transformer, or a copy; what moves in it requires a gradient.
            tower: the backbone, which normalises pixels.
            precision: of the backbone record: passes that are not trained compute so.
            projection: the null space that it starts with.
        """
        super().__init__()
        self._tower, self._bfloat16 = tower, precision == "bfloat16"
        self.visual = visual
        self.head = Head(projection, adapter=False)
        trained = {name for name, parameter in self.named_parameters() if parameter.requires_grad}
        self._frozen = {name for name in self.state_dict() if name.startswith("visual.") and name not in trained}
        self.register_state_dict_post_hook(_leave_frozen_out)
        self.register_load_state_dict_post_hook(_miss_no_frozen)

    def train(self, mode: bool = True) -> TunedNetwork:
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
        features = self.features(pixels)
        # Half precision is for the tower: a projection in eight bits would leave of the directions what it rounds.
        with torch.autocast(pixels.device.type, enabled=False):
            logits, decoupled = self.head(features.float())
        return logits, decoupled


def _leave_frozen_out(module: Any, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    for name in module._frozen:
        del state[prefix + name]


def _miss_no_frozen(module: Any, keys: Any) -> None:
    keys.missing_keys[:] = [key for key in keys.missing_keys if _own(key) not in module._frozen]


def _own(key: str) -> str:
    """A key without the prefixes of modules around the network."""
    return re.sub(r"^.*?(?=visual\.)", "", key)
