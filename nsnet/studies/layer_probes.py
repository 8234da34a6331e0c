"""At which layer of a vision transformer can content and traces be read?"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from nsnet.core.parquet import read_table
from nsnet.core.paths import Paths
from nsnet.corpus.contracts import Images, Samples
from nsnet.features.conditions import choose
from nsnet.features.pictures import PictureSource
from nsnet.lab.corpus import UNBIASED
from nsnet.params import load_params
from nsnet.semantics.content_shift import probe
from nsnet.semantics.null_space import no_directions
from nsnet.studies.probes import read_pictures

# Views in a forward pass.
ROWS = 64


def layer_means(trunk: Any, pixels: torch.Tensor) -> list[torch.Tensor]:
    """Mean of the tokens before the first layer, and after each.

    Args:
        trunk: timm's vision transformer.
        pixels: float32 (b, 3, size, size), normalised.

    Returns:
        One (b, d) for each of the layers + 1 places.
    """
    found: list[torch.Tensor] = []
    hooks = [trunk.blocks[0].register_forward_pre_hook(lambda _, inputs: found.append(inputs[0].mean(dim=1)))]
    hooks += [
        block.register_forward_hook(lambda _, inputs, output: found.append(output.mean(dim=1)))
        for block in trunk.blocks
    ]
    try:
        with torch.inference_mode():
            trunk(pixels)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def layers(paths: Paths, view: str) -> pl.DataFrame:
    """Linear probes on the means of tokens, trained without bias and judged on validation pictures.

    Args:
        paths: a project whose `dvc repro` has run, with a timm transformer as image tower, such as the lab CLIP's.
        view: what is shown; the mosaic's draw 0, under the first of train.conditions.

    Returns:
        By place: `content`, accuracy of telling the two content sides apart, and `fake`. Chance is 0.5; no interval is
        claimed.

    Raises:
        FileNotFoundError, ValueError: as `read_table`, `load_params` and `load_backbone`; the tower is of another kind.
    """
    from open_clip.timm_model import TimmModel
    from timm.models.vision_transformer import VisionTransformer

    from nsnet.features.backbone import load_backbone  # open_clip takes seconds

    params = load_params(paths.params)
    backbone = load_backbone(params.backbone)
    visual = backbone.model.visual
    trunk = visual.trunk if isinstance(visual, TimmModel) else visual
    if not isinstance(trunk, VisionTransformer):
        raise ValueError(
            f"the tower of {params.backbone.model} is a {type(trunk).__name__}, expected timm's transformer"
        )
    images = read_table(Images, paths.table(Images)).filter(status="used").select("image_id", "path")
    source = PictureSource({name: paths.data / path for name, path in images.iter_rows()}, backbone.views)
    [condition] = choose(params.train.conditions[:1], params.conditions)
    samples = read_table(Samples, paths.table(Samples)).filter(training_set=UNBIASED)
    splits = {name: samples.filter(split=name).sort("image_id") for name in ("train", "validation")}
    known: defaultdict[int, dict[str, npt.NDArray[np.float32]]] = defaultdict(dict)
    image_ids = sorted({name for rows in splits.values() for name in rows["image_id"]})
    for start in range(0, len(image_ids), ROWS):
        some = image_ids[start : start + ROWS]
        shown = np.stack([source.view(name, condition, view).pixels for name in some])
        for place, means in enumerate(layer_means(trunk, backbone.normalised(torch.from_numpy(shown)))):
            known[place] |= dict(zip(some, means.float().numpy(), strict=True))

    def features(place: int, names: list[str]) -> npt.NDArray[np.float32]:
        return np.array([known[place][name] for name in names])

    rows, words = [], params.semantics.pool.content
    for place in sorted(known):
        train, check = (
            read_pictures(splits[name], words, partial(features, place)) for name in ("train", "validation")
        )
        row: dict[str, str | float] = {"view": view, "after layer": str(place) if place else "before the first"}
        for name, seen, truth in (
            ("content", train.content.astype(np.int64), check.content),
            ("fake", train.labels, check.labels),
        ):
            told = probe(train.features, seen, check.features, no_directions(train.features.shape[1]))
            row[name] = float((told == truth).mean())
        rows.append(row)
    return pl.DataFrame(rows)
