"""Dense layers, embeddings, merges, what is drawn, and what only moves numbers about."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .text import Writing, around, sliced


def dense(w: Writing) -> str:
    """y = x W + b."""
    return w.biased(f"{w.x} @ {w.weight('kernel')}")


def tied_dense(w: Writing) -> str:
    """y = x E^T + b."""
    return w.biased(f'tf.matmul({w.x}, p["{w.node.table}"], transpose_b=True)')


def embedding(w: Writing) -> str:
    """Rows of the table."""
    return f"tf.gather({w.weight('embeddings')}, {w.x})"


def prelu(w: Writing) -> str:
    """z, or alpha z."""
    return f"tf.where({w.x} > 0, {w.x}, {w.weight('alpha')} * {w.x})"


def reshape(w: Writing) -> str:
    """The same numbers, row by row."""
    return w.x if w.shape == w.node.output_shape else f"tf.reshape({w.x}, {(-1, *w.node.output_shape)})"


def permute(w: Writing) -> str:
    """Axes in another order."""
    return f"tf.transpose({w.x}, {(0, *w.layer.dims)})"


def take(w: Writing) -> str:
    """Some places along an axis."""
    places = w.layer.places(w.shape)
    if isinstance(w.layer.indices, int):
        return sliced(w.x, [*[":"] * (w.layer.axis - 1), str(places[0])])
    return f"tf.gather({w.x}, {list(places)}, axis={w.layer.axis})"


def average(w: Writing) -> str:
    """The sum, divided."""
    return f"({' + '.join(w.inputs)}) / {len(w.inputs)}"


def maximum(w: Writing) -> str:
    """From left to right; tf.maximum gives the gradient to the first of equal ones."""
    y = w.x
    for x in w.inputs[1:]:
        y = f"tf.maximum({y}, {x})"
    return y


def concatenate(w: Writing) -> str:
    """Along an axis."""
    return f"tf.concat([{', '.join(w.inputs)}], axis={w.layer.axis})"


def drawn(w: Writing) -> str:
    """The mask or the noise that the file brings."""
    return f'{w.x} {"*" if w.layer.random == "mask" else "+"} masks["{w.node.name}"]'


def zero_padding(w: Writing) -> str:
    """Zeros around."""
    return f"tf.pad({w.x}, {around(w.layer.pads(w.shape))})"


def cropping(w: Writing) -> str:
    """Places cut off."""
    ends = [(before or "", -after or "") for before, after in w.layer.cuts(w.shape)]
    return sliced(w.x, [f"{start}:{end}" for start, end in ends])


#: type -> the expression of a node's value
CORE: Mapping[str, Callable[[Writing], str]] = {
    "dense": dense, "tied_dense": tied_dense, "embedding": embedding, "prelu": prelu, "flatten": reshape, "reshape": reshape,
    "permute": permute, "take": take, "add": lambda w: " + ".join(w.inputs), "average": average,
    "multiply": lambda w: " * ".join(w.inputs), "maximum": maximum, "concatenate": concatenate, "dropout": drawn,
    "spatial_dropout": drawn, "gaussian_noise": drawn, "zero_padding1d": zero_padding, "zero_padding2d": zero_padding,
    "cropping1d": cropping, "cropping2d": cropping,
}  # fmt: skip
