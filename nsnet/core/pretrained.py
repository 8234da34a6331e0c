"""Weights that are there already: a folder of transformers', or a package that holds a file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from nsnet.core.provenance import file_sha256

# What a setting says that asks for the weights in a package of the extra nsnet[real].
PACKAGE = "package"


def package_file(module: str, file: str, pinned: str, place: str) -> Path:
    """A file that an installed package holds, found without running the package's code.

    Args:
        module: of the package.
        file: below its folder.
        pinned: sha256 that it must have.
        place: the setting that asks for it, for messages.

    Returns:
        Its path.

    Raises:
        ValueError: the package is not installed, or holds another file.
    """
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ValueError(f"{place}: the package {module} is not installed: pip install 'nsnet[real]'")
    path = Path(found.origin).parent / file
    if not path.is_file() or file_sha256(path) != pinned:
        raise ValueError(f"{place}: {path} is not the file whose sha256 is {pinned}: install {module} anew")
    return path


def load_pretrained(kind: str, folder: Path, place: str) -> Any:
    """A model of transformers from a folder, all of whose weights are there.

    Args:
        kind: name of an Auto class of transformers.
        folder: with config.json and *.safetensors.
        place: the setting that names it, for messages.

    Returns:
        The model in evaluation mode, float32.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the folder holds no such model, or not all of its weights.
    """
    try:
        import transformers  # an optional extra, and slow to import
    except ImportError as error:
        raise ImportError(f"{place} needs the package transformers: pip install 'nsnet[captions]'") from error
    transformers.utils.logging.disable_progress_bar()  # it would be drawn into log files too
    for pattern in ("config.json", "*.safetensors"):
        if not any(folder.glob(pattern)):
            raise ValueError(
                f"{place}: {folder} has no {pattern}; expected a model saved by transformers as safetensors"
            )
    try:
        model, loading = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{place}: cannot load {folder}: {str(error).splitlines()[0]}") from error
    if missing := sorted(loading["missing_keys"]):  # transformers would make them up
        raise ValueError(f"{place}: {folder} lacks {len(missing)} weights, first {missing[0]}")
    return model.eval().requires_grad_(False)
