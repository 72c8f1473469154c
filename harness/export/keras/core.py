"""Dense layers, embeddings, what only moves numbers about, what is drawn, and branches made one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .activations import applied
from .text import Place, call, unless, value


def dense(place: Place) -> str:
    """y = x W + b."""
    layer: Any = place.node.layer
    bias = unless(True, layer.use_bias)
    return f"{place.learned('layers.Dense', layer.units, activation=place.activation, use_bias=bias)}({place.x})"


def embedding(place: Place) -> str:
    """Rows of a table."""
    layer: Any = place.node.layer
    return f"{place.learned('layers.Embedding', layer.input_dim, layer.output_dim)}({place.x})"


def tied_dense(place: Place) -> str:
    """x times the table of an embedding, transposed."""
    layer: Any = place.node.layer
    options = {"use_bias": unless(False, layer.use_bias), "activation": place.activation}
    return f"{place.learned('TiedDense', place.table, **options)}({place.x})"


def activation(place: Place) -> str:
    """A function of its own line."""
    layer: Any = place.node.layer
    return applied(layer.activation, place.x, place.engine, place.double)


def permute(place: Place) -> str:
    """Axes in another order."""
    layer: Any = place.node.layer
    return f"layers.Permute({value(layer.dims)})({place.x})"


def prelu(place: Place) -> str:
    """One alpha a channel."""
    places = list(range(1, len(place.node.input_shape)))
    return f"{place.learned('PReLU', shared_axes=places or None)}({place.x})"


def take(place: Place) -> str:
    """Some places along an axis: one number takes the axis away."""
    layer: Any = place.node.layer
    places = layer.places(place.node.input_shape)
    if isinstance(layer.indices, int):
        return f"{place.x}[{':, ' * layer.axis}{places[0]}]"
    return call("ops.take", place.x, list(places), axis=layer.axis)


def drawn(place: Place) -> str:
    """What was drawn, multiplied or added."""
    return f'{place.x} {"*" if place.node.layer.random == "mask" else "+"} masks["{place.node.name}"]'


def maximum(place: Place) -> str:
    """The largest."""
    if place.engine == "tensorflow":
        return f"layers.Maximum()([{', '.join(place.inputs)}])"
    return call("first_maximum", *place.inputs)


def concatenate(place: Place) -> str:
    """One behind the other."""
    layer: Any = place.node.layer
    return f"{call('layers.Concatenate', axis=unless(-1, layer.axis))}([{', '.join(place.inputs)}])"


def merged(kind: str) -> Callable[[Place], str]:
    """A layer of several inputs."""
    return lambda place: f"layers.{kind}()([{', '.join(place.inputs)}])"


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "dense": dense, "embedding": embedding, "tied_dense": tied_dense, "activation": activation, "prelu": prelu, "take": take,
    "flatten": lambda place: f"layers.Flatten()({place.x})",
    "reshape": lambda place: f"layers.Reshape({value(place.node.output_shape)})({place.x})",
    "permute": permute,
    "dropout": drawn, "spatial_dropout": drawn, "gaussian_noise": drawn,
    "add": merged("Add"), "multiply": merged("Multiply"), "average": merged("Average"), "maximum": maximum, "concatenate": concatenate,
}  # fmt: skip
