"""What the study of null spaces stands on: frozen features of one view, probes at a dose of bias, every null space."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Samples
from nsnet.features.contracts import Features
from nsnet.features.matrices import FeatureReader
from nsnet.params import load_params
from nsnet.semantics.caption_pool import ReadPictures, caption_pool
from nsnet.semantics.content_shift import probe
from nsnet.semantics.contracts import ImageBasis, RankValidation, SemanticBasis
from nsnet.semantics.image_basis import ESTIMATES
from nsnet.semantics.moments import Moments
from nsnet.semantics.null_space import Directions, load_bases, no_directions, orthonormal, random_directions
from nsnet.semantics.spectrum import CaptionGram, choose_rank
from nsnet.studies.probes import HeldOut, Pictures, read_pictures

if TYPE_CHECKING:
    from nsnet.features.backbone import Backbone

# From the seed of a drawn training set and the places of its pictures to what is removed.
Choice = Callable[[int, npt.NDArray[np.int64]], Directions]


class NullSpaceStudy:
    """One view of a project's pictures, ready to be probed.

    Args:
        paths: a project whose `dvc repro` has run, with a caption pool.
        view: of the features; the mosaic's draw 0, under the first of train.conditions.
        draws: training sets, and pools, of each kind; at most 64.
        resamples: of test pictures and draws.
        reader: from the backbone to what reads features by image_id; those of the project's view if left out.

    Raises:
        FileNotFoundError, ValueError: the project has not run, or has no caption pool or no such view.
    """

    def __init__(
        self,
        paths: Paths,
        view: str,
        draws: int,
        resamples: int,
        reader: Callable[[Backbone], ReadPictures] | None = None,
    ) -> None:
        from nsnet.features.backbone import load_backbone  # open_clip takes seconds

        params = load_params(paths.params)
        self.view, self.draws, self.condition = view, draws, params.train.conditions[0]
        self.semantics = params.semantics
        bases = load_bases(*(read_table(kind, paths.table(kind)) for kind in (SemanticBasis, ImageBasis)))
        self.fixed = {kind: bases.of(kind, "", self.condition, view) for kind in ESTIMATES}
        backbone, table = load_backbone(params.backbone), paths.table(Features)
        samples = read_table(Samples, paths.table(Samples))
        read = (
            reader(backbone) if reader else partial(FeatureReader(table).matrix, backbone.id, self.condition, view, 0)
        )
        self.encode_texts = backbone.encode_texts

        def pictures(split: str) -> Pictures:
            rows = samples.filter(split=split).sort("image_id").unique("image_id", keep="first", maintain_order=True)
            return read_pictures(rows, self.semantics.pool.content, read)

        self.train, self.validation, self.test = (pictures(split) for split in ("train", "validation", "test"))
        self.held_out = HeldOut(self.test, list(self.train.generators), resamples)
        pool = caption_pool(samples)
        self.pool_images = read(pool["image_id"].to_list())
        texts = sorted({*self.train.captions, *pool["caption"]})
        self._texts = dict(zip(texts, backbone.encode_texts(texts), strict=True))
        self.pool_texts = self.encoded(pool["caption"].to_list())
        self.ranks: pl.DataFrame = read_table(RankValidation, paths.table(RankValidation)).filter(
            condition=self.condition, view=view
        )
        # At most half of the scarcest cell is in a draw without bias, so that draws differ.
        self.per_class = min(len(places) for places in self.train.cells.values()) // 10 * 10

    def encoded(self, captions: list[str]) -> npt.NDArray[np.float32]:
        """Caption features, float32 (n, k), of training and pool captions."""
        return np.array([self._texts[caption] for caption in captions])

    def accuracies(self, dose: float, choice: Choice) -> npt.NDArray[np.float64]:
        """Held-out accuracy and its resamples (`HeldOut.accuracies`) of probes on drawn training sets.

        Args:
            dose: share of each class whose content predicts the label.
            choice: what is removed first.

        Returns:
            1 + resamples values.
        """
        called = []
        for seed in range(self.draws):
            places = self.train.dosed(dose, self.per_class, seed)
            rows, labels = self.train.features[places], self.train.labels[places]
            called.append(probe(rows, labels, self.test.features, choice(seed, places)))
        return self.held_out.accuracies(np.array(called))

    def kinds(self) -> Mapping[str, Choice]:
        """Every null space by name; those of pictures with the rank that the stage semantics chose."""
        width = self.test.features.shape[1]
        return {
            "none": constant(no_directions(width)),
            "random": lambda seed, places: random_directions(len(self.fixed["cross-modal"]), width, seed),
            "text": lambda seed, places: self._text(places),
            **{kind: constant(directions) for kind, directions in self.fixed.items()},
        }

    def _text(self, places: npt.NDArray[np.int64]) -> Directions:
        """Of the captions of a drawn training set."""
        return self.text_directions(self.encoded([self.train.captions[place] for place in places]))

    def estimated(self, kind: str) -> Directions:
        """Directions of pictures, estimated on the pool as this study reads it, as many as the project's.

        Args:
            kind: of nsnet.semantics.image_basis.

        Returns:
            Them.
        """
        return ESTIMATES[kind](moments_of(self.pool_images, self.pool_texts)).directions.first(len(self.fixed[kind]))

    def text_directions(self, features: npt.NDArray[np.float32], rank: int | None = None) -> Directions:
        """Directions of texts, as the stage semantics has them.

        Args:
            features: of the texts, (n, d).
            rank: how many; chosen by the rule of section semantics if left out.

        Returns:
            Orthonormal ones.
        """
        gram, settings = CaptionGram(self.semantics.normalise), self.semantics
        gram.add(features, np.ones(len(features), np.int64))
        spectrum = gram.spectrum(settings.centre)
        rank = rank or choose_rank(spectrum, settings.energy, settings.tolerance, settings.rank)
        return orthonormal(spectrum.vectors[:rank])


def moments_of(images: npt.NDArray[np.floating], texts: npt.NDArray[np.float32]) -> Moments:
    """Moments of a pool at once.

    Args:
        images: features (n, d).
        texts: features (n, k) of their captions.

    Returns:
        Them.
    """
    moments = Moments()
    moments.add(images, texts)
    return moments


def constant(directions: Directions) -> Choice:
    """The same directions for all draws."""
    return lambda seed, places: directions
