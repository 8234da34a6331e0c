"""Passes in eight bits by OpenVINO: two to eight times as fast on processors with eight-bit dot products.

Eight-bit features differ from those of torch by a hundredth or so of what differs between pictures, so they are other
features: the record says `runtime`, its hash is another, and neither the store nor a detector takes one kind for the
other. Which levels the activations have is decided by drawn pictures, not by the corpus: a generator more must not
change the features of all others.
"""

from __future__ import annotations

import importlib.util
import os
import threading
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Float, UInt8

from nsnet.features.calibration import drawn_views
from nsnet.features.quantisation import UnknownOperation, graph_of, openvino, quantise, watched
from nsnet.features.views import ViewSettings

# Raise when calibration.py or quantisation.py give other features: they outlive the code that made them.
INT8_VERSION = 1
# Drawn views by which ranges are measured, and as many by which the result is judged; in passes of BATCH.
DRAWN, BATCH = 32, 8
# Least cosine, once the mean is taken off, of features in eight bits and in float32: the lab CLIP and a random ViT-B/32
# have 0.9996, EfficientNet-Lite0 0.991. It also finds a kernel that is wrong, as one of OpenVINO 2026.4 is, of an odd
# convolution on processors with AMX.
ALIKE = 0.98
# One stream and thread a core, float32 where not eight bits: neither bits nor mates depend on who else computes.
_CORES = os.cpu_count() or 1
_OPTIONS = {
    "INFERENCE_PRECISION_HINT": "f32",
    "NUM_STREAMS": _CORES,
    "INFERENCE_NUM_THREADS": _CORES,
    "ENABLE_CPU_PINNING": False,
}


def check_int8() -> None:
    """Say before any work what is missing for passes in eight bits.

    Raises:
        ImportError: OpenVINO is not installed.
        ValueError: the processor has no eight-bit dot products, without which they are slower and may overflow.
    """
    if importlib.util.find_spec("openvino") is None:
        raise ImportError("backbone.runtime int8 needs the package openvino: pip install 'nsnet[int8]', or set torch")
    able = torch.cpu.get_capabilities()
    if not (able.get("avx512_vnni") or able.get("avx_vnni")):
        raise ValueError(
            "backbone.runtime: int8 needs a processor with eight-bit dot products (AVX512-VNNI or AVX-VNNI), which"
            f" {able.get('cpu_name', 'this one')} ({able.get('architecture', 'unknown')}) lacks: set torch"
        )


@runtime_checkable
class Tower(Protocol):
    """What passes are made of: a `nsnet.features.backbone.Backbone`."""

    @property
    def model(self) -> Any: ...

    @property
    def views(self) -> ViewSettings: ...

    def whole(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]: ...


class _Pass(torch.nn.Module):
    """A pass as a module that owns the tower's weights."""

    def __init__(self, tower: Tower) -> None:
        super().__init__()
        self.model, self.tower = tower.model, tower

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.tower.whole(pixels)


class Int8Passes:
    """A tower's passes in eight bits, compiled for each size of batch when it is first asked for; for any thread."""

    def __init__(self, tower: Tower, name: str) -> None:
        """Take a tower; nothing is compiled yet.

        Args:
            tower: of float32 weights on the CPU.
            name: its model's, for messages.
        """
        self._name, self._module, self._size = name, _Pass(tower).eval(), tower.views.size
        self._lock, self._compiled, self._own = threading.RLock(), dict[int, Any](), threading.local()

    def __call__(self, pixels: UInt8[np.ndarray, "b size size 3"]) -> tuple[npt.NDArray[np.float32], ...]:
        """Features of views, and of their slots if the tower has tokens.

        Args:
            pixels: (b, size, size, 3).

        Returns:
            float32 (b, d), and (b, slots, d) if there are tokens.

        Raises:
            ValueError: OpenVINO cannot run the tower, or eight bits are too few for it.
        """
        requests: dict[int, Any] = vars(self._own).setdefault("requests", {})  # by size of batch; they are one thread's
        if len(pixels) not in requests:
            requests[len(pixels)] = self._ready(len(pixels)).create_infer_request()
        return _outputs(requests[len(pixels)], pixels)

    def _ready(self, batch: int) -> Any:
        with self._lock:
            if batch not in self._compiled:
                ranges = self._ranges  # brings a compiled pass of BATCH
                if batch not in self._compiled:
                    graph = self._graph(batch)
                    quantise(graph, ranges)
                    self._compiled[batch] = _compile(graph)
            return self._compiled[batch]

    def _graph(self, batch: int) -> Any:
        try:
            return graph_of(self._module, torch.zeros(batch, self._size, self._size, 3, dtype=torch.uint8))
        except UnknownOperation as error:
            raise ValueError(f"backbone.runtime: OpenVINO cannot run {self._name} ({error}): set torch") from error

    @cached_property
    def _ranges(self) -> Float[np.ndarray, "nodes 2"]:
        """Of `quantise`, from drawn views; as many others are encoded both ways, to be compared."""
        views = drawn_views(2 * DRAWN, self._size).reshape(2, -1, BATCH, self._size, self._size, 3)
        graph = self._graph(BATCH)
        exact = _compile(watched(graph)).create_infer_request()
        ends = np.array([_outputs(exact, part)[1:] for part in views[0]]).reshape(len(views[0]), -1, 2)
        ranges = _outwards(np.stack([ends[..., 0].min(0), ends[..., 1].max(0)], axis=1))
        quantise(graph, ranges)
        self._compiled[BATCH] = _compile(graph)
        coarse = self._compiled[BATCH].create_infer_request()
        ours, theirs = (np.concatenate([_outputs(kind, part)[0] for part in views[1]]) for kind in (coarse, exact))
        alike = _cosine(ours - ours.mean(0), theirs - theirs.mean(0))
        if not alike >= ALIKE:
            raise ValueError(
                f"backbone.runtime: eight bits are too few for {self._name}: the cosine of its features with those in"
                f" float32 is {alike:.3f} on drawn pictures, expected {ALIKE} or more: set torch"
            )
        return ranges


def _compile(graph: Any) -> Any:
    return openvino().Core().compile_model(graph, "CPU", _OPTIONS)


def _outputs(request: Any, pixels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float32], ...]:
    return tuple(np.array(values) for values in request.infer({0: pixels}).values())  # copied: the next pass overwrites


def _outwards(ranges: Float[np.ndarray, "nodes 2"]) -> Float[np.ndarray, "nodes 2"]:
    """Away from 0 to eight binary digits, so that the last bits of a processor's sums do not move a level."""
    digits, exponents = np.frexp(ranges)
    return np.ldexp(np.copysign(np.ceil(np.abs(digits) * 256), digits) / 256, exponents)


def _cosine(ours: Float[np.ndarray, "n d"], theirs: Float[np.ndarray, "n d"]) -> float:
    """Mean cosine of rows."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(1) / lengths).mean())
