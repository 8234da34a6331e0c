"""Keeping a null space null while the backbone moves: content is learned back into what was kept of the feature.

Two ways, both on the caption pool: estimate the directions anew before each epoch, or hold
what is left of the feature apart from what captions say, batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from jaxtyping import Float

from nsnet.semantics.image_basis import ESTIMATES
from nsnet.semantics.moments import Moments


def estimated_projection(
    null_space: str,
    rank: int,
    features: Iterable[Float[torch.Tensor, "_ d"]],
    texts: Float[np.ndarray, "n k"],
) -> Float[torch.Tensor, "d d"]:
    """The projection of a null space of pictures, estimated on features as they are now.

    Args:
        null_space: a kind of `nsnet.semantics.image_basis`.
        rank: directions that it removes.
        features: of the pool's pictures, batch by batch in the order of `texts`.
        texts: features of their captions.

    Returns:
        P, float32 (d, d).

    Raises:
        ValueError: the features no longer vary, or not with the captions.
    """
    moments, start = Moments(), 0
    for batch in features:
        moments.add(batch.cpu().numpy(), texts[start : start + len(batch)])
        start += len(batch)
    if not moments.vary:
        raise ValueError("the caption pool's features have become all alike: lower the learning rate")
    directions = ESTIMATES[null_space](moments).directions.first(rank)
    return torch.from_numpy(directions.projection.astype(np.float32))


def cross_covariance_penalty(
    decoupled: Float[torch.Tensor, "b d"], texts: Float[torch.Tensor, "b k"]
) -> Float[torch.Tensor, ""]:
    """How strongly decoupled features go with captions: |C|^2 / (mean q^2 mean t^2), C = q^T t / b, both centred.

    It is zero where no caption feature is correlated with any direction of the batch, and no
    scale of either side changes it, so that shrinking features does not help.

    Args:
        decoupled: q, of pictures of the pool.
        texts: t, features of their captions.

    Returns:
        A scalar; divided by d k it would be the mean squared correlation of equally strong dimensions.
    """
    q, t = decoupled - decoupled.mean(dim=0), texts - texts.mean(dim=0)
    cross = q.T @ t / len(q)
    return cross.square().sum() / (q.square().mean() * t.square().mean())
