"""The runner: training stops and goes on, order, accumulation and precision."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from nsnet.detectors.cnn import CnnDetector
from nsnet.detectors.linear import LinearDetector
from nsnet.detectors.protocol import Needs
from nsnet.training.checkpoints import DIGEST, Checkpoint, Place
from nsnet.training.examples import FeatureExamples
from nsnet.training.runner import Compute, Runner, resolve
from nsnet.training.settings import Runtime
from tests.training import (
    CPU,
    WIDTH,
    Stopped,
    cnn,
    context,
    examples,
    features,
    linear,
    pictures,
    scored,
)

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.mark.parametrize(("kind", "every"), [("linear", 2), ("linear", 4), ("cnn", 2), ("cnn", 4)])
def test_a_stopped_training_goes_on_to_the_same_weights(
    rng: np.random.Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, every: int
) -> None:
    """Bit for bit, with order, flips, drawn mosaics, optimiser and schedule where they were."""
    shown: Any
    if kind == "cnn":
        shown, steps = pictures(rng, 40), 5
        detector: Callable[[], Any] = lambda: CnnDetector(cnn(epochs=5, batch=8), context())  # noqa: E731
    else:
        steps = 3
        draws = [features(rng, 80, 0.5)[0] for _ in range(2)]
        shown = FeatureExamples(draws, features(rng, 80, 0.5)[1])
        settings = linear(adapter=True, contrastive=True, draws=2, epochs=5, batch=32)
        detector = lambda: LinearDetector(settings, context())  # noqa: E731
    whole = detector()
    whole.fit(shown, shown, Runner(CPU, 3))

    often = replace(CPU, checkpoint_steps=every)
    saved, save = [], Checkpoint.save

    def stop_after_two(self: Checkpoint, place: Place) -> None:
        save(self, place)
        saved.append(place)
        if len(saved) == 2:
            raise Stopped

    monkeypatch.setattr(Checkpoint, "save", stop_after_two)
    with pytest.raises(Stopped):
        detector().fit(shown, shown, Runner(often, 3, tmp_path))
    content = next(tmp_path.glob("*.pt")).read_bytes()[DIGEST:]  # behind its checksum
    place = Place(*divmod(2 * every, steps))
    assert saved[-1] == place and place.steps  # in the middle of an epoch
    kept = torch.load(io.BytesIO(content), weights_only=True)
    assert (kept["epoch"], kept["steps"]) == (place.epoch, place.steps)
    torch.rand(5)  # whatever else draws numbers in the meantime
    resumed = detector()
    resumed.fit(shown, shown, Runner(often, 3, tmp_path))
    assert len(saved) == 5 * steps // every  # not from the start
    for name, tensor in whole.module().state_dict().items():
        assert torch.equal(tensor, resumed.module().state_dict()[name]), name
    other = detector()
    other.fit(shown, shown, Runner(CPU, 4))
    assert (scored(other, shown) != scored(whole, shown)).any()


def test_short_trainings_leave_no_checkpoint_and_broken_ones_are_named(
    rng: np.random.Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = examples(*features(rng, 40, 0.5))
    LinearDetector(linear(epochs=2), context()).fit(shown, shown, Runner(CPU, 0, tmp_path))
    assert not list(tmp_path.iterdir())
    (tmp_path / "training.pt").write_bytes(b"half a checkpoint")
    detector = LinearDetector(linear(epochs=2), context())
    detector.fit(shown, shown, Runner(CPU, 0, tmp_path))
    assert "training.pt is damaged" in capsys.readouterr().err
    assert detector.head.linear.weight.any()


def test_a_checkpoint_of_another_machine_is_not_gone_on_from(
    rng: np.random.Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its random numbers are those of other processes, or of another device."""
    module = torch.nn.Linear(2, 1)
    parts, file = {"module": module}, tmp_path / "training.pt"

    def checkpoint(device: str = "cpu", processes: int = 1) -> Checkpoint:
        alone = SimpleNamespace(
            global_rank=0,
            world_size=processes,
            device=torch.device(device),
            all_gather=lambda numbers: numbers.repeat(processes, 1),
        )
        return Checkpoint(file, parts, alone)

    checkpoint().save(Place(1, 2))
    assert checkpoint().restore() == Place(1, 2)
    assert capsys.readouterr().err == ""
    for other in (checkpoint("cuda"), checkpoint(processes=2)):
        assert other.restore() == Place(0, 0)
        assert "is of 1 process(es) on cpu" in capsys.readouterr().err
    file.write_bytes(b"")
    checkpoint(processes=2).save(Place(1, 2))
    assert checkpoint(processes=2).restore() == Place(1, 2) and checkpoint().restore() == Place(0, 0)


def test_more_processes_than_pictures_are_refused(rng: np.random.Generator) -> None:
    shown, runner = examples(*features(rng, 40, 0.5)), Runner(CPU, 0)
    runner.fabric = SimpleNamespace(global_rank=0, world_size=41)
    head = torch.nn.Linear(WIDTH, 1)
    settings: Any = {"epochs": 1, "batch": 40, "draws": 1, "optimiser": torch.optim.SGD(head.parameters(), 0.1)}
    with pytest.raises(ValueError, match=r"devices: 41 processes share each batch, but there are 40 training pictures"):
        runner.minimise(head, lambda module, rows, _labels: module(rows).mean(), shown, **settings)
    runner.fabric = Runner(CPU, 0).fabric
    runner.minimise(head, lambda module, rows, _labels: module(rows).mean(), shown, **settings)


def test_accumulated_parts_are_the_whole_batch(rng: np.random.Generator) -> None:
    """Also where the last batch is smaller, and the parts are unequal."""
    shown = examples(*features(rng, 110, 0.5))
    found = {}
    for accumulate in (1, 3):
        detector = LinearDetector(linear(adapter=True, epochs=6, batch=32, weight_decay=[0.1]), context())
        detector.fit(shown, shown, Runner(Compute("cpu", "32-true", accumulate), 0))
        found[accumulate] = scored(detector, shown)
    # Gradients are summed in another order: 1e-7 relative, which Adam's division carries into 24 updates of 0.01.
    np.testing.assert_allclose(found[3], found[1], atol=1e-4)
    detector = LinearDetector(linear(adapter=True, epochs=6, batch=11, weight_decay=[0.1]), context())
    detector.fit(shown, shown, Runner(CPU, 0))
    assert np.abs(scored(detector, shown) - found[1]).max() > 1e-3  # three times the updates is something else


def test_every_epoch_shows_every_example_once_in_an_order_of_its_own(rng: np.random.Generator) -> None:
    """Mosaics are drawn in turn; the order follows from seed and epoch."""

    class Seen(FeatureExamples):
        def fetch(self, indices: Any, draw: int) -> Any:
            fetched.append((indices.tolist(), draw))
            return super().fetch(indices, draw)

    fetched: list[tuple[list[int], int]] = []
    rows, labels = features(rng, 50, 0.5)
    shown = Seen([rows, rows], labels)
    module = torch.nn.Linear(WIDTH, 1)

    def loss(wrapped: Any, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return (wrapped(inputs).squeeze(1) - labels).square().mean()

    orders = []
    for seed in (0, 0, 1):
        fetched.clear()
        optimiser = torch.optim.SGD(module.parameters(), 0.0)
        Runner(CPU, seed).minimise(module, loss, shown, epochs=4, batch=20, draws=2, optimiser=optimiser)
        epochs = [fetched[start : start + 3] for start in range(0, 12, 3)]
        orders.append([list(itertools.chain.from_iterable(indices for indices, _ in epoch)) for epoch in epochs])
        assert [[draw for _, draw in epoch] for epoch in epochs] == [[0] * 3, [1] * 3, [0] * 3, [1] * 3]
        assert all(sorted(order) == list(range(50)) for order in orders[-1])
    assert orders[0] == orders[1] != orders[2]
    assert orders[0][0] != orders[0][1]


def test_precision_is_what_fabric_really_uses() -> None:
    features_of = Needs("features", "crop")
    found = resolve(Runtime(precision="16-mixed", accelerator="cpu"), features_of)
    assert found == Compute("cpu", "bf16-mixed", 1)
    assert Runner(found, 0).fabric.strategy.precision.precision == "bf16-mixed"
    assert resolve(Runtime(), features_of) == Compute("cpu", "32-true", 1)
    asked = Runtime(gradient_checkpointing=True, workers=3, checkpoint_steps=7)
    assert resolve(asked, features_of) == Compute("cpu", "32-true", 1, True, 3, 7)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="finds no GPU"):
            resolve(Runtime(accelerator="cuda"), features_of)


def test_bfloat16_computes_in_bfloat16(rng: np.random.Generator) -> None:
    shown = examples(*features(rng, 64, 0.5))
    seen = []

    def loss(wrapped: Any, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return wrapped(inputs).mean()

    module = torch.nn.Linear(WIDTH, 1)
    module.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    runner = Runner(Compute("cpu", "bf16-mixed", 1), 0)
    runner.minimise(module, loss, shown, epochs=1, batch=64, draws=1, optimiser=optimiser)
    assert seen == [torch.bfloat16]


def test_global_random_numbers_are_left_alone(rng: np.random.Generator) -> None:
    shown = pictures(rng, 16)
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    CnnDetector(cnn(epochs=1), context()).fit(shown, shown, Runner(CPU, 0))
    assert torch.equal(torch.rand(3), expected)


def test_bfloat16_is_what_a_gpu_trains_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nsnet.training.runner.best_device", lambda: "cuda")
    found = [resolve(Runtime(), Needs(reads, "crop")) for reads in ("pixels", "features")]  # type: ignore[arg-type]
    assert [(one.device, one.precision) for one in found] == [("cuda", "bf16-mixed"), ("cpu", "32-true")]
    assert resolve(Runtime(precision="32-true"), Needs("pixels", "crop")).precision == "32-true"


def test_time_spent_waiting_is_told_from_time_spent_working(rng: np.random.Generator) -> None:
    class Slow(FeatureExamples):
        def fetch(self, indices: Any, draw: int) -> Any:
            time.sleep(0.02)
            return super().fetch(indices, draw)

    runner, module = Runner(CPU, 0), torch.nn.Linear(WIDTH, 1)

    def loss(wrapped: Any, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        time.sleep(0.01)
        return wrapped(inputs).mean()

    optimiser = torch.optim.SGD(module.parameters(), 0.1)
    shown = Slow([rows := features(rng, 60, 0.5)[0]], np.zeros(len(rows), np.int64))
    runner.minimise(module, loss, shown, epochs=2, batch=20, draws=1, optimiser=optimiser)
    # Sleeps last at least as long as asked for: six batches of each kind.
    assert runner.clock.waiting >= 6 * 0.02 and runner.clock.total >= runner.clock.waiting + 6 * 0.01
