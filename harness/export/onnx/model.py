"""The file: a graph, what it is of, and its shapes."""

from __future__ import annotations

from typing import Any

import numpy

from ... import __version__
from ...interface import State
from ...spec import INPUT, ProgramSpec
from ..draft import Draft, NotWritten, Weights
from .graph import PLAIN, Graph, Value
from .here import Here
from .layers import written

#: the first with Attention, RMSNormalization and RotaryEmbedding
OPSET = 23
#: what one file of protocol buffers can hold
LARGEST = 2**31 - 1


def model(draft: Draft, weights: Weights) -> Any:
    """An experiment's model in inference mode, checked.

    Inputs are `input`, float `(batch, *input_shape)` or int64, as the experiment's data are behind their preparation; the output has the
    last node's name, `(batch, *output_shape)`. Tensors are called as the harness calls them: `dense_1` has the harness' axes,
    `conv2d_1/channels_first` those that ONNX wants; arrays have the parameters' names and lie as ONNX wants them.

    Args:
        draft: name, program, number format.
        weights: parameters and statistics.

    Returns:
        An onnx.ModelProto.

    Raises:
        NotWritten: something in it is not written, or onnxruntime does not compute it in this number format.
    """
    from onnx import checker, helper

    graph = graph_of(draft, weights.state)
    if graph.size > LARGEST:
        raise NotWritten(f"its weights take {graph.size / 2**30:.1f} GiB, an ONNX file holds less than 2")
    spec, last = draft.spec, graph.values[-1]
    proto = helper.make_graph(
        graph.operators, draft.name, [data(graph, spec)], [tensor(graph, last, PLAIN)], list(graph.arrays.values()),
        doc_string=draft.description, value_info=[tensor(graph, value, value.layout) for value in graph.values[:-1]],
    )  # fmt: skip
    opset = helper.make_opsetid("", OPSET)
    found = helper.make_model(
        proto, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]), producer_name="harness",
        producer_version=__version__, doc_string=about(draft, weights.words),
    )  # fmt: skip
    helper.set_model_props(found, {"experiment": draft.name, "harness": __version__, "weights": weights.words, "command": draft.command})
    checker.check_model(found, full_check=True)
    return found


def graph_of(draft: Draft, state: State) -> Graph:
    """All nodes; the last value is the output, with the harness' axes."""
    spec, held = draft.spec, {**state.parameters, **state.statistics}
    graph = Graph(draft.dtype, [INPUT, *held, *(node.name for node in spec.nodes)])
    values: dict[str, Value] = {INPUT: Value(INPUT, spec.input_shape)}
    graph.there.add(INPUT)
    for node in spec.nodes:
        values[node.name] = written(Here(node, graph, tuple(values[name] for name in node.inputs), held))
        graph.values.append(values[node.name])
    graph.read(graph.values[-1], PLAIN)
    return graph


def data(graph: Graph, spec: ProgramSpec) -> Any:
    """What the graph reads."""
    return described(INPUT, "int64" if spec.integer_inputs else graph.dtype, ["batch", *spec.input_shape])


def tensor(graph: Graph, value: Value, layout: str) -> Any:
    """The type and shape of a value's tensor."""
    axes = Value(value.name, value.shape, layout).order
    return described(value.tensor(layout), graph.dtype, [["batch", *value.shape][axis] for axis in axes])


def described(name: str, dtype: str, shape: list[Any]) -> Any:
    """A ValueInfoProto."""
    from onnx import helper

    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(numpy.dtype(dtype)), shape)


def about(draft: Draft, weights: str) -> str:
    """What the file says of itself."""
    return "\n\n".join([
        f"{draft.name}{f': {draft.description}' if draft.description else ''}",
        f"The model in inference mode, with {weights}. It reads rows as the experiment prepares them (scaled, standardised), axes as the "
        "harness has them: channels last.",
        f"Written by `{draft.command}`.",
    ])
