"""Stage captions: one caption for every training image, and where it comes from."""

from __future__ import annotations

import polars as pl

from nsnet.core.device import best_device
from nsnet.core.foresight import Work
from nsnet.core.parquet import read_table, write_table
from nsnet.core.paths import Paths
from nsnet.core.progress import bar, cost
from nsnet.core.settings import load_section
from nsnet.corpus.contracts import Images, Samples
from nsnet.semantics import settings as sections
from nsnet.semantics.captions import Captioner, blip_captions, caption_images
from nsnet.semantics.contracts import Captions


def captioner(paths: Paths, model: str | None, batch: int) -> Captioner | None:
    """BLIP in the folder `model`, which is relative to the project; None if there is no model.

    Args:
        paths: of the project.
        model: folder with BLIP's weights.
        batch: pictures at a time.

    Returns:
        A function from image_ids to rows of captions, or None.
    """
    if model is None:
        return None

    def describe(image_ids: list[str]) -> pl.DataFrame:
        images = read_table(Images, paths.table(Images)).filter(status="used")
        images = images.filter(pl.col("image_id").is_in(image_ids)).select("image_id", "path")
        files = {image_id: paths.data / name for image_id, name in images.iter_rows()}
        with bar("captions", len(files)) as advance:
            return blip_captions(paths.caption_store, files, paths.root / model, best_device(), batch, advance)

    return describe


def foresee(paths: Paths) -> list[Work]:
    """What the stage would do, as far as settings and tables tell."""
    samples = read_table(Samples, paths.table(Samples)).filter(split="train")
    settings = load_section(paths.params, "captions", sections.Captions)
    named = f" (BLIP in {settings.model}, where they have none of their own)" if settings.model else ""
    return [Work(f"training pictures to caption{named}", samples["image_id"].n_unique())]


def main() -> None:
    paths = Paths()
    settings = load_section(paths.params, "captions", sections.Captions)
    with cost(paths.cost("captions")):
        samples = read_table(Samples, paths.table(Samples))
        blip = captioner(paths, settings.model, settings.batch)
        captions = caption_images(samples, settings.source, settings.template, blip)
        write_table(Captions, captions, paths.table(Captions))
    sources = captions.group_by("caption_source").len().sort("caption_source")
    counts = ", ".join(f"{count} from {source}" for source, count in sources.iter_rows())
    print(f"captions: {captions.height} training images, {counts or 'so no captions'}")
