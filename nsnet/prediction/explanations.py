"""Which parts of a picture its score comes from: each is left out in turn.

Of a mosaic the parts are its patches. In the place of one that is left out comes the patch that Patch
Selection would have chosen without it, the next of the ranking: what is compared are two mosaics of one
picture. (A patch of one colour is nothing that mosaics are made of. Detectors of fine traces take it for
fake by itself, and nearly all others then seem to speak for real, whatever the score.)

The views crop and full have no ranking, and a picture may have no patch to spare: there a part is
painted in the mean colour of the view (occlusion: Zeiler & Fergus, ECCV 2014), for crop and full the
cells of a grid as fine as the mosaic's. Compare such contributions with each other, not with 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8
from scipy.special import logit

from nsnet.corpus.images import Pixels
from nsnet.features.geometry import corner
from nsnet.features.patches import rank, spectral_entropy
from nsnet.features.views import View, ViewSettings, fit, make_view
from nsnet.prediction.draws import NEAREST
from nsnet.prediction.pictures import Opened
from nsnet.prediction.predictions import Prediction
from nsnet.prediction.scorer import Scorer

Instead = Literal["next patch", "mean colour"]


@dataclass(frozen=True, eq=False)
class Explanation:
    """What is said of a picture, and which parts of it say so.

    Attributes:
        prediction: of the picture.
        shown: the view that the detector is shown.
        picture: uint8 (h, w, 3), which the view was taken from: the picture, enlarged if it was too small.
        view: uint8 (size, size, 3), the first draw.
        cells: int64 (grid, grid), which part each cell of the view shows; a picture with few patches repeats them.
        places: float64 (parts, 4), top, left, bottom and right of each part in `picture`, in pixels.
        instead: what stands in the place of a part that is left out.
        contributions: float64 (parts,), by how much the log-odds of fake fall when the part is left out of the
            view: above 0 it speaks for fake, below for real. Mean over the draws; they do not sum to the score.
    """

    prediction: Prediction
    shown: str
    picture: UInt8[np.ndarray, "h w 3"]
    view: UInt8[np.ndarray, "size size 3"]
    cells: Int64[np.ndarray, "grid grid"]
    places: Float64[np.ndarray, "parts 4"]
    instead: Instead
    contributions: Float64[np.ndarray, " parts"]


@dataclass(frozen=True, eq=False)
class Parts:
    """Views of a picture, all draws, and the parts that they show.

    Attributes:
        picture, places, instead: as of `Explanation`.
        views: one for each draw.
        cells: of each of them, int64 (grid, grid).
        substitutes: uint8 (parts, side, side, 3), what each part gives way to in a cell of the view.
    """

    picture: Pixels
    places: Float64[np.ndarray, "parts 4"]
    views: Sequence[View]
    cells: Sequence[Int64[np.ndarray, "grid grid"]]
    instead: Instead
    substitutes: UInt8[np.ndarray, "parts side side 3"]


def parts_of(opened: Opened, name: str, draws: int, settings: ViewSettings) -> Parts:
    """Views of a picture, and which part of it lies where in each.

    Args:
        opened: the picture.
        name: mosaic, crop or full.
        draws: of the mosaic; 1 of the others.
        settings: sizes and numbers.

    Returns:
        Views, cells, places, and what comes instead of each part.
    """
    views = [make_view(name, opened.pixels, opened.name, draw, settings) for draw in range(draws)]
    picture = fit(name, opened.pixels, settings)
    side, grid = settings.patch_size, settings.grid
    colour = np.rint(views[0].pixels.mean(axis=(0, 1))).astype(np.uint8)  # of all draws, which show the same patches
    selections = [view.selection for view in views if view.selection is not None]
    if not selections:
        cells = [np.arange(grid * grid).reshape(grid, grid)]
        places = _grid_places(name, picture, settings)
        return Parts(picture, places, views, cells, "mean colour", np.tile(colour, (grid * grid, side, side, 1)))
    across = picture.shape[1] // side
    numbers = [chosen.rows * across + chosen.cols for chosen in selections]
    known = np.unique(numbers[0])
    cells = [np.searchsorted(known, each).reshape(grid, grid) for each in numbers]
    places = _corners(*np.divmod(known, across)) * float(side)
    order = rank(spectral_entropy(picture, side))
    if len(order) <= grid * grid:
        return Parts(picture, places, views, cells, "mean colour", np.tile(colour, (len(known), side, side, 1)))
    lowest, highest = order[settings.lowest], order[len(order) - (grid * grid - settings.lowest) - 1]
    following = np.where(np.isin(known, order[: settings.lowest]), lowest, highest)
    tops, lefts = (each * side for each in np.divmod(following, across))
    found = [picture[top : top + side, left : left + side] for top, left in zip(tops, lefts, strict=True)]
    return Parts(picture, places, views, cells, "next patch", np.stack(found))


def _grid_places(name: str, picture: Pixels, settings: ViewSettings) -> Float64[np.ndarray, "parts 4"]:
    """Where the cells of crop or full lie in the picture, in pixels."""
    shares = _corners(*np.divmod(np.arange(settings.grid**2), settings.grid)) / settings.grid
    height, width = picture.shape[:2]
    if name == "full":
        return shares * [height, width, height, width]
    top, left = corner(height, width, settings.size)
    return shares * settings.size + [top, left, top, left]


def _corners(rows: np.ndarray, columns: np.ndarray) -> Int64[np.ndarray, "parts 4"]:
    """Top, left, bottom and right of cells, in cells."""
    return np.stack([rows, columns, rows + 1, columns + 1], axis=1)


def contributions(scorer: Scorer, parts: Parts) -> tuple[Float64[np.ndarray, " draws"], Float64[np.ndarray, " parts"]]:
    """Scores of a picture's draws, and what each of its parts adds to their log-odds.

    Scores of 0 and 1 have the log-odds that `nsnet.prediction.draws.pooled` gives them.

    Args:
        scorer: a detector; asked for 1 + parts views of each draw.
        parts: of a picture.

    Returns:
        Probabilities of fake, float64 (draws,); and mean over the draws of the log-odds with a part less those
        without it, float64 (parts,).
    """
    scores, odds = [], []
    for view, cells in zip(parts.views, parts.cells, strict=True):
        without = [without_part(view.pixels, cells == part, other) for part, other in enumerate(parts.substitutes)]
        found = scorer.score([view, *(replace(view, pixels=pixels) for pixels in without)])
        scores.append(found[0])
        odds.append(logit(np.clip(found, NEAREST, 1 - NEAREST)))
    return np.array(scores), np.mean([each[0] - each[1:] for each in odds], axis=0)


def without_part(
    pixels: UInt8[np.ndarray, "size size 3"],
    cells: Bool[np.ndarray, "grid grid"],
    substitute: UInt8[np.ndarray, "side side 3"],
) -> UInt8[np.ndarray, "size size 3"]:
    """A view in which something else stands in some cells.

    Args:
        pixels: uint8 (size, size, 3).
        cells: bool (grid, grid), those to change.
        substitute: uint8 (size / grid, size / grid, 3).

    Returns:
        uint8 (size, size, 3), a copy.
    """
    changed, side = pixels.copy(), len(substitute)
    for row, column in np.argwhere(cells) * side:
        changed[row : row + side, column : column + side] = substitute
    return changed
