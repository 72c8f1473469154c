"""Dense layers, embeddings, merges, what is random, and what only moves numbers about: the expression of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from .text import Written, call, parameter, quoted


def dense(at: Written) -> str:
    """y = x W + b."""
    return at.plus(f"{at.x} @ {at.own('kernel')}")


def tied_dense(at: Written) -> str:
    """y = x E^T + b."""
    return at.plus(f"{at.x} @ {parameter(at.node.table)}.T")


def embedding(at: Written) -> str:
    """Rows of the table."""
    return f"{at.own('embeddings')}[{at.x}]"


def prelu(at: Written) -> str:
    """z where z > 0, else alpha z."""
    return f"jnp.where({at.x} > 0, {at.x}, {at.own('alpha')} * {at.x})"


def reshape(at: Written) -> str:
    """The same numbers in the shape of the output."""
    return call(f"{at.x}.reshape", -1, *at.node.output_shape)


def permute(at: Written) -> str:
    """Axes in another order."""
    return call(f"{at.x}.transpose", 0, *at.layer.dims)


def take(at: Written) -> str:
    """One place of an axis, or several."""
    chosen = at.layer.indices
    places = str(chosen) if isinstance(chosen, int) else f"jnp.array({list(chosen)})"
    return f"{at.x}[{', '.join([*[':'] * at.layer.axis, places])}]"


def concatenate(at: Written) -> str:
    """Inputs one behind the other along an axis."""
    return f"jnp.concatenate([{', '.join(at.inputs)}], {at.layer.axis})"


def maximum(at: Written) -> str:
    """The largest, from left to right."""
    return reduce(lambda a, b: f"larger({a}, {b})", at.inputs)


def masked(at: Written) -> str:
    """Times a mask, which is scaled."""
    return f"{at.x} * masks[{quoted(at.node.name)}]"


def noisy(at: Written) -> str:
    """With noise."""
    return f"{at.x} + masks[{quoted(at.node.name)}]"


CORE: Mapping[str, Callable[[Written], str]] = {
    "dense": dense,
    "tied_dense": tied_dense,
    "embedding": embedding,
    "prelu": prelu,
    "flatten": reshape,
    "reshape": reshape,
    "permute": permute,
    "take": take,
    "concatenate": concatenate,
    "add": lambda at: " + ".join(at.inputs),
    "multiply": lambda at: " * ".join(at.inputs),
    "average": lambda at: f"({' + '.join(at.inputs)}) / {len(at.inputs)}",
    "maximum": maximum,
    "dropout": masked,
    "spatial_dropout": masked,
    "gaussian_noise": noisy,
}
