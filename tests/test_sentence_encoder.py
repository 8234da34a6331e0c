"""Captions of towers without a text tower: pooled as the encoder's folder says, each as if it were alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nsnet.features.backbone import load_backbone
from nsnet.params import Params
from nsnet.semantics.null_space import Bases, orthonormal
from nsnet.semantics.sentence_encoder import load_sentence_encoder, text_encoder
from tests.transformer_folders import make_sentence_encoder, make_vision

CAPTIONS = ["a red cat", "two small dogs on the car in the sky", "bird", ""]


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
def test_features_equal_those_of_single_captions_pooled_by_hand(pooling: str, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = make_sentence_encoder(tmp_path / "texts", pooling)
    found = load_sentence_encoder(folder, "cpu")(CAPTIONS)
    model: Any = AutoModel.from_pretrained(folder).double()
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    for row, caption in zip(found, CAPTIONS, strict=True):
        with torch.inference_mode():
            states = model(**tokenizer([caption], return_tensors="pt")).last_hidden_state[0].numpy()
        expected = states.mean(axis=0) if pooling == "mean_tokens" else states[0]
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)  # float32 against float64
    assert found.dtype == np.float32 and found.shape == (4, 32)


def test_what_is_no_sentence_encoder_is_refused(tmp_path: Path, params: Params) -> None:
    with pytest.raises(ValueError, match=r"semantics\.text: .*nowhere has no config\.json"):
        load_sentence_encoder(tmp_path / "nowhere", "cpu")
    with pytest.raises(ValueError, match=r"pools by pooling_mode_max_tokens; expected one of pooling_mode_mean"):
        load_sentence_encoder(make_sentence_encoder(tmp_path / "max", "max_tokens"), "cpu")
    with pytest.raises(ValueError, match="has no tokenizer"):
        load_sentence_encoder(make_vision(tmp_path / "vision", "dinov2"), "cpu")
    backbone = load_backbone(params.backbone)
    assert text_encoder(None, backbone, "cpu") == backbone.encode_texts
    assert text_encoder(str(make_sentence_encoder(tmp_path / "a")), backbone, "cpu")(["a cat"]).shape == (1, 32)


def test_a_long_caption_is_cut(tmp_path: Path) -> None:
    """The model has twelve places: ten words between the first token and the last."""
    encode = load_sentence_encoder(make_sentence_encoder(tmp_path / "texts"), "cpu")
    assert np.array_equal(encode(["a red cat " * 20]), encode([("a red cat " * 20)[: len("a red cat ") * 3] + "a"]))


def test_without_transformers_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"semantics\.text needs the package transformers"):
        load_sentence_encoder(tmp_path, "cpu")


@pytest.mark.skipif(importlib.util.find_spec("all_minilm_l6_v2") is None, reason="no nsnet[real]")
def test_the_encoder_of_the_package_knows_what_means_the_same(params: Params) -> None:
    features = text_encoder("package", load_backbone(params.backbone), "cpu")(
        ["a dog runs over the grass", "a puppy is running on a lawn", "the stock market fell on Monday"]
    )
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    alike, other, third = unit[0] @ unit[1], unit[0] @ unit[2], unit[1] @ unit[2]
    assert features.shape == (3, 384) and alike > 0.5 > 0.2 > max(other, third)


def test_without_text_directions_the_control_has_as_many_as_the_cross_modal_null_space() -> None:
    basis = orthonormal(np.eye(6)[:2])
    bases = Bases({}, {("cross-modal", "clean", "mosaic"): basis})
    assert bases.of_control("a", "clean", "mosaic") is basis
    with pytest.raises(ValueError, match="no text tower in its space"):
        bases.of("text", "a", "clean", "mosaic")
    with_text = Bases({"a": orthonormal(np.eye(6)[:3])}, {("cross-modal", "clean", "mosaic"): basis})
    assert len(with_text.of_control("a", "clean", "mosaic")) == 3


def test_a_folders_note_of_pooling_is_optional(tmp_path: Path) -> None:
    noted = make_sentence_encoder(tmp_path / "noted")
    silent = make_sentence_encoder(tmp_path / "silent")
    (silent / "1_Pooling/config.json").unlink()
    assert json.loads((noted / "1_Pooling/config.json").read_text()) == {"pooling_mode_mean_tokens": True}
    one, other = (load_sentence_encoder(folder, "cpu")(CAPTIONS) for folder in (noted, silent))
    assert np.array_equal(one, other)
