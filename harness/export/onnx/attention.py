"""Attention and positions, over `(rows, steps, features)`."""

from __future__ import annotations

from typing import Any

import numpy

from ...interface import rotations, sinusoids
from .graph import PLAIN, Value
from .here import Here

#: what is added to scores of steps that are not looked at: exp of it is 0, and it is a number in every format
AWAY = -1e30


def multi_head_attention(here: Here) -> Value:
    """Attention between four projections."""
    layer, shapes = here.layer, here.node.input_shapes
    sources = layer.sources(len(shapes))
    query, memory = here.x(), here.graph.read(here.reads[sources - 1], PLAIN)
    q = turned(here, projected(here, "query", query), 0, layer.num_heads)
    k = turned(here, projected(here, "key", memory), sources - 1, layer.kv_heads)
    v = projected(here, "value", memory)
    options: dict[str, Any] = {"q_num_heads": layer.num_heads, "kv_num_heads": layer.kv_heads}
    if here.graph.dtype == "float64":  # the operator's own factor is a float32
        factor = here.constant("factor", 1 / numpy.sqrt(numpy.array(layer.head(here.node.input_shape))))
        q, options["scale"] = here.make("Mul", q, factor), 1.0
    if layer.mask is not None:
        heads = here.make("Attention", q, k, v, masked(here), **options)
    else:
        heads = here.make("Attention", q, k, v, **options, is_causal=int(layer.causal))
    return here.affine(heads, here.weight("output_kernel"), *([here.weight("output_bias")] if layer.use_bias else []))


def projected(here: Here, name: str, x: str) -> str:
    """x W + b of one projection, heads side by side."""
    product = here.make("MatMul", x, here.weight(f"{name}_kernel"))
    return here.make("Add", product, here.weight(f"{name}_bias")) if here.layer.use_bias else product


def turned(here: Here, rows: str, source: int, heads: int) -> str:
    """Rows turned by their positions, if that is asked for."""
    if here.layer.rotary_base is None:
        return rows
    steps = here.node.input_shapes[source][0]
    tables = rotations(steps, here.layer.head(here.node.input_shape), here.layer.rotary_base)
    cos, sin = (here.constant(word, table) for word, table in zip(("cosines", "sines"), tables, strict=True))
    return here.make("RotaryEmbedding", rows, cos, sin, positions(here, rows, steps), num_heads=heads)


def positions(here: Here, rows: str, steps: int) -> str:
    """0, 1, ... for each row: `(rows, steps)`."""
    count = here.make("Shape", rows, start=0, end=1)
    shape = here.make("Concat", count, here.constant("steps", numpy.array([steps])), axis=0)
    return here.make("Expand", here.constant("positions", numpy.arange(steps)[None]), shape)


def masked(here: Here) -> str:
    """What is added to the scores, `(rows, 1, query steps, memory steps)`. A query that sees no step looks at all alike, as in the
    reference: hence numbers, not truth values, and the later steps among them."""
    from onnx import TensorProto

    steps = (here.node.input_shape[0], here.reads[-1].shape[0])
    allowed = numpy.tri(*steps, dtype=bool) if here.layer.causal else numpy.ones(steps, bool)
    marks = here.make("Cast", here.graph.read(here.reads[-1], PLAIN), to=TensorProto.BOOL)
    marks = here.make("Unsqueeze", marks, here.constant("axes", numpy.array([1, 2])))
    visible = here.make("And", marks, here.constant("allowed", allowed))
    return here.make("Where", visible, here.constant("seen", numpy.array(0.0)), here.constant("away", numpy.array(AWAY)))


def position_embedding(here: Here) -> Value:
    """One learned vector a step."""
    return here.give("Add", here.x(), here.weight("embeddings"))


def sinusoidal_positions(here: Here) -> Value:
    """A table of sines and cosines."""
    steps, features = here.node.input_shape
    return here.give("Add", here.x(), here.constant("table", sinusoids(steps, features, here.layer.base)))
