"""Tiny models of transformers with random weights, saved as people save them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from tests.blip import WORDS

MEAN, STD = [0.4, 0.5, 0.6], [0.2, 0.3, 0.25]
SMALL: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}


def make_vision(folder: Path, kind: str) -> Path:
    """Dinov2, ConvNext, or the two towers of a CLIP, for pictures of 64 pixels."""
    import transformers

    torch.manual_seed(1)
    if kind == "clip":
        texts, pictures = {**SMALL, "vocab_size": 20}, {**SMALL, "image_size": 64, "patch_size": 16}
        model: Any = transformers.CLIPModel(transformers.CLIPConfig(text_config=texts, vision_config=pictures))
    elif kind == "convnext":
        model = transformers.ConvNextModel(
            transformers.ConvNextConfig(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 1, 1], image_size=64)
        )
    else:
        model = transformers.Dinov2Model(transformers.Dinov2Config(**SMALL, image_size=64, patch_size=16))
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": MEAN, "image_std": STD}))
    return folder


def make_sentence_encoder(folder: Path, pooling: str = "mean_tokens") -> Path:
    """A BERT that knows some words, with the pooling that sentence-transformers would note."""
    from transformers import BertConfig, BertModel, BertTokenizer

    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    torch.manual_seed(2)
    BertModel(BertConfig(**SMALL, vocab_size=len(vocabulary), max_position_embeddings=12)).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    return folder
