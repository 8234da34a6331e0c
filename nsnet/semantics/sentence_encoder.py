"""Captions to features by a sentence encoder, for image towers without a text tower, or instead of a CLIP's own."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nsnet.core.pretrained import PACKAGE, load_pretrained, package_file
from nsnet.features.backbone import Backbone
from nsnet.semantics.caption_pool import EncodeTexts

# The encoder that a package of the extra nsnet[real] holds: module, archive, sha256.
PACKAGED = (
    "all_minilm_l6_v2",
    "model.zip",
    "0872f5d7d0e806c443e588b6dd6b933e9200cf589b0e757e85e3afd57539c592",
)
_PLACE = "semantics.text"


def text_encoder(text: str | None, backbone: Backbone, device: str) -> EncodeTexts:
    """What reads captions.

    Args:
        text: the setting: null, a folder, or `package`.
        backbone: its text tower is taken where the setting is null.
        device: cpu or cuda.

    Returns:
        Captions to float32 (b, k), not L2-normalised.

    Raises:
        ImportError: transformers is not installed.
        ValueError: there is no sentence encoder, or the backbone has no text tower and none is named.
    """
    if text is None:
        return backbone.encode_texts
    if text != PACKAGE:
        return load_sentence_encoder(Path(text), device)
    archive = package_file(*PACKAGED, _PLACE)
    with TemporaryDirectory() as folder, zipfile.ZipFile(io.BytesIO(archive.read_bytes())) as content:
        content.extractall(folder)  # a pinned file, and zipfile keeps to the folder
        return load_sentence_encoder(Path(folder), device)


def load_sentence_encoder(folder: Path, device: str) -> EncodeTexts:
    """A transformer of texts whose sentence feature is the mean of its tokens', or its first token's.

    Args:
        folder: saved by transformers or sentence-transformers; `1_Pooling/config.json` says how tokens are
            pooled, and without it their mean is taken.
        device: cpu or cuda.

    Returns:
        Captions to float32 (b, k). A feature's last bits depend on the longest caption of its batch.

    Raises:
        ImportError: transformers is not installed.
        ValueError: the folder has no model, not all weights, no tokenizer, or another way of pooling.
    """
    model = load_pretrained("AutoModel", folder, _PLACE).to(device)
    from transformers import AutoTokenizer  # there since `load_pretrained`

    try:
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{_PLACE}: {folder} has no tokenizer: {str(error).splitlines()[0]}") from error
    by_mean = _pools_by_mean(folder)

    def encode(captions: list[str]) -> npt.NDArray[np.float32]:
        tokens = tokenizer(captions, padding=True, truncation=True, max_length=_longest(model), return_tensors="pt")
        with torch.inference_mode():
            states = model(**tokens.to(device)).last_hidden_state
            mask = tokens["attention_mask"].unsqueeze(-1).to(states.dtype)
            pooled = (states * mask).sum(1) / mask.sum(1) if by_mean else states[:, 0]
        features: npt.NDArray[np.float32] = pooled.float().cpu().numpy()
        return features

    return encode


def _longest(model: Any) -> int:
    """Tokens that a text is cut to: as many as the model has places for."""
    return int(model.config.max_position_embeddings)


def _pools_by_mean(folder: Path) -> bool:
    path = folder / "1_Pooling" / "config.json"
    if not path.exists():
        return True
    facts = json.loads(path.read_text(encoding="utf-8"))
    modes = [name for name, value in facts.items() if name.startswith("pooling_mode_") and value is True]
    known = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    if len(modes) != 1 or modes[0] not in known:
        raise ValueError(f"{path} pools by {', '.join(modes) or 'nothing'}; expected one of {', '.join(known)}")
    return known[modes[0]]
