"""A caption for every training image: the data set's own, BLIP's, or its class in a template.

Which images have one, and where it comes from, must say nothing about the label.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import torch
from PIL import Image

from nsnet.core.pretrained import load_pretrained
from nsnet.core.provenance import digest, file_sha256
from nsnet.corpus.images import Pixels, decode_rgb
from nsnet.semantics.caption_store import SCHEMA, CaptionStore
from nsnet.semantics.settings import CaptionSource

Captioner = Callable[[list[str]], pl.DataFrame]

TABLE = ["image_id", "caption", "caption_source"]
SIDES = ("reals", "fakes")
# Part of the model's id. Beams as in salesforce/BLIP, predict.py; no sampling, so a picture has one caption.
GENERATION: dict[str, Any] = {"num_beams": 3, "min_new_tokens": 1, "max_new_tokens": 20, "do_sample": False}


def caption_images(
    samples: pl.DataFrame, source: CaptionSource, template: str, captioner: Captioner | None
) -> pl.DataFrame:
    """Caption each distinct image of the training split, all of them from one origin.

    Args:
        samples: table samples; what one role of an image knows holds for all.
        source: dataset (samples.caption), blip (`captioner`), template (the class name in
            `template`), or auto: the first of these three that covers every image and does
            not give the label away; blip is passed over if there is no captioner. none: no
            captions, and so no text null space.
        template: text with one {} for the class name, whose underscores become spaces.
        captioner: from image_ids to a frame as returned here; None if no model is named.

    Returns:
        Columns image_id, caption and caption_source (the data set's own word, blip:<model id>
        or template), sorted by image_id, nothing null.

    Raises:
        ValueError: captions are missing, or reals and fakes of a training set have them from
            different sources; all training sets at once, with what to do.
    """
    if source == "none":
        return samples.head(0).select(TABLE)
    train = samples.filter(pl.col("split") == "train")
    roles = train.select("training_set", "label", "image_id").unique()
    faults: list[str] = []
    for origin in ("dataset", "blip", "template") if source == "auto" else (source,):
        if origin == "blip":
            if captioner is not None:
                return captioner(roles["image_id"].unique().sort().to_list())
            faults.append("  blip: captions.model names no folder with BLIP")
        elif origin == "template" and template.count("{}") != 1:
            faults.append(f"  template: captions.template is {template!r}; expected one {{}} for the class name")
        else:
            known = _known(train, origin, template)
            leaks = [f"  {origin}: {fault}" for fault in _leaks(roles, known, origin)]
            if not leaks:
                return known
            faults += leaks
    raise ValueError(
        f"captions.source {source} cannot caption every training image without giving the label away:\n"
        + "\n".join(faults)
        + "\nSupply captions for all of them, reals and fakes from the same sources; or set captions.source: blip and"
        " captions.model: a folder with BLIP"
    )


def _known(train: pl.DataFrame, origin: str, template: str) -> pl.DataFrame:
    """Captions of the images that have one; a blank one is none. Where roles differ, the first in a fixed order."""
    caption, source = pl.col("caption").str.strip_chars(), pl.col("caption_source").fill_null("dataset")
    if origin == "template":
        name = pl.col("class_name").str.replace_all("_", " ").str.strip_chars()
        parts = [pl.lit(part) for part in template.split("{}")]
        caption = pl.when(name != "").then(pl.concat_str(parts[0], name, parts[1]))
        source = pl.lit("template")
    rows = train.with_columns(caption.alias("caption"), source.alias("caption_source")).filter(pl.col("caption") != "")
    rows = rows.sort("image_id", "training_set", "caption", "caption_source")
    return rows.unique("image_id", keep="first", maintain_order=True).select(TABLE)


def _leaks(roles: pl.DataFrame, known: pl.DataFrame, origin: str) -> Iterator[str]:
    """Say what is wrong with the `known` captions, by training set.

    Few missing ones are refused like many: if reals lack them oftener than fakes, that is the label.
    """
    noun = "class name" if origin == "template" else "caption"
    joined = roles.join(known, on="image_id", how="left").sort("training_set", "label")
    for (training_set,), rows in joined.group_by("training_set", maintain_order=True):
        name = f"training set {training_set or 'without a name'}"
        sides = {side: rows.filter(pl.col("label") == label)["caption_source"] for label, side in enumerate(SIDES)}
        if rows["caption_source"].null_count():
            counts = [f"{side}: {s.count()} with a {noun}, {s.null_count()} without" for side, s in sides.items()]
            yield f"{name}: {'; '.join(counts)}"
        words = {side: ", ".join(sorted(s.drop_nulls().unique())) for side, s in sides.items()}
        if all(words.values()) and words["reals"] != words["fakes"]:
            yield f"{name}: reals have captions from {words['reals']}, but fakes from {words['fakes']}"


def model_id(folder: Path) -> str:
    """Hash of a BLIP folder's settings, vocabulary and weights, and of how captions are generated.

    Raises:
        FileNotFoundError: no config.json or *.safetensors; pickled weights can run code, and do not count.
        ValueError: the model is not a BLIP.
    """
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise FileNotFoundError(f"captions.model: {folder} has no {pattern}; expected a BLIP saved as safetensors")
    if (kind := json.loads((folder / "config.json").read_text()).get("model_type")) != "blip":
        raise ValueError(f"captions.model: {folder} holds a model of type {kind!r}; expected 'blip'")
    files = [path for pattern in ("*.json", "*.txt", "*.safetensors") for path in folder.glob(pattern)]
    return digest({"files": {path.name: file_sha256(path) for path in files}, "generation": GENERATION})


def load_blip(folder: Path, device: str, batch: int) -> Callable[[list[Pixels]], list[str]]:
    """Load BLIP from a local folder, in float32; nothing is downloaded and no pickle is read.

    Args:
        folder: settings, vocabulary and weights as safetensors.
        device: where it runs.
        batch: every call computes as many pictures, and fills up with empty ones.

    Returns:
        A function that captions up to `batch` uint8 (H, W, 3) pictures of any sizes.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the folder lacks weights that a captioner needs, as a BLIP for retrieval does.
    """
    model = load_pretrained("BlipForConditionalGeneration", folder, "captions.model").to(device)
    from transformers import BlipProcessor  # there since `load_pretrained`

    processor: Any = BlipProcessor.from_pretrained(folder, local_files_only=True)

    def describe(pictures: list[Pixels]) -> list[str]:
        # One by one and padded to `batch`: a caption does not depend on the pictures beside it.
        read = processor.image_processor
        pixels = [read(Image.fromarray(picture), return_tensors="pt").pixel_values for picture in pictures]
        padding = torch.zeros(batch - len(pixels), *pixels[0].shape[1:])
        with torch.inference_mode():
            tokens = model.generate(torch.cat([*pixels, padding]).to(device), **GENERATION)
        return [text.strip() for text in processor.batch_decode(tokens[: len(pictures)], skip_special_tokens=True)]

    return describe


def blip_captions(
    store: Path, images: dict[str, Path], folder: Path, device: str, batch: int, advance: Callable[[int], None]
) -> pl.DataFrame:
    """Caption pictures with BLIP, each one once whatever became of the runs before; a killed run loses one batch.

    Args:
        store: folder of the captions kept, by model and picture.
        images: image_id to file.
        folder: BLIP, loaded only if a caption is missing.
        device: where it runs.
        batch: pictures at a time; a caption does not depend on it.
        advance: told how many captions were made.

    Returns:
        As `caption_images`.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `model_id` and `load_blip`.
        ValueError: files whose bytes are not those of their image_id, all of them; the others are captioned first.
    """
    model = model_id(folder)
    kept = CaptionStore(store / model)
    missing = sorted(set(images) - set(kept.captions(list(images))["image_id"]))
    describe = load_blip(folder, device, batch) if missing else lambda pictures: []
    changed: list[str] = []
    for start in range(0, len(missing), batch):
        contents = {image_id: images[image_id].read_bytes() for image_id in missing[start : start + batch]}
        part = {key: content for key, content in contents.items() if hashlib.sha256(content).hexdigest() == key}
        changed += [f"  {images[image_id]}" for image_id in contents.keys() - part.keys()]
        if part:
            made = describe([decode_rgb(content) for content in part.values()])
            kept.add(pl.DataFrame({"image_id": list(part), "caption": made}, schema=SCHEMA))
        advance(len(part))
    if changed:
        raise ValueError(
            f"{len(changed)} picture(s) changed since they were ingested: `dvc repro corpus` reads them again:\n"
            + "\n".join(sorted(changed))
        )
    return kept.captions(list(images)).with_columns(caption_source=pl.lit(f"blip:{model}")).select(TABLE)
