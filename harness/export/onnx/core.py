"""Dense layers, tables, what only moves numbers about, and what does nothing in inference."""

from __future__ import annotations

import numpy

from .graph import Value
from .here import Here


def dense(here: Here) -> Value:
    """x W + b."""
    return here.affine(here.x(), here.weight("kernel"), *here.bias())


def tied_dense(here: Here) -> Value:
    """x E^T + b, with the embedding's own table."""
    return here.affine(here.x(), here.make("Transpose", here.node.table, perm=[1, 0]), *here.bias())


def embedding(here: Here) -> Value:
    """Rows of a table."""
    return here.give("Gather", here.weight("embeddings"), here.x(), axis=0)


def prelu(here: Here) -> Value:
    """One slope a channel, of a value as it lies."""
    value = here.reads[0]
    behind = [1] * (value.rank - value.axis(-1))
    slope = here.weight("alpha", here.parameter("alpha").reshape(-1, *behind))
    return here.give("PRelu", here.x(here.layout), slope, layout=here.layout)


def flatten(here: Here) -> Value:
    """All axes but the rows made one."""
    return here.give("Flatten", here.x(), axis=1)


def reshape(here: Here) -> Value:
    """Another shape; 0 keeps the rows."""
    return here.give("Reshape", here.x(), here.constant("shape", numpy.array([0, *here.node.output_shape])))


def permute(here: Here) -> Value:
    """Axes in another order."""
    return here.give("Transpose", here.x(), perm=[0, *here.layer.dims])


def take(here: Here) -> Value:
    """Places along an axis; one number takes the axis away."""
    places = here.layer.places(here.node.input_shape)
    chosen = numpy.array(places[0] if isinstance(here.layer.indices, int) else places)
    return here.give("Gather", here.x(), here.constant("indices", chosen), axis=here.layer.axis)


def dropout(here: Here) -> Value:
    """ONNX's own, which does nothing in inference."""
    rate = here.constant("rate", numpy.array(float(here.layer.rate)))
    return here.give("Dropout", here.x(here.layout), rate, layout=here.layout)


def nothing(here: Here) -> Value:
    """What is drawn in training alone."""
    return here.give("Identity", here.x(here.layout), layout=here.layout)
