"""NS-Net's losses, and the weights that make both classes count the same."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch.nn import functional


def class_weights(labels: Int[np.ndarray, " n"]) -> Float[torch.Tensor, " 2"]:
    """Weight of a real and of a fake in a balanced mean: n / (2 n_class), float32; 1 where they are equally many.

    Raises:
        ValueError: a class is missing.
    """
    counts = np.bincount(labels, minlength=2)
    if len(counts) != 2 or not counts.all():
        raise ValueError(f"expected reals (0) and fakes (1), got {counts.tolist()} examples by label")
    return torch.from_numpy((len(labels) / (2 * counts)).astype(np.float32))


def balanced_bce(
    logits: Float[torch.Tensor, " B"], labels: Shaped[torch.Tensor, " B"], weights: Float[torch.Tensor, " 2"]
) -> Float[torch.Tensor, ""]:
    """Binary cross-entropy in which each class has half the say, in the mean over all batches of an epoch.

    The sum over a batch is divided by its size, not by the weights that happen to be in it:
    so every example weighs the same wherever it falls, and parts of a batch add up to it.

    Args:
        logits: (B,), fake is positive.
        labels: (B,), 0 real, 1 fake.
        weights: of a real and of a fake, from `class_weights` of the whole split.

    Returns:
        The loss, a scalar.
    """
    each = functional.binary_cross_entropy_with_logits(logits, labels.to(logits.dtype), reduction="none")
    return (each * weights.to(each)[labels.long()]).mean()


def real_contrastive(
    decoupled: Float[torch.Tensor, "B d"], labels: Shaped[torch.Tensor, " B"], temperature: float
) -> Float[torch.Tensor, ""]:
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
    real = torch.nonzero(labels == 0).squeeze(1)
    count = len(real)
    if count < 2:
        return decoupled.sum() * 0
    unit = functional.normalize(decoupled, dim=1)
    anchors = unit[real]
    similarity = anchors @ unit.T / temperature
    others = similarity.scatter(1, real[:, None], -torch.inf)  # itself left out of the softmax
    # The mean over anchors and positives of their similarity, without a matrix: |sum a|^2 - sum |a|^2.
    pairs = anchors.sum(dim=0).square().sum() - anchors.square().sum()
    return torch.logsumexp(others, dim=1).mean() - pairs / (temperature * count * (count - 1))


def nsnet_loss(
    logits: Float[torch.Tensor, " B"],
    decoupled: Float[torch.Tensor, "B d"],
    labels: Shaped[torch.Tensor, " B"],
    weights: Float[torch.Tensor, " 2"],
    bce_weight: float,
    temperature: float,
) -> Float[torch.Tensor, ""]:
    """L = (1 - w) contrastive + w BCE (arXiv 2508.01248, total loss).

    Args:
        logits: (B,).
        decoupled: (B, d), what the contrastive loss compares.
        labels: (B,), 0 real, 1 fake.
        weights: as `balanced_bce`.
        bce_weight: w; at 1 the contrastive loss is not computed.
        temperature: as `real_contrastive`.

    Returns:
        The loss, a scalar.
    """
    bce = balanced_bce(logits, labels, weights)
    if bce_weight == 1:
        return bce
    return (1 - bce_weight) * real_contrastive(decoupled, labels, temperature) + bce_weight * bce
