"""The published suites in miniature: their folders as unpacked, with a few drawn pictures in each."""

from __future__ import annotations

import itertools
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nsnet.corpus.ingest import Corpus, ingest

Tree = Callable[[Path], None]
PER_FOLDER = 3
GANS = {
    "progan": ("airplane", "cat"),
    "stylegan": ("bedroom",),
    "stylegan2": ("horse",),
    "biggan": (),
    "cyclegan": ("apple",),
    "stargan": (),
    "gaugan": (),
    "deepfake": (),
    "seeingdark": (),
    "san": (),
    "crn": (),
    "imle": (),
    "whichfaceisreal": (),
}
DIFFUSION = ("guided", "ldm_200", "ldm_200_cfg", "ldm_100", "glide_100_27", "glide_50_27", "glide_100_10", "dalle")
GENIMAGE = (
    "Midjourney/imagenet_midjourney",
    "stable_diffusion_v_1_4/imagenet_ai_0419_sdv4",
    "stable_diffusion_v_1_5/imagenet_ai_0424_sdv5",
    "ADM/imagenet_ai_0508_adm",
    "wukong/imagenet_ai_0424_wukong",
    "glide/imagenet_glide",
    "VQDM/imagenet_ai_0419_vqdm",
    "BigGAN/imagenet_ai_0419_biggan",
)
AIGC_DIFFUSION = (
    *("ADM", "Glide", "Midjourney", "stable_diffusion_v_1_4", "stable_diffusion_v_1_5"),
    *("VQDM", "wukong", "DALLE2", "SDXL"),
)
AIGC_GANS = ("progan", "stylegan", "biggan", "cyclegan", "stargan", "gaugan", "stylegan2", "whichfaceisreal")
_AIGIBENCH = """
ProGAN R3GAN StyleGAN3 StyleGAN-XL StyleSwim WFIR BlendFace E4S FaceSwap InSwap SimSwap FLUX1-dev Imagen3 Midjourney-V6
SD3 SDXL GLIDE DALLE-3 BLIP Infinite-ID InstantID IP-Adapter PhotoMaker CommunityAI SocialRF
"""
AIGIBENCH = tuple(_AIGIBENCH.split())


def draw(path: Path, seed: int, size: tuple[int, int] = (150, 140), mode: str = "RGB", **options: Any) -> Path:
    """A drawn picture of its own: smooth blobs and noise, so that no two look alike."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    blobs = Image.fromarray(rng.integers(0, 255, (9, 9, 3), dtype=np.uint8)).resize(size, Image.Resampling.BICUBIC)
    noise = rng.normal(0, 8, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(blobs, np.float32) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).convert(mode).save(path, **options)
    return path


def entry(repo: str, style: str, prompt: str | None = None) -> dict[str, Any]:
    """An entry of sd-samples' images.json, without what is not read."""
    name = f"{repo.rpartition('/')[2]}__{style}.jpg"
    return {"repo": repo, "style": style, "prompt": prompt or f"{style}, detailed", "image": name}


def sd_samples(folder: Path, entries: list[dict[str, Any]], there: int) -> None:
    """sd-samples with the first of its entries there, and one of them listed twice."""
    for seed, one in enumerate(entries[:there]):
        draw(folder / "images" / one["image"], seed)
    (folder / "images.json").write_text(json.dumps([*entries, *entries[:1]]))


def coco(folder: Path, captions: list[str]) -> None:
    """COCO-MINI with a picture for each caption and a later caption beside it, and one picture that is not there."""
    places = range(1, len(captions) + 1)
    for number in places:
        draw(folder / "val2017" / f"{number:012d}.jpg", 1000 + number, size=(170, 150))
    listed = [{"id": number, "file_name": f"{number:012d}.jpg"} for number in (*places, 999)]
    told = [
        (number, 2 * number + late, "Later." if late else captions[number - 1]) for number in places for late in (1, 0)
    ]
    annotations = [
        {"image_id": image, "id": number, "caption": text} for image, number, text in [*told, (999, 0, "Gone.")]
    ]
    (folder / "annotations").mkdir()
    (folder / "annotations/captions_val2017.json").write_text(
        json.dumps({"images": listed, "annotations": annotations})
    )


def read(root: Path, suite: str | None = None, workers: int = 1, allow: list[str] | None = None) -> Corpus:
    """Ingest a tree, with the scan's index beside it."""
    return ingest(root, root.parent / f"{root.name}.index.parquet", suite, workers, allow)


def fill(root: Path, folders: Iterator[tuple[str, str]]) -> None:
    """Draw PER_FOLDER pictures into each (folder, suffix), no two alike, whatever the root's place."""
    for folder, suffix in folders:
        for number in range(PER_FOLDER):
            name = f"{folder}/{number:03d}.v1{suffix}"
            draw(root / name, zlib.crc32(f"{root.name}/{name}".encode()))


def labelled(names: Mapping[str, tuple[str, ...]], below: str = "") -> Iterator[tuple[str, str]]:
    for name, classes in names.items():
        for inner, label in itertools.product(classes or ("",), ("0_real", "1_fake")):
            yield "/".join(part for part in (below, name, inner, label) if part), ".png"


def forensynths(root: Path) -> None:
    fill(root, labelled(GANS))
    fill(root, labelled({"progan": ("car", "cat")}, "train"))


def universalfakedetect(root: Path) -> None:
    gans = {name: classes for name, classes in GANS.items() if name not in ("stylegan2", "whichfaceisreal")}
    fill(root, labelled(gans, "CNN_synth_testset"))
    fill(root, ((f"diffusion_datasets/{name}", ".png") for name in ("imagenet", "laion", *DIFFUSION)))


def genimage(root: Path) -> None:
    folders = itertools.product(GENIMAGE, ("val",), (("ai", ".PNG"), ("nature", ".JPEG")))
    fill(root, ((f"{name}/{split}/{label}", suffix) for name, split, (label, suffix) in folders))
    fill(root, ((f"{GENIMAGE[1]}/train/{label}", suffix) for label, suffix in (("ai", ".PNG"), ("nature", ".JPEG"))))


def aigcdetectbenchmark(root: Path) -> None:
    fill(root, labelled({**{name: GANS[name] for name in AIGC_GANS}, **dict.fromkeys(AIGC_DIFFUSION, ())}))


def aigibench(root: Path) -> None:
    sources: dict[str, tuple[str, ...]] = dict.fromkeys(("car", "cat", "chair", "horse", "sdv1.4"), ())
    fill(root, labelled(dict.fromkeys(AIGIBENCH, ()), "test"))
    fill(root, labelled(sources, "train"))
    fill(root, labelled(sources, "val"))


def chameleon(root: Path) -> None:
    fill(root, labelled({"test": ()}))


TREES: dict[str, Tree] = {
    tree.__name__: tree
    for tree in (universalfakedetect, forensynths, genimage, aigcdetectbenchmark, aigibench, chameleon)
}
