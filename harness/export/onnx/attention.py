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
    layer, memory = here.layer, here.layer.sources(len(here.reads)) - 1  # the query is input 0, the memory 0 or 1
    turns = {source: turn(here, source) for source in {0, memory}}
    q = turned(here, "query", projected(here, "query", 0), turns[0], layer.num_heads)
    k = turned(here, "key", projected(here, "key", memory), turns[memory], layer.kv_heads)
    v = projected(here, "value", memory)
    options: dict[str, Any] = {"q_num_heads": layer.num_heads, "kv_num_heads": layer.kv_heads}
    if here.graph.dtype == "float64":  # the operator's own factor is a float32
        factor = here.constant("factor", 1 / numpy.sqrt(numpy.array(layer.head(here.node.input_shape))))
        q, options["scale"] = here.make("Mul", q, factor), 1.0
    if layer.mask is not None:
        heads = here.make("Attention", q, k, v, masked(here), **options)
    else:
        heads = here.make("Attention", q, k, v, is_causal=int(layer.causal), **options)
    return here.affine(heads, here.weight("output_kernel"), *([here.weight("output_bias")] if layer.use_bias else []))


def projected(here: Here, name: str, source: int) -> str:
    """x W + b of one projection of an input, heads side by side."""
    x, kernel = here.graph.read(here.reads[source], PLAIN), here.weight(f"{name}_kernel")
    if not here.layer.use_bias:
        return here.make("MatMul", x, kernel, word=name)
    return here.make("Add", here.make("MatMul", x, kernel), here.weight(f"{name}_bias"), word=name)


def turned(here: Here, name: str, rows: str, by: tuple[str, ...], heads: int) -> str:
    """Rows turned by what `turn` gave."""
    return here.make("RotaryEmbedding", rows, *by, num_heads=heads, word=f"{name}_turned") if by else rows


def turn(here: Here, source: int) -> tuple[str, ...]:
    """Cosines, sines and positions `(rows, steps)` of an input's steps, if they are asked for."""
    if here.layer.rotary_base is None:
        return ()
    steps = here.node.input_shapes[source][0]
    tables = rotations(steps, here.layer.head(here.node.input_shape), here.layer.rotary_base)
    cos, sin = (here.constant(word, table) for word, table in zip(("cosines", "sines"), tables, strict=True))
    count = here.make("Shape", here.graph.read(here.reads[source], PLAIN), start=0, end=1)
    shape = here.make("Concat", count, here.constant("steps", numpy.array([steps])), axis=0)
    return cos, sin, here.make("Expand", here.constant("places", numpy.arange(steps)[None]), shape, word="positions")


def masked(here: Here) -> str:
    """What is added to the scores, `(rows, 1, query steps, memory steps)`. A query that sees no step looks at all alike, as in the
    reference: hence numbers, not truth values, and the later steps among them."""
    from onnx import TensorProto

    steps = (here.node.input_shape[0], here.reads[-1].shape[0])
    allowed = numpy.tri(*steps, dtype=bool) if here.layer.causal else numpy.ones(steps, bool)
    marks = here.make("Cast", here.graph.read(here.reads[-1], PLAIN), to=TensorProto.BOOL)
    marks = here.make("Unsqueeze", marks, here.constant("axes", numpy.array([1, 2])))
    visible = here.make("And", marks, here.constant("allowed", allowed))
    seen, away = here.constant("seen", numpy.array(0.0)), here.constant("away", numpy.array(AWAY))
    return here.make("Where", visible, seen, away, word="mask")


def position_embedding(here: Here) -> Value:
    """One learned vector a step."""
    return here.give("Add", here.x(), here.weight("embeddings"))


def sinusoidal_positions(here: Here) -> Value:
    """A table of sines and cosines."""
    steps, features = here.node.input_shape
    return here.give("Add", here.x(), here.constant("table", sinusoids(steps, features, here.layer.base)))
