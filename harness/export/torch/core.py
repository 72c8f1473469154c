"""Dense layers, tables, and what only moves numbers about."""

from __future__ import annotations

from . import text
from .pieces import Here, Piece, Weight
from .text import call


def dense(here: Here) -> Piece:
    """nn.Linear."""
    made = call("nn.Linear", here.channels, here.layer.units, bias=None if here.layer.use_bias else False)
    return Piece(here.run(here.last), modules=[f"{here.own} = {made}"], weights=here.kernel_and_bias())


def tied_dense(here: Here) -> Piece:
    """A product with the embedding's table, which lies as kernels do."""
    (table,) = here.tables[here.node.table].tensors
    if not here.layer.use_bias:
        return Piece(call("functional.linear", here.last, f"self.{table}"))
    bias = f"{here.name}_bias"
    modules = [f"self.{bias} = nn.Parameter(torch.zeros({here.layer.units}))"]
    return Piece(
        call("functional.linear", here.last, f"self.{table}", f"self.{bias}"), False, modules, {"bias": Weight({bias: "{}"})}
    )


def embedding(here: Here) -> Piece:
    """nn.Embedding."""
    made = call("nn.Embedding", here.layer.input_dim, here.layer.output_dim)
    return Piece(here.run(here.last), modules=[f"{here.own} = {made}"], weights={"embeddings": here.weight("weight")})


def prelu(here: Here) -> Piece:
    """nn.PReLU, one slope a channel."""
    made = call("nn.PReLU", here.channels)
    return Piece(here.run(here.first), here.reads[0].rank > 1, [f"{here.own} = {made}"], {"alpha": here.weight("weight")})


def flatten(here: Here) -> Piece:
    """All axes but the rows made one."""
    return Piece(f"{here.last}.flatten(1)")


def reshape(here: Here) -> Piece:
    """Another shape."""
    return Piece(call(f"{here.last}.reshape", -1, *here.node.output_shape))


def permute(here: Here) -> Piece:
    """Axes in another order."""
    return Piece(call(f"{here.last}.permute", 0, *here.layer.dims))


def take(here: Here) -> Piece:
    """Places along an axis: an index, a slice or a list of them."""
    places = here.layer.places(here.node.input_shape)
    start, end = places[0], places[-1] + 1
    if isinstance(here.layer.indices, int):
        chosen = str(start)
    elif places == tuple(range(start, end)):
        chosen = text.places(start, end)
    else:
        chosen = repr(list(places))
    return Piece(f"{here.last}[{', '.join([':'] * here.layer.axis)}, {chosen}]")
