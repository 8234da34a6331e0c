"""Draw the pictures of docs/lab.md: every simulator beside the photograph that it was given.

    python docs/lab_pictures.py

Each sheet is a family: of each simulator the photograph and the fake whole, and of both the square that differs most,
enlarged. All are test pictures of the lab's own corpus, as drawn, before they are saved as JPEG.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from nsnet.core.files import atomic_path
from nsnet.lab.corpus import Picture, make_picture
from nsnet.lab.simulators import simulators
from nsnet.params import load_params

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs/lab"
# Whole pictures are shown at this side, details of `DETAIL` pixels enlarged to it.
SIDE, DETAIL, GAP, LABEL = 108, 27, 4, 16
COLOURS = 256
WHITE, INK = (255, 255, 255), (40, 40, 40)
# One simulator of each family, for README.
SHOWN = ("transposed_convolution", "vector_quantiser", "total_variation_denoiser", "warped_swap", "screenshot")

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Original(Picture):
    """The photograph that a fake was made from: its seed is the fake's path."""

    fake: str

    @property
    def path(self) -> str:
        return self.fake


def pair(key: str, number: int, seed: int) -> tuple[Pixels, Pixels]:
    """Photograph and fake of a simulator, uint8 (h, w, 3) each."""
    fake = Picture("test", key, None, number, ())
    original = Original("test", None, None, number, (), fake.path)
    return np.asarray(make_picture(original, seed)[0]), np.asarray(make_picture(fake, seed)[0])


def place(real: Pixels, fake: Pixels) -> tuple[int, int]:
    """Row and column of the square in which a fake differs most from its photograph."""
    change = np.abs(real.astype(np.int64) - fake).sum(axis=2)
    total = np.pad(change, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    sums = total[DETAIL:, DETAIL:] - total[:-DETAIL, DETAIL:] - total[DETAIL:, :-DETAIL] + total[:-DETAIL, :-DETAIL]
    row, column = np.unravel_index(sums.argmax(), sums.shape)
    return int(row), int(column)


def enlarged(pixels: Pixels, row: int, column: int) -> Image.Image:
    """One square of a picture, its pixels to be seen."""
    part = Image.fromarray(pixels[row : row + DETAIL, column : column + DETAIL])
    return part.resize((SIDE, SIDE), Image.Resampling.NEAREST)


def whole(pixels: Pixels, row: int, column: int) -> Image.Image:
    """A picture made smaller, the square that is enlarged marked."""
    marked = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    scale = SIDE / len(pixels)
    box = [scale * column, scale * row, scale * (column + DETAIL), scale * (row + DETAIL)]
    ImageDraw.Draw(marked).rectangle(box, outline=WHITE)
    return marked


def panels(key: str, number: int, seed: int) -> Iterator[Image.Image]:
    """Photograph and fake, whole, then enlarged."""
    real, fake = pair(key, number, seed)
    at = place(real, fake)
    for panel in (whole, enlarged):
        yield panel(real, *at)
        yield panel(fake, *at)


def sheet(keys: tuple[str, ...], columns: int, seed: int, number: int = 1) -> Image.Image:
    """The four panels of each simulator, under its name, `columns` simulators a row."""
    width, height = 4 * SIDE + 6 * GAP, SIDE + LABEL + GAP
    rows = -(-len(keys) // columns)
    drawn = Image.new("RGB", (columns * width, rows * height), WHITE)
    pen, font = ImageDraw.Draw(drawn), ImageFont.load_default(size=12)
    for index, key in enumerate(keys):
        left, top = index % columns * width, index // columns * height
        pen.text((left, top), key, fill=INK, font=font)
        for position, panel in enumerate(panels(key, number, seed)):
            drawn.paste(panel, (left + position * (SIDE + GAP), top + LABEL))
    return drawn.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def sheets() -> dict[str, tuple[str, ...]]:
    """Names of the sheets and whom they show: a family each, and README's five."""
    families: dict[str, tuple[str, ...]] = {}
    for key, made in simulators().items():
        families[made.family] = (*families.get(made.family, ()), key)
    return {**families, "five": SHOWN}


def main() -> None:
    seed = load_params(ROOT / "params.yaml").lab.seed
    FOLDER.mkdir(exist_ok=True)
    for name, keys in sheets().items():
        with atomic_path(FOLDER / f"{name}.png") as temporary:
            sheet(keys, 1 if name == "five" else 2, seed).save(temporary, "PNG", optimize=True)


if __name__ == "__main__":
    main()
