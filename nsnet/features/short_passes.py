"""Passes of fewer views than a batch has, where they give the same bits.

The last views of a run seldom fill a batch. Padded with black, the three of one picture take the time of eight; in a
pass of their own they may get other last digits, which would depend on what was encoded beside them. In a vision
transformer they do not: nearly all products have a row for each token, so many that kernels sum them in one order
however many pictures they are of, and the last one, of few rows, is padded (`nsnet.features.towers.project`). That is
not taken on trust: the first pass of each length is made both ways, on the pictures themselves, and what came of it is
kept beside the store's parts, for this machine. Once is enough, since sums of hundreds of terms in another order differ
in nearly every value. A convolution's are of few terms, where it shows in one picture of ten (test_efficientnet): such
towers have whole passes only.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import UInt8

from nsnet.core.files import atomic_path
from nsnet.core.provenance import digest
from nsnet.features.backbone import Backbone, stack

# Views of the shortest pass: kernels for a single picture are often others.
SHORTEST = 2
# At most as many lengths of pass does a tower have, since each has to be tried once.
LENGTHS = 8
# What processors' kernels are chosen by, beside the processor.
_KERNELS = ("ATEN_", "DNNL_", "MKL_", "ONEDNN_", "OPENBLAS_")

# Features (n, d) and, if wanted, those of slots (n, slots, d): float32.
Encoded = tuple[npt.NDArray[np.float32], ...]


def encode_together(
    backbone: Backbone, pixels: Sequence[UInt8[np.ndarray, "size size 3"]], batch: int, tokens: bool
) -> Encoded:
    """Features of at most `batch` views, with the bits that a pass of `batch` views gives them.

    Args:
        backbone: the tower; only of a transformer on the CPU, in torch, are passes short.
        pixels: of the views, at least one.
        batch: views in a whole pass.
        tokens: whether the features of their slots are wanted.

    Returns:
        float32 (n, d), and (n, slots, d) if wanted.
    """
    step = -(-batch // LENGTHS)
    views = min(batch, max(SHORTEST, -(-len(pixels) // step) * step))
    able = backbone.has_patches and backbone.device == "cpu" and backbone.passes is None
    if views == batch or not able:
        return _encode(backbone, pixels, batch, tokens)
    length = f"{views} of {batch}, {torch.get_num_threads()} threads{', tokens' if tokens else ''}"
    if backbone.short_passes.get(length):
        return _encode(backbone, pixels, views, tokens)
    whole = _encode(backbone, pixels, batch, tokens)
    if length not in backbone.short_passes:
        short = _encode(backbone, pixels, views, tokens)
        backbone.short_passes[length] = all(map(np.array_equal, short, whole))
    return whole


def _encode(backbone: Backbone, pixels: Sequence[npt.NDArray[np.uint8]], views: int, tokens: bool) -> Encoded:
    """A pass of as many views, the last of which are black."""
    padded = stack(pixels, views)
    encoded = backbone.encode_patches(padded) if tokens else (backbone.encode_images(padded),)
    return tuple(values[: len(pixels)] for values in encoded)


@contextmanager
def remembered(backbone: Backbone, note: Path) -> Iterator[None]:
    """Know inside what earlier runs on this machine found out; add to it what this one does.

    A note of another machine, or a damaged one, says nothing.

    Args:
        backbone: the tower.
        note: a file beside the store's parts.
    """
    machine = _machine()
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
        if found["checksum"] == digest([machine, found["same bits"]]):
            backbone.short_passes.update(found["same bits"])
    except (OSError, ValueError, LookupError, TypeError):
        pass
    known = len(backbone.short_passes)
    yield
    if len(backbone.short_passes) > known:
        same = dict(sorted(backbone.short_passes.items()))
        facts = {"machine": machine, "same bits": same, "checksum": digest([machine, same])}
        with atomic_path(note) as temporary:
            temporary.write_text(json.dumps(facts, indent=2) + "\n")


def _machine() -> list[str]:
    """What a feature's last bits depend on, beside the tower."""
    kind = str(torch.cpu.get_capabilities().get("cpu_name", platform.machine()))
    chosen = sorted(f"{name}={value}" for name, value in os.environ.items() if name.startswith(_KERNELS))
    return [f"torch {torch.__version__}", kind, torch.backends.cpu.get_cpu_capability(), *chosen]
