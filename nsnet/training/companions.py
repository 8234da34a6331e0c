"""Captioned pictures beside a training set: the caption pool, and validation pictures under content shift."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.core.provenance import digest
from nsnet.corpus.content import has_content
from nsnet.detectors.protocol import Needs
from nsnet.semantics.caption_pool import EncodeTexts, caption_pool
from nsnet.semantics.content_shift import FEWEST, has_all_cells
from nsnet.training.sets import Pictures


@dataclass(frozen=True)
class Companions:
    """What some trainings look at beside their training set.

    Attributes:
        pool: columns image_id and caption, each picture once; no rows without a caption pool.
        shift: columns image_id, label and caption of the validation pictures of all training sets, each once.
        words: that make the content (semantics.pool.content).
        text: what encodes captions (semantics.text).
        encoder: makes the function that does, when it is first needed.
    """

    pool: pl.DataFrame
    shift: pl.DataFrame
    words: tuple[str, ...]
    text: str | None
    encoder: Callable[[], EncodeTexts] = field(compare=False)

    def identity(self, needs: Needs) -> list[str]:
        """What of them determines a training.

        Args:
            needs: of its detector.

        Returns:
            Checksums; none for a detector that needs none of them.

        Raises:
            ValueError: there is no pool, or there are too few pictures of a label and a content.
        """
        checksums = []
        if needs.pool:
            if self.pool.is_empty():
                raise ValueError(
                    "upkeep needs a caption pool (captioned real pictures of the split semantics), and there is none:"
                    " add one to the corpus, or set upkeep: fixed"
                )
            checksums.append(digest([*self.pool.rows(), self.text]))
        if needs.shift:
            if not has_all_cells(self.shift["label"].to_numpy(), self.content):
                raise ValueError(
                    f"select: content-shift needs {FEWEST} validation pictures of each label with and without the"
                    " words of semantics.pool.content in their captions: change them, or set select: last"
                )
            checksums.append(digest([*self.shift.rows(), *sorted(self.words)]))
        return checksums

    @cached_property
    def content(self) -> npt.NDArray[np.bool_]:
        """Whether the pictures of `shift` have the content, bool (n,)."""
        return has_content(self.shift["caption"].to_list(), self.words)

    @cached_property
    def texts(self) -> npt.NDArray[np.float32]:
        """Features of the pool's captions, float32 (n, k)."""
        return self.encoder()(self.pool["caption"].to_list())

    @property
    def pool_pictures(self) -> Pictures:
        """The pool's, all real."""
        return Pictures(tuple(self.pool["image_id"]), (0,) * self.pool.height)

    @property
    def shift_pictures(self) -> Pictures:
        """Those of `shift`, with their labels."""
        return Pictures(tuple(self.shift["image_id"]), tuple(self.shift["label"]))


def companions(
    samples: pl.DataFrame, words: Sequence[str], text: str | None, encoder: Callable[[], EncodeTexts]
) -> Companions:
    """Those of a corpus.

    Args:
        samples: table samples.
        words, text, encoder: as `Companions`.

    Returns:
        Pool and captioned validation pictures.

    Raises:
        ValueError: as `caption_pool`.
    """
    captioned = samples.filter(pl.col("split") == "validation", pl.col("caption").is_not_null())
    shift = captioned.sort("image_id", "caption").unique("image_id", keep="first", maintain_order=True)
    return Companions(caption_pool(samples), shift.select("image_id", "label", "caption"), tuple(words), text, encoder)
