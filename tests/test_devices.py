"""Several processes train as one: the same order, losses of whole batches, and a training that goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from nsnet.core.provenance import file_sha256
from nsnet.features.conditions import Condition
from nsnet.features.pictures import PictureSource
from nsnet.features.pixels import PixelStore
from nsnet.features.views import ViewSettings
from nsnet.training.examples import FileExamples, PixelExamples
from nsnet.training.runner import Runner, _Order
from tests.conftest import ROOT, environment
from tests.training import CPU
from tests.trees import draw

# Without dropout and flips, whose random numbers are each process's own. 44 pictures in batches of 8: the last has 4;
# three parts of a batch are unequal.
SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
import numpy as np
import torch
from nsnet.detectors.files import save_detector
from nsnet.detectors.tuning.lora import LoraDetector
from nsnet.training.checkpoints import Checkpoint, Place
from nsnet.training.runner import Compute, Runner
from tests.lora import lora, lora_context
from tests.training import pictures

folder, devices, accumulate, stop = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "stop"
torch.set_num_threads(1)
shown = pictures(np.random.default_rng(7), 44)
still = {"dropout": 0.0, "flip": False} if accumulate else {}
settings = lora(null_space="cross-modal", contrastive=True, upkeep="refit", lr=0.001, **still)
context = lora_context(pool=True)
compute = Compute("cpu", "32-true", max(accumulate, 1), checkpoint_steps=4, devices=devices)
save = Checkpoint.save

def stopped(self, place):
    save(self, place)
    if place == Place(1, 2):
        sys.exit(3)

if stop:
    Checkpoint.save = stopped
runner = Runner(compute, 0, folder)
detector = LoraDetector(settings, context)
detector.fit(shown, shown, runner)
if runner.fabric.global_rank == 0:
    save_detector(detector, settings, context, folder / "done.safetensors")
"""


def trained(folder: Path, devices: int, accumulate: int = 1, stop: bool = False) -> dict[str, torch.Tensor]:
    folder.mkdir(exist_ok=True)
    (folder / "script.py").write_text(SCRIPT)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    words = [sys.executable, str(folder / "script.py"), str(folder), str(devices), str(accumulate)]
    words.append("stop" if stop else "on")
    done = subprocess.run(words, env={**environment(ROOT), **place}, capture_output=True, text=True, timeout=300)
    assert (done.returncode != 0) == stop, done.stderr
    return {} if stop else load_file(folder / "done.safetensors")


def test_two_processes_end_as_one(tmp_path: Path) -> None:
    """The contrastive loss compares the pictures of whole batches, or a real would miss those of the other process."""
    found = {devices: trained(tmp_path / str(devices), devices) for devices in (1, 2)}
    start = {name: tensor for name, tensor in found[1].items() if "lora_B" in name}
    assert all(tensor.abs().max() > 1e-3 for tensor in start.values())  # they start at zero
    for name, tensor in found[1].items():
        # Sums in another order, 1e-7 relative, which Adam's division carries into 18 updates of 0.001.
        torch.testing.assert_close(found[2][name], tensor, rtol=0, atol=2e-4, msg=name)
    halves = trained(tmp_path / "halves", 1, accumulate=2)
    apart = max(float((halves[name] - tensor).abs().max()) for name, tensor in start.items())
    assert apart > 1e-3  # parts of a batch are not compared with each other: the test would see a loss of parts


def test_two_processes_go_on_where_they_were(tmp_path: Path) -> None:
    """With dropout and flips, drawn in each process: bit for bit."""
    whole = trained(tmp_path / "whole", 2, accumulate=0)
    trained(tmp_path / "stopped", 2, accumulate=0, stop=True)
    assert (tmp_path / "stopped" / "training.pt").exists()
    again = trained(tmp_path / "stopped", 2, accumulate=0)
    assert all(torch.equal(again[name], tensor) for name, tensor in whole.items())


@pytest.mark.parametrize(("count", "accumulate"), [(44, 1), (43, 2), (41, 3), (2, 1)])
def test_processes_share_each_batch(count: int, accumulate: int) -> None:
    one = list(_Order(count, 8, accumulate, 2, 5))
    parts = [list(_Order(count, 8, accumulate, 2, 5, (rank, 3))) for rank in range(3)]
    assert len({len(part) for part in parts}) == 1
    together: list[Any] = []
    for shares in zip(*parts, strict=True):
        assert len({(draw, share, last) for _, draw, share, last in shares}) == 1
        assert all(len(indices) for indices, *_ in shares)
        together += [indices for indices, *_ in shares]
    seen = np.concatenate(together) if together else np.array([], int)
    expected = np.concatenate([indices for indices, *_ in one])
    left_out = count % 8 if count % 8 < 3 else 0
    assert np.array_equal(seen, expected[: count - left_out])


def test_sets_too_large_for_blocks_are_read_from_their_files(tmp_path: Path) -> None:
    """The same views, also in processes that read ahead; blocks are mapped there, not copied."""
    files = {}
    for seed in range(6):
        draw(path := tmp_path / f"{seed}.png", seed)
        files[file_sha256(path)] = path
    names, labels = list(files), np.array([0, 1] * 3)
    source = PictureSource(files, ViewSettings(16, 4, 4, 8, "bicubic"))
    clean = Condition("clean")
    blocks = [PixelStore(tmp_path / "blocks", source).block(clean, "mosaic", number, names) for number in range(2)]
    mapped, read = PixelExamples(blocks, labels), FileExamples(source, clean, "mosaic", names, labels)
    order = np.array([4, 0, 3])
    for number in range(2):
        assert torch.equal(read.fetch(order, number), mapped.fetch(order, number))
    ahead = Runner(replace(CPU, workers=1), 0)
    for examples in (mapped, read):
        batches = list(ahead.batches(examples, 4, 1))
        assert [len(batch) for batch in batches] == [4, 2]
        assert torch.equal(torch.cat(batches), mapped.fetch(np.arange(6), 1))
    state = mapped.__getstate__()
    assert all(isinstance(name, str) for name in state["_draws"])
