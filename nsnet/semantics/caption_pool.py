"""The caption pool, and the null spaces of pictures that come of it, for every view and condition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from nsnet.corpus.content import has_content
from nsnet.semantics.content_shift import (
    FEWEST,
    Labelled,
    ShiftAccuracy,
    choose_shift_rank,
    has_all_cells,
    shift_accuracy,
)
from nsnet.semantics.image_basis import ESTIMATES, ImageSpectrum
from nsnet.semantics.moments import Moments
from nsnet.semantics.settings import CaptionPool

EncodeTexts = Callable[[list[str]], npt.NDArray[np.float32]]
# Condition and view.
Shown = tuple[str, str]
# From image_ids, of what is shown, to their features, (n, d).
ReadPictures = Callable[[list[str]], npt.NDArray[np.float32]]
ReadFeatures = Callable[[Shown, list[str]], npt.NDArray[np.float32]]


def caption_pool(samples: pl.DataFrame) -> pl.DataFrame:
    """The pictures of the split semantics with their captions, each once.

    Args:
        samples: table samples.

    Returns:
        Columns image_id and caption, sorted; no rows if there is no pool.

    Raises:
        ValueError: fakes in the pool, or pictures without a caption.
    """
    rows = samples.filter(split="semantics").with_columns(pl.col("caption").str.strip_chars().replace("", None))
    fakes = rows.filter(label=1)["image_id"].n_unique()
    pool = rows.sort("image_id", "caption", nulls_last=True).unique("image_id", keep="first", maintain_order=True)
    lacking = pool["caption"].null_count()
    if fakes or lacking:
        raise ValueError(
            f"the caption pool (split semantics, {pool.height} pictures) has {fakes} fakes and {lacking} pictures"
            " without a caption; expected captioned real pictures: correct the manifest and run `dvc repro`"
        )
    return pool.select("image_id", "caption")


def pool_moments(
    pool: pl.DataFrame, shown: Sequence[Shown], read: ReadFeatures, encode: EncodeTexts, batch: int
) -> dict[Shown, Moments]:
    """Moments of the pool's features and captions; a batch at a time, its captions encoded once.

    Args:
        pool: of `caption_pool`.
        shown: conditions and views.
        read: features of pictures.
        encode: captions to features, of any space.
        batch: pictures at a time.

    Returns:
        By condition and view.
    """
    moments = {each: Moments() for each in shown}
    for part in pool.iter_slices(batch):
        texts = encode(part["caption"].to_list())
        for each, sums in moments.items():
            sums.add(read(each, part["image_id"].to_list()), texts)
    return moments


def labelled(pictures: pl.DataFrame, words: Sequence[str], read: ReadPictures) -> Labelled:
    """Pictures with what probes want to know of them.

    Args:
        pictures: columns image_id, label and caption, each picture once.
        words: that make the content.
        read: features of pictures.

    Returns:
        Unit features, labels and content, in the order of the rows.
    """
    features = read(pictures["image_id"].to_list()).astype(np.float64)
    return Labelled(
        features / np.linalg.norm(features, axis=1, keepdims=True),
        pictures["label"].to_numpy().astype(np.int64),
        has_content(pictures["caption"].to_list(), words),
    )


def labelled_splits(samples: pl.DataFrame, words: Sequence[str], read: ReadPictures) -> tuple[Labelled, Labelled]:
    """Captioned training and validation pictures of all training sets, each once.

    Args:
        samples: table samples.
        words: that make the content.
        read: features of pictures.

    Returns:
        Both splits, by image_id.

    Raises:
        ValueError: a split lacks pictures of a label and a content.
    """
    splits = []
    for split in ("train", "validation"):
        rows = samples.filter(pl.col("split") == split, pl.col("caption").is_not_null())
        once = rows.sort("image_id", "caption").unique("image_id", keep="first", maintain_order=True)
        if not has_all_cells(once["label"].to_numpy(), has_content(once["caption"].to_list(), words)):
            raise ValueError(
                f"semantics.pool.rank cannot be chosen: split {split} has fewer than {FEWEST} reals or fakes with"
                " or without the words of semantics.pool.content in their captions: change them, or set"
                " semantics.pool.rank"
            )
        splits.append(labelled(once, words, read))
    return splits[0], splits[1]


def null_spaces(
    moments: Mapping[Shown, Moments], samples: pl.DataFrame, read: ReadFeatures, settings: CaptionPool
) -> Iterator[tuple[str, Shown, ImageSpectrum, int, list[ShiftAccuracy]]]:
    """Every null space of pictures, and how many directions each removes.

    Args:
        moments: of the pool, by condition and view.
        samples: table samples; training and validation pictures judge the ranks.
        read: features of pictures.
        settings: section semantics.pool.

    Yields:
        Kind, condition and view, spectrum, chosen rank, and what each rank that was tried came to.

    Raises:
        ValueError: the pool shows one thing only; a rank is to be chosen, but training or validation lack
            pictures of a label and a content.
    """
    for shown, sums in moments.items():
        if not sums.vary:
            raise ValueError(
                f"the caption pool (split semantics, {sums.count} pictures) has pictures or captions that are all"
                " alike: no direction goes with what captions say; add others"
            )
        splits = None
        if settings.rank is None:
            splits = labelled_splits(samples, settings.content, partial(read, shown))
        for kind, estimate in ESTIMATES.items():
            spectrum = estimate(sums)
            most = len(spectrum.values) - 1
            if splits is None:
                yield kind, shown, spectrum, min(settings.rank or 0, most), []
                continue
            ranks = sorted({min(rank, most) for rank in settings.ranks})
            tried = [shift_accuracy(*splits, spectrum.directions.first(rank)) for rank in ranks]
            yield kind, shown, spectrum, choose_shift_rank(tried), tried


def basis_rows(kind: str, shown: Shown, spectrum: ImageSpectrum, rank: int) -> list[dict[str, Any]]:
    """Rows of the table image_basis.

    Args:
        kind: of null space.
        shown: condition and view.
        spectrum: of it.
        rank: directions that are retained.

    Returns:
        A row for each direction, largest singular value first.
    """
    columns = (spectrum.values, spectrum.energy, spectrum.directions.vectors, spectrum.directions.duals)
    return [
        {
            "null_space": kind,
            "condition": shown[0],
            "view": shown[1],
            "k": k,
            "singular_value": value,
            "energy": energy,
            "retained": k < rank,
            "vector": vector.tolist(),
            "dual": dual.tolist(),
        }
        for k, (value, energy, vector, dual) in enumerate(zip(*columns, strict=True))
    ]
