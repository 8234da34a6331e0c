"""An explanation as a picture: where the parts lie, what the detector was shown, and what each part speaks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image

from nsnet.core.files import atomic_path
from nsnet.core.printing import printable
from nsnet.corpus.images import Pixels

if TYPE_CHECKING:
    from nsnet.prediction.explanations import Explanation

# Red speaks for fake, blue for real; told apart by the colour-blind too.
COLOURS = "RdBu_r"
# Longer pictures are shown this long: the panel has fewer points.
SHOWN = 1200
# What is outside of the parts steps back towards white by this much.
FADED = 0.55


def explanation_plot(explanation: Explanation, path: Path) -> None:
    """Draw an explanation: the picture with its parts, beside it the view, both with the same colours.

    The colour scale is symmetric around 0 and reaches to the largest contribution.

    Args:
        explanation: of `Predictor.explain`.
        path: .png to write; same numbers, same bytes.
    """
    figure = Figure(figsize=(12, 6.4), layout="constrained", facecolor="white")
    left, right = figure.subplots(1, 2)
    largest = float(np.abs(explanation.contributions).max()) or 1.0
    colours = ScalarMappable(Normalize(-largest, largest), COLOURS)
    _draw_picture(left, explanation, colours)
    _draw_view(right, explanation, colours)
    bar = figure.colorbar(colours, ax=[left, right], shrink=0.82, pad=0.015, aspect=32)
    bar.set_label(f"log-odds of fake, less those with the {explanation.instead} instead")
    for word, place in (("for fake", 1.02), ("for real", -0.02)):
        bar.ax.text(0.5, place, word, transform=bar.ax.transAxes, ha="center", va="bottom" if place > 0 else "top")
    bar.outline.set_visible(False)
    figure.suptitle(_title(explanation), fontsize=13, parse_math=False)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=120, metadata={"Software": None})


def _title(explanation: Explanation) -> str:
    said = explanation.prediction
    trained = f"{said.detector}, trained on {said.training_set}, {said.train_condition}, seed {said.seed}"
    ends = f" ({said.low:.3g} to {said.high:.3g})" if said.draws > 1 else ""
    score = f"score {said.score:.3g}{ends}, threshold {said.threshold:.3g}"
    return printable(f"{said.decision}: {score}\n{said.world}: {trained}", kept="\n")


def _draw_picture(axes: Axes, explanation: Explanation, colours: ScalarMappable) -> None:
    picture = explanation.picture
    height, width = picture.shape[:2]
    small, inside = _for_display(picture), np.zeros((height, width), bool)
    boxes = []
    for top, left, bottom, right in explanation.places:
        inside[round(top) : round(bottom), round(left) : round(right)] = True
        boxes.append(Rectangle((left, top), right - left, bottom - top))
    seen = np.asarray(Image.fromarray(inside).resize(small.shape[1::-1], Image.Resampling.NEAREST))
    faded = np.rint(small * (1 - FADED) + 255 * FADED).astype(np.uint8)
    axes.imshow(np.where(seen[..., None], small, faded), extent=(0, width, height, 0), interpolation="nearest")
    _frame(axes, boxes, explanation.contributions, colours)
    named = "chosen patches" if explanation.shown == "mosaic" else "cells of the view"
    axes.set_title(f"the picture, {width} x {height}, and {len(boxes)} {named}", fontsize=11)


def _draw_view(axes: Axes, explanation: Explanation, colours: ScalarMappable) -> None:
    size, grid = len(explanation.view), len(explanation.cells)
    side = size / grid
    axes.imshow(explanation.view, extent=(0, size, size, 0), interpolation="nearest")
    rows, columns = np.divmod(np.arange(grid * grid), grid)
    boxes = [Rectangle((column * side, row * side), side, side) for row, column in zip(rows, columns, strict=True)]
    added = explanation.contributions[explanation.cells.ravel()]
    _frame(axes, boxes, added, colours)
    for box, value in zip(boxes, added, strict=True):
        figure = f"{round(value, 2) + 0:+.2f}"  # no negative zero
        x, y = box.get_center()
        text = axes.text(x, y, figure, ha="center", va="center", fontsize=8)
        text.set_path_effects([withStroke(linewidth=2, foreground="white")])
    axes.set_title(f"{explanation.shown}, {size} x {size}: what the detector was shown", fontsize=11)


def _frame(axes: Axes, boxes: list[Rectangle], added: np.ndarray, colours: ScalarMappable) -> None:
    """Fill and frame boxes in the colours of what they add."""
    shades = colours.to_rgba(added)
    fills = shades * [1, 1, 1, 0.45]
    axes.add_collection(
        PatchCollection(boxes, facecolors="none", edgecolors="0.3", linewidths=2.5)
    )  # seen on white too
    axes.add_collection(PatchCollection(boxes, facecolors=fills, edgecolors=shades, linewidths=1.5))
    axes.set_axis_off()


def _for_display(pixels: UInt8[np.ndarray, "h w 3"]) -> Pixels:
    """The picture, made smaller if a side is longer than a panel shows."""
    image = Image.fromarray(pixels)
    image.thumbnail((SHOWN, SHOWN), Image.Resampling.LANCZOS)
    return np.asarray(image)
