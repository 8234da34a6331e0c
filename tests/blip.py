"""A tiny BLIP of random weights, made where it is needed."""

from __future__ import annotations

from pathlib import Path

import torch

WORDS = ["a", "the", "red", "green", "blue", "cat", "dog", "car", "bird", "tree", "on", "in", "sky", "two", "small"]


def make_blip(folder: Path, seed: int) -> Path:
    """A BLIP of random weights, large enough that it says different things of different pictures."""
    from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipImageProcessor, BlipProcessor

    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    start = len(vocabulary)  # as in the published one, the token that starts a caption is not in the tokenizer
    special = {"bos_token_id": start, "eos_token_id": 2, "sep_token_id": 3, "pad_token_id": 0}
    small = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**small, **special, "vocab_size": start + 1, "max_position_embeddings": 40}
    torch.manual_seed(seed)
    model = BlipForConditionalGeneration(
        BlipConfig(text_config=text, vision_config={**small, "image_size": 32, "patch_size": 8})
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.5)
    with torch.no_grad():  # words rather than special tokens, and an end before the limit
        model.text_decoder.cls.predictions.bias[[0, 1, 2, 3, 4, start]] = torch.tensor([-99.0, -99, -99, 2, -99, -99])
    model.save_pretrained(folder)
    size = {"height": 32, "width": 32}
    BlipProcessor(BlipImageProcessor(size=size), BertTokenizer(str(folder / "vocab.txt"))).save_pretrained(folder)
    return folder
