"""Training sets at a dose of content bias, and accuracy on held-out generators with its interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64, Int64

from nsnet.semantics.caption_pool import ReadPictures, labelled
from nsnet.semantics.content_shift import Labelled


@dataclass(frozen=True)
class Interval:
    """A figure and its 95 % interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}..{self.high:.3f})"


@dataclass(frozen=True)
class Pictures(Labelled):
    """Labelled pictures with their captions and generators.

    Attributes:
        captions: of each.
        generators: places by generator or real pool, sorted by name.
    """

    captions: list[str]
    generators: dict[str, Int64[np.ndarray, " m"]]

    @cached_property
    def cells(self) -> dict[tuple[int, bool], Int64[np.ndarray, " n"]]:
        """Places by label, and by whether content goes with it as under full bias: reals have it, fakes lack it."""
        aligned = self.paired(True)
        return {
            (label, together): np.flatnonzero((self.labels == label) & (aligned == together))
            for label in (0, 1)
            for together in (True, False)
        }

    def dosed(self, dose: float, per_class: int, seed: int) -> Int64[np.ndarray, " n"]:
        """Places of a training set in which content predicts the label for a share `dose` of each class.

        Args:
            dose: from 0.5, no bias, to 1.
            per_class: reals, and as many fakes.
            seed: draws them.

        Returns:
            Places, 2 per_class of them.

        Raises:
            ValueError: there are too few pictures of a label and a content.
        """
        rng = np.random.default_rng(seed)
        count = round(dose * per_class)
        chosen = []
        for (label, together), places in self.cells.items():
            wanted = count if together else per_class - count
            if wanted > len(places):
                raise ValueError(f"label {label}, content aligned {together}: {len(places)} pictures for {wanted}")
            chosen.append(rng.permutation(places)[:wanted])
        return np.concatenate(chosen)


def read_pictures(rows: pl.DataFrame, words: Sequence[str], read: ReadPictures) -> Pictures:
    """Pictures of one view.

    Args:
        rows: columns image_id, label, generator and caption, each picture once.
        words: that make the content.
        read: features of pictures.

    Returns:
        Them, in the order of the rows.
    """
    one, names = labelled(rows, words, read), rows["generator"].to_numpy()
    generators = {str(name): np.flatnonzero(names == name) for name in sorted(set(names))}
    return Pictures(one.features, one.labels, one.content, rows["caption"].to_list(), generators)


class HeldOut:
    """Mean balanced accuracy over generators; reals, fakes of each generator and draws of the training set resampled.

    Args:
        pictures: test pictures.
        known: generators that training has seen, left out.
        resamples: of the bootstrap; the same for all figures, so that differences are paired.

    Attributes:
        generators: that are held out.
    """

    def __init__(self, pictures: Pictures, known: Sequence[str], resamples: int) -> None:
        rng = np.random.default_rng(0)
        fakes = {
            name: places
            for name, places in pictures.generators.items()
            if pictures.labels[places[0]] == 1 and name not in known
        }
        self.generators = list(fakes)
        self._reals = np.flatnonzero(pictures.labels == 0)
        self._fakes = np.concatenate(list(fakes.values()))
        self._real_weights = _weights(rng, len(self._reals), resamples)
        parts = [_weights(rng, len(places), resamples) / len(fakes) for places in fakes.values()]
        self._fake_weights = np.concatenate(parts, axis=1)
        self._draws = rng.random((resamples, 64))

    def accuracies(self, called: Bool[np.ndarray, "draws n"]) -> Float64[np.ndarray, " resamples"]:
        """The figure itself, and then its resamples.

        Args:
            called: fake or not, by draw of the training set and test picture.

        Returns:
            1 + resamples values.
        """
        reals, fakes = ~called[:, self._reals], called[:, self._fakes]
        own = (reals @ self._real_weights[0] + fakes @ self._fake_weights[0]) / 2
        shares = (reals @ self._real_weights[1:].T + fakes @ self._fake_weights[1:].T) / 2  # (draws, resamples)
        drawn = (self._draws[:, : len(called)] * len(called)).astype(int)
        resampled = np.take_along_axis(shares.T, drawn, axis=1).mean(axis=1)
        return np.concatenate([[own.mean()], resampled])


def interval(values: Float64[np.ndarray, " n"]) -> Interval:
    """From `HeldOut.accuracies`, or the difference of two: the figure with percentiles of its resamples."""
    low, high = np.percentile(values[1:], [2.5, 97.5])
    return Interval(float(values[0]), float(low), float(high))


def _weights(rng: np.random.Generator, count: int, resamples: int) -> Float64[np.ndarray, "rows n"]:
    """Shares of `count` pictures: all alike in row 0, then drawn with replacement."""
    drawn = rng.multinomial(count, np.full(count, 1 / count), resamples)
    return np.concatenate([np.ones((1, count)), drawn]) / count
