"""The lab corpus: which pictures there are, and how each is made from a seed."""

from __future__ import annotations

import csv
import hashlib
import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as PILImage

from nsnet.core.files import atomic_path
from nsnet.core.origin import LAB_SUITE
from nsnet.core.workers import process_pool
from nsnet.lab.camera import photograph
from nsnet.lab.quality import to_uint8
from nsnet.lab.scenes import draw_scene, render
from nsnet.lab.settings import Lab
from nsnet.lab.simulators import simulator, simulators

POOL = "lab-photographs"
BIASED, UNBIASED = "biased", "unbiased"
REAL_SIDE, FAKE_SIDE = 0, 1
# Real and fake are saved alike, so that the container says nothing of the label.
JPEG_QUALITY = (88, 98)
CHUNK = 50
MANIFEST = (
    "path",
    "suite",
    "label",
    "generator",
    "family",
    "split",
    "training_set",
    "real_pool",
    "caption",
    "caption_source",
)


@dataclass(frozen=True)
class Picture:
    """One file of the corpus and the training sets it belongs to."""

    split: str
    simulator: str | None
    side: int | None
    number: int
    training_sets: tuple[str, ...]

    @property
    def path(self) -> str:
        """Path below the corpus folder; also the seed of everything random in the picture."""
        folder = f"1_fake/{self.simulator}" if self.simulator else f"0_real/{POOL}"
        side = "" if self.side is None else "ab"[self.side]
        return f"{self.split}/{folder}/{side}{self.number:05d}.jpg"


def plan(settings: Lab) -> list[Picture]:
    """List the corpus.

    Training and validation come twice: with the planted bias `settings.bias`, and
    without. Both sets share the pictures they can. Test pictures are unbiased, and so is
    the caption pool, real pictures that are in no other split.
    """
    pictures: list[Picture] = []
    for split, count in (("train", settings.train_per_class), ("validation", settings.validation_per_class)):
        for label, own in ((0, REAL_SIDE), (1, FAKE_SIDE)):
            for side in (own, 1 - own):
                shares = {BIASED: settings.bias, UNBIASED: 0.5}
                wanted = {
                    name: round(share * count) if side == own else count - round(share * count)
                    for name, share in shares.items()
                }
                for number in range(max(wanted.values())):
                    sets = tuple(name for name, size in wanted.items() if number < size)
                    maker = settings.train_simulators[number % len(settings.train_simulators)] if label else None
                    pictures.append(Picture(split, maker, side, number, sets))
    pictures += [Picture("test", None, None, number, ()) for number in range(settings.test_real)]
    for key in simulators():
        pictures += [Picture("test", key, None, number, ()) for number in range(settings.test_fakes)]
    pictures += [Picture("semantics", None, None, number, ()) for number in range(settings.caption_pool)]
    return pictures


def make_picture(picture: Picture, seed: int, strength: float | None = None) -> tuple[PILImage.Image, str, int]:
    """Make one picture, whoever asks and in whatever order: image, caption and JPEG quality.

    Scene, camera and simulator draw from streams of their own.

    Args:
        picture: of `plan`.
        seed: of the corpus.
        strength: in place of the simulator's own, for calibration.

    Returns:
        The image, RGB, before it is saved; the caption; the quality it is to be saved at.
    """
    scene_rng, camera_rng, fake_rng = (np.random.default_rng([seed, part, _number(picture.path)]) for part in range(3))
    scene = draw_scene(scene_rng, picture.side)
    photo = photograph(render(scene, scene_rng), camera_rng)
    quality = int(camera_rng.integers(*JPEG_QUALITY))
    if picture.simulator:
        maker = simulator(picture.simulator)
        photo = maker.apply(photo, fake_rng, maker.strength if strength is None else strength)
    return PILImage.fromarray(to_uint8(photo)), scene.caption, quality


def render_corpus(settings: Lab, folder: Path, advance: Callable[[int], None] = lambda count: None) -> int:
    """Render the corpus into `folder` with its manifest.csv, written last; return the number of files.

    The bytes depend on `settings` alone, not on the number of workers.

    Args:
        settings: section lab.
        folder: replaced.
        advance: told how many pictures were rendered.

    Returns:
        Number of files, the manifest aside.

    Raises:
        ValueError: unknown training simulator.
    """
    for key in settings.train_simulators:
        simulator(key)
    shutil.rmtree(folder, ignore_errors=True)
    pictures = plan(settings)
    for parent in {(folder / picture.path).parent for picture in pictures}:
        parent.mkdir(parents=True)
    chunks = [pictures[start : start + CHUNK] for start in range(0, len(pictures), CHUNK)]
    captions: list[str] = []
    with process_pool(settings.workers) as pool:
        for done in pool.map(_render_chunk, chunks, itertools.repeat(settings.seed), itertools.repeat(folder)):
            captions += done
            advance(len(done))
    with atomic_path(folder / "manifest.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(MANIFEST)
        for picture, caption in zip(pictures, captions, strict=True):
            writer.writerows(_manifest_rows(picture, caption))
    return len(pictures)


def _manifest_rows(picture: Picture, caption: str) -> Iterator[tuple[str, ...]]:
    label, maker = ("1", picture.simulator) if picture.simulator else ("0", POOL)
    family = simulator(picture.simulator).family if picture.simulator else "real"
    for training_set in picture.training_sets or ("",):
        yield (picture.path, LAB_SUITE, label, str(maker), family, picture.split, training_set, POOL, caption, "scene")


def _render_chunk(pictures: list[Picture], seed: int, folder: Path) -> list[str]:
    captions = []
    for picture in pictures:
        image, caption, quality = make_picture(picture, seed)
        image.save(folder / picture.path, "JPEG", quality=quality)
        captions.append(caption)
    return captions


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
