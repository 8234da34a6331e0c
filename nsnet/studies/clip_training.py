"""Train the lab CLIP: rendered scenes against captions that name content and quality."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
from PIL import Image as PILImage
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset

from nsnet.core.files import atomic_path
from nsnet.core.progress import bar
from nsnet.features import stem_vit  # noqa: F401  (registers the image tower)
from nsnet.lab.camera import photograph
from nsnet.lab.quality import WORDS, degrade, recompress, to_uint8
from nsnet.lab.scenes import BACKDROPS, COLOURS, SIZE, TEXTURES, Scene, draw_scene, render

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
CHECKPOINT = "train_clip.pt"
INPUT = 112
TRAIN_SEED = 1


class CaptionedScenes(Dataset[tuple[torch.Tensor, str]]):
    """An endless album: picture i of a seed is always the same, whoever renders it.

    Items are (uint8 (3, 112, 112), caption). Half the views are native-size crops, where
    texture lives, half the whole picture resized; most captions name the quality too.
    From picture `alike` on, each batch holds look-alikes, which share two backdrops, two
    colours and three textures: among random scenes those three words tell all pictures
    apart, and neither shape nor quality is learned.
    """

    def __init__(self, seed: int, start: int, stop: int, batch: int, alike: int) -> None:
        self.seed, self.start, self.stop, self.batch, self.alike = seed, start, stop, batch, alike

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, index: int) -> tuple[torch.Tensor, str]:
        number = self.start + index
        rng = np.random.default_rng([self.seed, number])
        scene = draw_scene(rng)
        if number >= self.alike:
            scene = _look_alike(scene, np.random.default_rng([self.seed, number // self.batch, 1]), rng)
        photo = PILImage.fromarray(to_uint8(photograph(render(scene, rng), rng)))
        word = WORDS[int(rng.integers(len(WORDS)))]
        view = _crop(photo, word, rng) if rng.random() < 0.5 else _whole(photo, word, rng)
        caption = scene.caption if rng.random() < 0.25 else f"a {word} photo of {scene.caption}"
        return torch.from_numpy(np.asarray(view).copy()).permute(2, 0, 1), caption


def _look_alike(scene: Scene, of_batch: np.random.Generator, rng: np.random.Generator) -> Scene:
    words = {
        name: of_batch.permutation(pool)[:count]
        for name, pool, count in (
            ("backdrop", list(BACKDROPS), 2),
            ("colour", list(COLOURS), 2),
            ("texture", TEXTURES, 3),
        )
    }
    return replace(scene, **{name: str(pool[rng.integers(len(pool))]) for name, pool in words.items()})


def _crop(photo: PILImage.Image, word: str, rng: np.random.Generator) -> PILImage.Image:
    # Cut out first: degrading and saving a quarter of the picture costs a quarter.
    left, top = rng.integers(16, SIZE - INPUT - 16, size=2)
    return _saved(degrade(photo.crop((left, top, left + INPUT, top + INPUT)), word, rng), rng)


def _whole(photo: PILImage.Image, word: str, rng: np.random.Generator) -> PILImage.Image:
    margin = int(rng.integers(0, 20))
    box = (margin, margin, SIZE - margin, SIZE - margin)
    return _saved(degrade(photo, word, rng), rng).resize((INPUT, INPUT), PILImage.Resampling.BICUBIC, box)


def _saved(photo: PILImage.Image, rng: np.random.Generator) -> PILImage.Image:
    return recompress(photo, int(rng.integers(88, 99)))


def train_clip(
    folder: Path, work: Path, rounds: tuple[int, ...], batch: int = 128, workers: int = 2, peak_lr: float = 1.5e-3
) -> None:
    """Train from scratch, or go on from the last checkpoint in `work`, and write the weights to `folder`.

    The recipe is CLIP's: symmetric InfoNCE, AdamW, warm-up then cosine, in rounds of `rounds`
    steps: random scenes in the first, batches of look-alikes in the others. Data, order and
    initial weights are seeded, so an interrupted run goes on where it was.

    Args:
        folder: with the model's configuration; gets the weights.
        work: for the checkpoint.
        rounds: steps in each round.
        batch: pairs in a step.
        workers: processes that render.
        peak_lr: learning rate after the warm-up.
    """
    steps = sum(rounds)
    torch.manual_seed(TRAIN_SEED)
    model, normalise = _build(folder)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    loss = open_clip.ClipLoss()
    optimiser = torch.optim.AdamW(model.parameters(), lr=peak_lr, betas=(0.9, 0.98), weight_decay=0.05)
    checkpoint = work / CHECKPOINT
    done = _resume(checkpoint, model, optimiser)
    scenes = CaptionedScenes(TRAIN_SEED, done * batch, steps * batch, batch, rounds[0] * batch)
    context = "spawn" if workers else None
    loader = DataLoader(scenes, batch, num_workers=workers, multiprocessing_context=context)
    model.train()
    with bar("lab CLIP", steps) as advance:
        advance(done)
        for step, (pixels, captions) in enumerate(loader, start=done):
            for group in optimiser.param_groups:
                group["lr"] = peak_lr * _schedule(step, rounds)
            images, texts, scale = model(normalise(pixels), tokenizer(list(captions)))[:3]
            value = loss(images, texts, scale)
            optimiser.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            with torch.no_grad():
                model.logit_scale.clamp_(0, math.log(100))
            advance(1)
            if (step + 1) % 50 == 0 or step + 1 == steps:
                state = {"step": step + 1, "model": model.state_dict(), "optimiser": optimiser.state_dict()}
                with atomic_path(checkpoint) as temporary:
                    torch.save(state, temporary)
                print(f"step {step + 1} of {steps}: loss {value.item():.3f}", flush=True)
    half = {name: tensor.half().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(half, temporary)


def steps_done(work: Path) -> int:
    """Steps that the checkpoint of a training in a folder has behind it; 0 without one."""
    checkpoint = work / CHECKPOINT
    return int(torch.load(checkpoint, weights_only=True)["step"]) if checkpoint.exists() else 0


def _build(folder: Path) -> tuple[Any, Any]:
    config = json.loads((folder / CONFIG).read_text())
    model = open_clip.CLIP(**config["model_cfg"])
    mean, std = (torch.tensor(config["preprocess_cfg"][key]).view(3, 1, 1) for key in ("mean", "std"))
    return model, lambda pixels: (pixels.float() / 255 - mean) / std


def _resume(checkpoint: Path, model: Any, optimiser: torch.optim.Optimizer) -> int:
    if not checkpoint.exists():
        return 0
    state = torch.load(checkpoint, weights_only=True)
    model.load_state_dict(state["model"])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def _schedule(step: int, rounds: tuple[int, ...], warmup: int = 50) -> float:
    """Share of the peak learning rate: each round warms up linearly and ends at zero."""
    starts = [sum(rounds[:i]) for i in range(len(rounds))]
    current = max(i for i, start in enumerate(starts) if start <= step)
    step, length = step - starts[current], rounds[current]
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, length - warmup)))
