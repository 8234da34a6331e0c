"""How many views a forward pass takes: as many as are asked for, or as the GPU's memory holds."""

from __future__ import annotations

import sys

import numpy as np
import torch

from nsnet.features.backbone import Backbone


def fitting_batch(backbone: Backbone, batch: int, patches: bool) -> int:
    """The batch that is asked for, halved until a pass fits into memory.

    It is tried before any work, since a feature's last bits depend on it: one run has one.

    Args:
        backbone: the tower; one on the CPU, whose memory is the machine's, is not tried.
        batch: views in a forward pass.
        patches: whether passes give the features of patches too.

    Returns:
        At least 1; a smaller one than was asked for is named on stderr.

    Raises:
        torch.OutOfMemoryError: not even one view fits.
    """
    asked, size = batch, backbone.views.size
    while backbone.device != "cpu":
        pixels = np.zeros((batch, size, size, 3), np.uint8)
        try:
            _ = backbone.encode_patches(pixels) if patches else backbone.encode_images(pixels)
            break
        except torch.OutOfMemoryError:
            if batch == 1:
                raise
            batch //= 2
            torch.cuda.empty_cache()
    if batch < asked:
        print(f"features.batch: {asked} views do not fit into the GPU's memory, {batch} do", file=sys.stderr)
    return batch
