"""What computed a number: Python, packages, processor or GPU, and threads, as a record with a name.

Last digits of features, weights and scores depend on all of these. So the record stands beside a number, in the
store and in the catalogue, and never in a table that shall be the same on every machine.
"""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

# Those that compute, decode, or order rows, by their names on an index; optional ones where they are installed.
PACKAGES = (
    *("duckdb", "imagehash", "lightning-fabric", "numpy", "open_clip_torch", "openvino", "peft", "pillow", "polars"),
    *("pyarrow", "safetensors", "scikit-learn", "scipy", "timm", "torch", "torchvision", "transformers"),
)


def environment(device: str) -> dict[str, Any]:
    """What computes in this process, at this moment: threads are those of torch inside the caller's block.

    Args:
        device: cpu or cuda.

    Returns:
        JSON-able: python, system, processor, vector_level (of torch's kernels), gpu and cuda (None on a CPU),
        threads and packages, versions by name.
    """
    on_gpu = device == "cuda"
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "vector_level": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if on_gpu else None,
        "cuda": torch.version.cuda if on_gpu else None,
        "threads": torch.get_num_threads(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor(listing: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's model; of a system without a listing what Python knows."""
    try:
        lines = listing.read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, "") or platform.processor() or platform.machine()
