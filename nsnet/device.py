"""Which device torch computes on."""

from __future__ import annotations

import torch


def best_device() -> str:
    """cuda where there is one, else cpu."""
    return "cuda" if torch.cuda.is_available() else "cpu"
