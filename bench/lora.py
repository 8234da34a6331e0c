"""What a training with LoRA costs: operations and memory of a picture, seconds here, and the arithmetic for a GPU.

    python bench/lora.py --model ViT-L-14 --batch 4      # random weights; 2 minutes and 4 GB on two cores
    python bench/lora.py --model lab-clip --batch 32

Operations are counted by torch, of attention as plain products of matrices, since its fused kernels count as nothing;
memory is that of the tensors that a backward pass keeps. Both are exact and no machine's. Hours on a GPU are those
operations over its peak times a share that is an assumption, not a measurement.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from nsnet.detectors.protocol import Context
from nsnet.detectors.settings import LoraSettings
from nsnet.detectors.tuning.lora import LoraDetector
from nsnet.detectors.tuning.network import TunedNetwork
from nsnet.features.backbone import load_backbone
from nsnet.features.settings import Backbone
from nsnet.semantics.null_space import no_directions

# NVIDIA's figure for dense bfloat16 on an H100 SXM; the share of it that trainings of transformers reach is assumed.
PEAK, SHARE = 989e12, 0.4
# AIGIBench's Setting-II: 144,000 fakes and as many reals, for three epochs (docs/suites.md).
PICTURES, EPOCHS = 288_000, 3
GIB = 2**30


def network(model: str) -> TunedNetwork:
    lab = model == "lab-clip"
    section = Backbone(
        model=model,
        weights=None if lab else "random",
        sha256=None,
        precision="float32",
        patch_size=16 if lab else 32,
        grid=7,
        lowest=24,
        interpolation="bicubic",
    )
    tower = load_backbone(section)
    shared: dict[str, Any] = {"rank": 6, "alpha": 6, "dropout": 0.8, "flip": True, "epochs": 3, "batch": 32, "lr": 1e-4}
    shared |= {"weight_decay": 0.0, "bce_weight": 0.2, "temperature": 0.07}
    settings = LoraSettings.model_validate({"view": "mosaic", **shared})
    return LoraDetector(settings, Context(tower.record, tower.width, no_directions(tower.width), 0, tower)).network


def kept_bytes(model: TunedNetwork, pixels: torch.Tensor) -> int:
    """Of tensors that a backward pass would need, parameters left out, each storage once."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(pixels)[0].sum()
    return sum(kept.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="ViT-L-14")
    parser.add_argument("--batch", type=int, default=4)
    arguments = parser.parse_args()
    model = network(arguments.model)
    size = 112 if arguments.model == "lab-clip" else 224
    pixels = torch.randint(0, 256, (arguments.batch, size, size, 3), dtype=torch.uint8)
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    frozen = sum(parameter.numel() for parameter in model.parameters()) - trained

    model.eval()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model.frozen_features(pixels)
    forward = counter.get_total_flops() / arguments.batch
    model.train()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(pixels)[0].sum().backward()
    step = counter.get_total_flops() / arguments.batch
    memory = {"all layers": kept_bytes(model, pixels) / arguments.batch}

    start = time.perf_counter()
    model(pixels)[0].sum().backward()
    seconds = (time.perf_counter() - start) / arguments.batch
    model.save_memory()
    memory["gradient checkpointing"] = kept_bytes(model, pixels) / arguments.batch

    print(f"| {arguments.model} | a picture |\n| --- | ---: |")
    print(f"| parameters, frozen | {frozen:,} |\n| parameters, trained | {trained:,} |")
    print(f"| operations, forward | {forward / 1e9:.1f} G |\n| operations, update | {step / 1e9:.1f} G |")
    print(f"| an update over a forward pass | {step / forward:.2f} |")
    for name, count in memory.items():
        print(f"| kept for the backward pass, float32, {name} | {count / 2**20:.1f} MB |")
    print(f"| an update here, {torch.get_num_threads()} threads | {seconds:.3f} s |")
    hours = PICTURES * EPOCHS * step / (PEAK * SHARE) / 3600
    # In bfloat16 most of what is kept takes half; float32 is what it cannot exceed.
    needed = (4 * (frozen + 3 * trained) + 32 * memory["all layers"]) / GIB
    print(
        f"\n{PICTURES:,} pictures, {EPOCHS} epochs: {PICTURES * EPOCHS * step:.2e} operations, {hours:.2f} hours on one"
    )
    print(f"H100 at {SHARE:.0%} of {PEAK / 1e12:.0f} TFLOP/s; weights and a batch of 32 need at most {needed:.1f} GiB.")
    print(f"Scoring 1,000,000 test pictures: {1e6 * forward / (PEAK * SHARE) / 60:.1f} minutes.")


if __name__ == "__main__":
    main()
