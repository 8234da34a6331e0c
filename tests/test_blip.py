"""What is no BLIP is refused, with what is missing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from nsnet.semantics.captions import blip_captions, load_blip, model_id
from tests.blip import make_blip


def test_a_folder_that_is_no_captioner_is_refused(tmp_path: Path) -> None:
    images = {"0" * 64: tmp_path / "a.png"}

    def run(store: Path, images: dict[str, Path], folder: Path) -> None:
        blip_captions(store, images, folder, "cpu", 3, lambda count: None)

    with pytest.raises(FileNotFoundError, match=r"captions\.model: .*config\.json"):
        run(tmp_path, images, tmp_path / "nowhere")
    folder = make_blip(tmp_path / "blip", seed=2)
    weights = load_file(folder / "model.safetensors")
    partial: dict[str, Any] = {name: value for name, value in weights.items() if "text_decoder" not in name}
    save_file(partial, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match=r"captions.model: .* lacks .* weights"):
        run(tmp_path / "cache", images, folder)
    assert not (tmp_path / "cache").exists()
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "clip"}))
    with pytest.raises(ValueError, match="type 'clip'"):
        model_id(folder)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match="safetensors"):
        model_id(folder)


def test_without_transformers_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ImportError, match=r"nsnet\[captions\]"):
        load_blip(tmp_path, "cpu", 1)
