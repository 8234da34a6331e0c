"""Stage captions: one caption for every training image, and where it comes from."""

from __future__ import annotations

import polars as pl

from nsnet.captions import Captioner, blip_captions, caption_images
from nsnet.config import load_params
from nsnet.device import best_device
from nsnet.parquet import read_table, write_table
from nsnet.paths import Paths
from nsnet.progress import bar, cost


def captioner(paths: Paths, model: str | None, batch: int) -> Captioner | None:
    """BLIP in the folder `model`, which is relative to the project; None if there is no model."""
    if model is None:
        return None

    def describe(image_ids: list[str]) -> pl.DataFrame:
        images = read_table("images", paths.table("images")).filter(status="used")
        images = images.filter(pl.col("image_id").is_in(image_ids)).select("image_id", "path")
        files = {image_id: paths.data / name for image_id, name in images.iter_rows()}
        cache = paths.table("captions").parent
        with bar("captions", len(files)) as advance:
            return blip_captions(cache, files, paths.root / model, best_device(), batch, advance)

    return describe


def main() -> None:
    paths = Paths()
    settings = load_params(paths.params).captions
    with cost(paths.cost("captions")):
        samples = read_table("samples", paths.table("samples"))
        blip = captioner(paths, settings.model, settings.batch)
        found = caption_images(samples, settings.source, settings.template, blip)
        write_table("captions", found, paths.table("captions"))
    sources = found.group_by("caption_source").len().sort("caption_source")
    counts = ", ".join(f"{count} from {source}" for source, count in sources.iter_rows())
    print(f"captions: {found.height} training images, {counts or 'so no captions'}")
