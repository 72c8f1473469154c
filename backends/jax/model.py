"""The model as a pure function of what it holds, of inputs, and of what is drawn."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

import jax

from harness.interface import Arrays
from harness.interface.shared import randomised
from harness.spec import INPUT, Node

from .activations import ACTIVATIONS
from .attention import ATTENTION
from .convolution import CONVOLUTIONS
from .core import CORE
from .normalization import NORMALIZATION, batch_training
from .pooling import POOLING
from .recurrent import RECURRENT
from .resizing import RESIZING

#: type -> function of a node, its own arrays, and its inputs
LAYERS: Dict[str, Callable[..., Any]] = {
    **CORE, **CONVOLUTIONS, **POOLING, **RESIZING, **NORMALIZATION, **RECURRENT, **ATTENTION,
    **{name: lambda node, own, x: x for name in ("dropout", "spatial_dropout", "gaussian_noise")},
    "activation": lambda node, own, z: ACTIVATIONS[node.layer.activation.type](node.layer.activation, z),
}  # fmt: skip


def outputs(
    nodes: Sequence[Node],
    held: Arrays,
    x: Any,
    drawn: Optional[Mapping[str, Any]] = None,
    taps: Optional[Mapping[str, Any]] = None,
) -> Tuple[Arrays, Arrays]:
    """Every node's output, and the statistics that this batch moved.

    Args:
        nodes: the graph.
        held: parameters and statistics by canonical name.
        x: inputs, `(rows, *input_shape)`.
        drawn: random node -> its scaled mask or its noise; None in inference.
        taps: zeros to add to every output, so that its gradient can be asked for.
    """
    found: Arrays = {INPUT: x}
    moved: Arrays = {}
    for node in nodes:
        inputs, own = [found[name] for name in node.inputs], arrays_of(node, held)
        if node.layer.type == "batch_normalization" and drawn is not None:
            y, after = batch_training(node, own, *inputs)
            moved.update({f"{node.name}/{short}": array for short, array in after.items()})
        elif node.layer.random and drawn is not None:
            y = randomised(node, inputs[0], drawn[node.name])
        else:
            y = LAYERS[node.layer.type](node, own, *inputs)
        found[node.name] = y if taps is None else y + taps[node.name]
    return {node.name: found[node.name] for node in nodes}, moved


def arrays_of(node: Node, held: Arrays) -> Arrays:
    """A node's parameters and statistics by short name, and the table that it shares."""
    names = [item.name for item in node.parameters] + [item.name for item in node.statistics]
    own = {name.rsplit("/", 1)[1]: held[name] for name in names}
    return {**own, "table": held[node.table]} if node.table else own


def draw(nodes: Sequence[Node], key: Any, rows: int, dtype: Any) -> Arrays:
    """Scaled masks and noise of JAX's own, one for each random node."""
    return {node.name: draw_one(node, own, rows, dtype) for node, own in zip(nodes, jax.random.split(key, len(nodes)))}


def draw_one(node: Node, key: Any, rows: int, dtype: Any) -> Any:
    """What one node draws, `(rows, *draw_shape)`."""
    layer: Any = node.layer
    shape = (rows, *node.draw_shape)
    if layer.random == "noise":
        return layer.stddev * jax.random.normal(key, shape, dtype)
    return layer.scale * jax.random.bernoulli(key, 1 - layer.rate, shape).astype(dtype)
