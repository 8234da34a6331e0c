"""Which patches make the mosaic: low or high entropy, both or any; few or many; shuffled or in their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from jaxtyping import Int64, UInt8

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar
from nsnet.corpus.contracts import Images
from nsnet.features.backbone import Backbone, stack
from nsnet.features.conditions import Condition, choose
from nsnet.features.patches import mosaic, rank, spectral_entropy
from nsnet.features.pictures import PictureSource
from nsnet.params import load_params
from nsnet.semantics.caption_pool import ReadPictures
from nsnet.studies.null_spaces import NullSpaceStudy, constant
from nsnet.studies.probes import interval

# Views in a forward pass.
ROWS = 64


@dataclass(frozen=True)
class Rule:
    """How a mosaic is made.

    Attributes:
        name: in the table.
        patch_size, grid: grid * patch_size is what the backbone takes.
        lowest: share of the slots with the lowest entropy, the rest has the highest; None takes any patches.
        shuffled: or left in the order of the picture.
    """

    name: str
    patch_size: int
    grid: int
    lowest: float | None = 24 / 49
    shuffled: bool = True

    def mosaic(self, pixels: UInt8[np.ndarray, "h w 3"], image_id: str) -> UInt8[np.ndarray, "side side 3"]:
        """The mosaic of a picture, with a shuffle that follows from its id alone."""
        seed = int.from_bytes(bytes.fromhex(image_id)[:8], "little")
        rng = np.random.default_rng(seed)
        chosen = self.chosen(rank(spectral_entropy(pixels, self.patch_size)), rng)
        chosen = rng.permutation(chosen) if self.shuffled else np.sort(chosen)
        rows, cols = np.divmod(chosen, pixels.shape[1] // self.patch_size)
        return mosaic(pixels, rows, cols, self.patch_size)

    def chosen(self, order: Int64[np.ndarray, " patches"], rng: np.random.Generator) -> Int64[np.ndarray, " slots"]:
        """Raster indices of the patches that fill the slots.

        Args:
            order: raster indices of all patches, lowest entropy first; at least as many as slots.
            rng: for any patches.

        Returns:
            grid * grid of them, each once.
        """
        slots = self.grid**2
        if self.lowest is None:
            return rng.permutation(order)[:slots]
        low = round(self.lowest * slots)
        return np.concatenate([order[:low], order[len(order) - (slots - low) :]])


def rules(size: int) -> list[Rule]:
    """What is tried, the paper's first; numbers of patches are those whose side divides `size`, in pixels."""
    paper = size // 7
    others = [
        Rule("all of lowest entropy", paper, 7, 1.0),
        Rule("all of highest entropy", paper, 7, 0.0),
        Rule("any", paper, 7, None),
        Rule("both, in their places", paper, 7, shuffled=False),
        Rule("any, in their places", paper, 7, None, shuffled=False),
    ]
    numbers = [Rule("both", size // grid, grid) for grid in (2, 4, 14)]
    return [Rule("both (the paper)", paper, 7), *others, *numbers]


def patches(paths: Paths, draws: int, resamples: int) -> pl.DataFrame:
    """Held-out accuracy of a probe by the rule that makes the mosaic, and the paired difference to the paper's.

    Args:
        paths: a project whose `dvc repro` has run, with a caption pool.
        draws, resamples: as `NullSpaceStudy`.

    Returns:
        A row for each rule and, below it, the difference; without and with null spaces, under full bias and without.

    Raises:
        FileNotFoundError, ValueError: as `NullSpaceStudy`.
    """
    params = load_params(paths.params)
    images = read_table(Images, paths.table(Images)).filter(status="used").select("image_id", "path")
    [condition] = choose(params.train.conditions[:1], params.conditions)
    files = {image_id: paths.data / path for image_id, path in images.iter_rows()}
    tried = rules(params.backbone.grid * params.backbone.patch_size)
    rows: list[dict[str, str | int]] = []
    paper: dict[str, npt.NDArray[np.float64]] = {}
    with bar("patches", len(tried)) as advance:
        for rule in tried:
            study = NullSpaceStudy(paths, "mosaic", draws, resamples, partial(_reader, files, condition, rule))
            kinds = study.kinds()
            pooled = study.estimated("cross-modal")
            found = {
                "full bias": study.accuracies(1.0, kinds["none"]),
                "full bias, text": study.accuracies(1.0, kinds["text"]),
                "full bias, cross-modal": study.accuracies(1.0, constant(pooled)),
                "no bias": study.accuracies(0.5, kinds["none"]),
                "no bias, cross-modal": study.accuracies(0.5, constant(pooled)),
            }
            rows.append(_row(rule, "", found))
            paper = paper or found
            if found is not paper:
                gaps = {name: values - paper[name] for name, values in found.items()}
                rows.append(_row(rule, ", minus the paper's", gaps))
            advance(1)
    return pl.DataFrame(rows)


def _reader(files: Mapping[str, Path], condition: Condition, rule: Rule, backbone: Backbone) -> ReadPictures:
    source = PictureSource(files, backbone.views)

    def encoded(image_ids: list[str]) -> npt.NDArray[np.float32]:
        shown = [rule.mosaic(source.pixels(image_id, condition), image_id) for image_id in image_ids]
        return backbone.encode_images(stack(shown, ROWS))[: len(shown)]

    return lambda image_ids: np.concatenate(
        [encoded(image_ids[start : start + ROWS]) for start in range(0, len(image_ids), ROWS)]
    )


def _row(rule: Rule, suffix: str, found: Mapping[str, npt.NDArray[np.float64]]) -> dict[str, str | int]:
    shown = {name: str(interval(values)) for name, values in found.items()}
    return {"patches": rule.name + suffix, "of pixels": rule.patch_size, "slots": rule.grid**2, **shown}
