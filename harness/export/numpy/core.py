"""Dense layers, embeddings, what only moves numbers about, and what is random."""

from __future__ import annotations

from ...spec.layers import Embedding, Take
from .place import Lines, Place, but_last, parameter, quoted, rows


def affine(x: str, kernel: str, bias: str) -> str:
    """x W + b; without b where that is empty."""
    return f"{x} @ {kernel} + {bias}" if bias else f"{x} @ {kernel}"


def affine_gradients(at: Place, x: str, d: str, rank: int, kernel: str = "kernel", bias: str = "bias") -> dict[str, str]:
    """Parameter -> its gradient, of x W + b with arrays of so many axes."""
    found = {at.full(kernel): f"{rows(x, rank)}.T @ {rows(d, rank)}"}
    return {**found, **bias_gradient(at, d, rank, bias)}


def bias_gradient(at: Place, d: str, rank: int, bias: str = "bias") -> dict[str, str]:
    """The same of b alone, where there is one."""
    return {at.full(bias): f"{d}.sum({but_last(rank)})"} if bias in at.own else {}


def own(at: Place, name: str) -> str:
    """A parameter of the node, "" where it has none of that name."""
    return at.p(name) if name in at.own else ""


def dense(at: Place) -> Lines:
    """y = x W + b."""
    value = affine(at.x, at.p("kernel"), own(at, "bias"))
    return Lines((f"{at.y} = {value}",), (f"{at.d} @ {at.p('kernel')}.T",), affine_gradients(at, at.x, at.d, at.rank))


def tied_dense(at: Place) -> Lines:
    """y = x E^T + b; its part of the table's gradient comes first on the way back."""
    table = parameter(at.node.table)
    gradients = {at.node.table: f"{rows(at.d, at.rank)}.T @ {rows(at.x, at.rank)}", **bias_gradient(at, at.d, at.rank)}
    return Lines((f"{at.y} = {affine(at.x, f'{table}.T', own(at, 'bias'))}",), (f"{at.d} @ {table}",), gradients)


def embedding(at: Place) -> Lines:
    """Rows of a table."""
    layer: Embedding = at.layer
    gradient = f"embedding_backward({at.d}, {at.x}, {layer.input_dim})"
    return Lines((f"{at.y} = {at.p('embeddings')}[{at.x}]",), ("",), {at.full("embeddings"): gradient})


def reshape(at: Place) -> Lines:
    """Flatten and reshape."""
    if at.shape == at.node.output_shape:
        return Lines((f"{at.y} = {at.x}",), (at.d,))
    shape = "-1" if len(at.node.output_shape) == 1 else ", ".join(map(str, at.node.output_shape))
    return Lines((f"{at.y} = {at.x}.reshape(len({at.x}), {shape})",), (f"{at.d}.reshape({at.x}.shape)",))


def permute(at: Place) -> Lines:
    """Axes in another order; the same axes back."""
    order = (0, *at.layer.dims)
    back = tuple(order.index(axis) for axis in range(len(order)))
    return Lines((f"{at.y} = {at.x}.transpose{order}",), (f"{at.d}.transpose{back}",))


def take(at: Place) -> Lines:
    """Some places along an axis."""
    layer: Take = at.layer
    chosen = layer.indices if isinstance(layer.indices, int) else list(layer.indices)
    where = f"{':, ' * layer.axis}{chosen}"
    return Lines((f"{at.y} = {at.x}[{where}]",), (f"put_back({at.d}, {at.x}, np.s_[{where}])",))


def masking(at: Place) -> Lines:
    """Dropout: times the mask, both ways."""
    mask = f"masks[{quoted(at.node.name)}]"
    return Lines((f"{at.y} = {at.x} * {mask}",), (f"{at.d} * {mask}",))


def noise(at: Place) -> Lines:
    """Noise that is added."""
    return Lines((f"{at.y} = {at.x} + masks[{quoted(at.node.name)}]",), (at.d,))


def prelu(at: Place) -> Lines:
    """A leaky relu with a learned slope for each channel; at 0 the slope's side."""
    alpha = at.p("alpha")
    return Lines(
        (f"{at.y} = np.where({at.x} > 0, {at.x}, {alpha} * {at.x})",),
        (f"np.where({at.x} > 0, {at.d}, {alpha} * {at.d})",),
        {at.full("alpha"): f"np.sum({at.d} * np.minimum({at.x}, 0), {but_last(at.rank)})"},
    )
