"""Golden scores: five pictures made in code, and what a detector said of them where it was exported.

They tell whether a detector scores here as it did there: the same bytes of the file say nothing of the libraries
and the processor around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from jaxtyping import UInt8
from scipy.special import logit

from nsnet.prediction.draws import NEAREST

if TYPE_CHECKING:
    from nsnet.prediction.predictor import Predictor

HEIGHT, WIDTH = 176, 208
# A score may differ by this in its logit, which is at most 0.0025 of the score itself. Other threads, vector units and
# batches moved logits of the shipped detectors by 0.00003 at most; another interpolation, or a channel order that is
# wrong, by more than 0.1 (tests/test_golden.py measures both).
TOLERANCE = 0.01


def golden_pictures() -> list[UInt8[np.ndarray, "h w 3"]]:
    """The five pictures, made with whole numbers alone: the same bytes on every machine.

    Each has noise in it, so that no two of its patches are equally complex: which ones a mosaic takes then follows
    from no rounding.

    Returns:
        uint8 (176, 208, 3) each: a ramp, a chequerboard, rings, noise, and noise enlarged twofold on a ramp.
    """
    y, x, channel = np.indices((HEIGHT, WIDTH, 3))
    centre = (y - HEIGHT // 2) ** 2 + (x - WIDTH // 2) ** 2
    shapes = [
        x + (channel + 1) * y // 2,
        40 + 160 * ((x // 12 + y // 12 + channel) % 2),
        centre // (24 + 8 * channel),
        np.full_like(x, 100),
        40 + (x + y) // 2,
    ]
    noise = [_noise(y, x, channel, number) for number in range(4)]
    added = [noise[0] % 16, noise[1] % 24, noise[2] % 8, noise[3] % 48, _noise(y // 2, x // 2, channel, 4) % 32]
    return [((shape + grain) % 256).astype(np.uint8) for shape, grain in zip(shapes, added, strict=True)]


def _noise(
    y: npt.NDArray[np.int64], x: npt.NDArray[np.int64], channel: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.int64]:
    """Whole numbers from 0 to 255 that look drawn: numbers of the places, mixed as hashes of 32 bits are."""
    mixed = (((y * WIDTH + x) * 3 + channel + 1) * 2654435761 + seed * 40503) & 0xFFFFFFFF
    for shift in (13, 17, 5):
        mixed = ((mixed ^ (mixed >> shift)) * 69069) & 0xFFFFFFFF
    return (mixed >> 16) & 0xFF


def golden_scores(predictor: Predictor) -> list[float]:
    """What a detector says of the five pictures, each a mean over the predictor's draws.

    Args:
        predictor: of `nsnet.load`, with its usual number of draws.

    Returns:
        Probabilities of fake, in the order of the pictures.
    """
    return predictor.predict_proba(golden_pictures())[:, 1].tolist()


def deviation(scores: Sequence[float], pinned: Sequence[float]) -> float:
    """The largest difference between two lists of scores of the pictures, in logits.

    Args:
        scores, pinned: probabilities, one for each picture.

    Returns:
        The difference; within `TOLERANCE` they are the same.

    Raises:
        ValueError: the lists are not of one length.
    """
    lowest = np.finfo(np.float64).tiny
    first, second = (logit(np.clip(np.asarray(row, np.float64), lowest, 1 - NEAREST)) for row in (scores, pinned))
    if first.shape != second.shape:
        raise ValueError(f"{len(pinned)} golden scores are pinned; expected {len(scores)}, one for each picture")
    return float(np.abs(first - second).max())
