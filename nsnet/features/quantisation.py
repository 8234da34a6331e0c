"""A tower's graph in eight bits: what its products and convolutions are given, and their weights, on 256 levels.

Levels of an activation are the same for every picture (static): those that follow the values at hand would make a
feature depend on the other pictures of its batch.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float


class UnknownOperation(ValueError):
    """A tower has an operation that OpenVINO does not know."""


def openvino() -> Any:
    """The library, which must not tell its makers that it was imported, as it does unasked."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # none: not to be found
    import openvino  # of the extra nsnet[int8]

    return openvino


def graph_of(module: torch.nn.Module, pixels: torch.Tensor) -> Any:
    """A module as OpenVINO's graph, for batches of one shape.

    Args:
        module: in evaluation mode.
        pixels: a batch of that shape.

    Returns:
        The graph, in float32.

    Raises:
        UnknownOperation: it has one that OpenVINO does not know.
    """
    openvino()
    from openvino.frontend import FrontEndManager, OpConversionFailure
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder
    from openvino.passes import ConstantFolding, Manager

    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as in nsnet.features.recorded
        traced = torch.jit.trace(module, pixels, check_trace=False)
    frontend = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(traced, example_input=pixels)  # held until converted: C++ only borrows it
    try:
        graph = frontend.convert(frontend.load(decoder))
    except OpConversionFailure as failure:
        lines = [line.removeprefix("-- ") for line in str(failure).splitlines() if "operations:" in line]
        raise UnknownOperation(lines[0] if lines else "an operation cannot be converted") from failure
    graph.reshape(list(pixels.shape))
    folding = Manager()
    folding.register_pass(ConstantFolding())
    folding.run_passes(graph)
    return graph


def weighted(graph: Any) -> list[Any]:
    """Products and convolutions with constant weights, in order of the graph: the same for any size of batch.

    Convolutions of each channel by itself are left out: they sum too few products for their rounding to cancel out
    (EfficientNet-Lite0's features come three times as near without), and take little time.
    """
    return [node for node in graph.get_ordered_ops() if _summed_axes(node) is not None]


def watched(graph: Any) -> Any:
    """The graph that gives features, and the least and the greatest value that each node of `weighted` is given."""
    ov = openvino()
    from openvino import opset13 as ops

    ends = [graph.get_results()[0].input_value(0)]
    for node in weighted(graph):
        given = node.input_value(0)
        axes = ops.constant(np.arange(len(given.get_partial_shape())))
        ends += [ops.reduce_min(given, axes).output(0), ops.reduce_max(given, axes).output(0)]
    return ov.Model(ends, graph.get_parameters(), "watched")


def quantise(graph: Any, ranges: Float[np.ndarray, "nodes 2"]) -> None:
    """Put the nodes of `weighted` on 256 levels, in place.

    Weights are symmetric about 0, with a scale for each output; activations have one scale, on levels from 0 where
    none is negative, else on levels symmetric about 0, since an offset costs the processor half of what is gained.

    Args:
        graph: of `graph_of`.
        ranges: least and greatest value that each node of `weighted` may be given; what lies outside is clipped.
    """
    from openvino import opset13 as ops

    for node, (low, high) in zip(weighted(graph), ranges, strict=True):
        low, high = (0.0, high) if low >= 0 else (-max(-low, high) * 128 / 127, max(-low, high))
        ends = [ops.constant(np.float32(end)) for end in (low, high)]
        given = ops.fake_quantize(node.input_value(0), *ends, *ends, 256)
        weights = np.array(node.input_value(1).get_node().data, np.float32)
        most = np.maximum(np.abs(weights).max(_summed_axes(node), keepdims=True), np.finfo(np.float32).tiny)
        ends = [ops.constant(end) for end in (-most, most)]
        node.input(0).replace_source_output(given.output(0))
        node.input(1).replace_source_output(ops.fake_quantize(ops.constant(weights), *ends, *ends, 255).output(0))
    graph.validate_nodes_and_infer_types()


def _summed_axes(node: Any) -> tuple[int, ...] | None:
    """Axes of a node's weights that a channel of its output sums over; None if it is not to be put on levels."""
    kind, weights = node.get_type_name(), node.input_value(1).get_node() if node.get_input_size() > 1 else None
    if weights is None or weights.get_type_name() != "Constant":
        return None
    if kind == "Convolution":
        return (1, 2, 3)
    if kind == "MatMul" and len(weights.get_output_shape(0)) == 2:
        return (1,) if node.get_attributes()["transpose_b"] else (0,)
    return None
