"""NS-Net's losses."""

from __future__ import annotations

import torch
from torch.nn import functional


def real_contrastive(decoupled: torch.Tensor, labels: torch.Tensor, temperature: float) -> torch.Tensor:
    """Pull real images together and push fakes from them.

    Supervised contrastive loss (Khosla et al., 2020) whose anchors are the real images
    only, as NS-Net asks (arXiv 2508.01248, contrastive loss): a generator's fakes need
    not resemble another's.

    Args:
        decoupled: (B, d), any scale; L2-normalised here.
        labels: (B,), 0 real, 1 fake.
        temperature: softmax temperature, 0.07 in the paper's family.

    Returns:
        Scalar mean over real anchors; zero when the batch has fewer than two reals.
    """
    real = labels == 0
    if int(real.sum()) < 2:
        return decoupled.sum() * 0
    unit = functional.normalize(decoupled, dim=1)
    similarity = unit[real] @ unit.T / temperature
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)[real]
    log_share = functional.log_softmax(similarity.masked_fill(itself, -torch.inf), dim=1)
    positives = real[None, :] & ~itself
    return -(log_share.masked_fill(~positives, 0).sum(dim=1) / positives.sum(dim=1)).mean()


def nsnet_loss(
    logits: torch.Tensor, decoupled: torch.Tensor, labels: torch.Tensor, bce_weight: float, temperature: float
) -> torch.Tensor:
    """L = (1 - w) contrastive + w BCE (arXiv 2508.01248, total loss), w = `bce_weight`."""
    bce = functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype))
    if bce_weight == 1:
        return bce
    return (1 - bce_weight) * real_contrastive(decoupled, labels, temperature) + bce_weight * bce
