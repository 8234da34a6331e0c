"""Effort: what moves are the smallest singular directions of the attention's matrices, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from sklearn.metrics import roc_auc_score

from nsnet.detectors.files import load_detector, save_detector
from nsnet.detectors.settings import EffortSettings
from nsnet.detectors.tuning.effort import EffortDetector, SplitLinear, split_layers
from nsnet.training.runner import Runner
from tests.lora import LAYERS, SmallTower, lora_context, striped, transformer
from tests.training import CPU, RECORD, scored

pytestmark = pytest.mark.usefixtures("single_thread")


def effort(**values: Any) -> EffortSettings:
    shared = {"view": "mosaic", "trained": 1, "orthogonality": 1.0, "flip": True, "epochs": 3, "batch": 8, "draws": 1}
    shared |= {"lr": 0.01, "weight_decay": 0.0, "bce_weight": 0.2, "temperature": 0.07}
    return EffortSettings.model_validate({**shared, **values})


def departure(layer: SplitLinear) -> float:
    """||U^T U - I||^2 + ||V^T V - I||^2 + | ||W||^2 - ||W0||^2 |, with whole matrices in float64."""
    left = torch.cat([layer.kept_left, layer.left], dim=1).double().detach()
    right = torch.cat([layer.kept_right, layer.right]).double().detach()
    weight = layer.kept.double() + (layer.left * layer.values).double().detach() @ layer.right.double().detach()
    one = torch.eye(left.shape[1], dtype=torch.float64)
    sides = (left.T @ left - one).square().sum() + (right @ right.T - one).square().sum()
    return float(sides + (weight.square().sum() - layer._energy).abs())


@pytest.mark.parametrize("shape", [(12, 12), (20, 12), (12, 20)])
def test_a_split_layer_is_the_layer_and_its_term_that_of_the_whole(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer, tokens = torch.nn.Linear(*shape), torch.randn(5, shape[0])
    split = SplitLinear(layer, 3)
    torch.testing.assert_close(split(tokens), layer(tokens), rtol=1e-4, atol=1e-6)  # sums in another order, float32
    values = np.linalg.svd(layer.weight.detach().numpy().astype(float), compute_uv=False)
    np.testing.assert_allclose(split.values.detach().numpy(), values[-3:], rtol=1e-5)  # the smallest; float32
    assert abs(split.departure().item()) < 1e-5 and departure(split) < 1e-5  # orthonormal to rounding, times 12 + 12
    with torch.no_grad():
        for part in (split.left, split.right, split.values):
            part.add_(torch.randn_like(part), alpha=0.3)
    np.testing.assert_allclose(split.departure().item(), departure(split), rtol=1e-4)  # float32 sums of squares
    assert departure(split) > 1
    with pytest.raises(ValueError, match="trained: 12 of the 12 singular directions"):
        SplitLinear(layer, 12)


@pytest.mark.parametrize("make", [transformer, lambda: timm.create_model("vit_tiny_patch16_224", img_size=32)])
def test_a_split_tower_gives_the_same_features(make: Any) -> None:
    pixels, tower = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)), make().eval()
    split = split_layers(tower, 2)
    with torch.inference_mode():
        # float32 products of the two parts, rounded apart, through all layers.
        torch.testing.assert_close(split(pixels), tower(pixels), rtol=1e-3, atol=1e-4)
    moving = [name for name, parameter in split.named_parameters() if parameter.requires_grad]
    layers = sum(isinstance(module, SplitLinear) for module in split.modules())
    assert layers % 4 == 0 and len(moving) == 3 * layers
    assert {name.rsplit(".", 1)[1] for name in moving} == {"left", "values", "right"}


def test_a_detector_learns_and_comes_back_from_its_file(rng: np.random.Generator, tmp_path: Path) -> None:
    shown, other, tower = striped(rng, 160), striped(rng, 100), SmallTower()
    before = {name: tensor.clone() for name, tensor in tower.visual.state_dict().items()}
    found = {}
    for weight in (0.0, 0.1):
        settings = effort(epochs=12, trained=4, null_space="text", contrastive=True, orthogonality=weight)
        detector: Any = EffortDetector(settings, replace(lora_context(), tower=tower))
        kept = {name: tensor.clone() for name, tensor in detector.network.visual.named_buffers()}
        detector.fit(shown, shown, Runner(CPU, 0))
        assert all(torch.equal(tensor, kept[name]) for name, tensor in detector.network.visual.named_buffers())
        layers = [module for module in detector.network.visual.modules() if isinstance(module, SplitLinear)]
        found[weight] = np.mean([departure(layer) for layer in layers])
    assert len(layers) == 4 * LAYERS
    assert found[0.1] < 0.2 * found[0.0]  # the term holds the decomposition together
    assert all(torch.equal(before[name], tensor) for name, tensor in tower.visual.state_dict().items())
    scores = scored(detector, other)
    # 0.98, where a head on a tower that stands has 0.81; standard errors are 0.01 and 0.04.
    assert roc_auc_score(other.labels, scores) > 0.9
    sha256 = save_detector(detector, settings, lora_context(), tmp_path / "effort.safetensors")
    # 4 directions of 12 matrices of 16, and a head; not the tower.
    assert {name.split(".")[0] for name in detector.module().state_dict()} == {"visual", "head"}
    assert not any("kept" in name for name in detector.module().state_dict())
    back = load_detector(tmp_path / "effort.safetensors", sha256, RECORD, SmallTower)
    assert np.array_equal(scored(back, other), scores)
