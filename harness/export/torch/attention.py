"""Attention and positions, over `(rows, steps, features)`."""

from __future__ import annotations

from .pieces import Here, Piece, Weight
from .text import call, unless


def multi_head_attention(here: Here) -> Piece:
    """A module that scripts bring with them, around scaled_dot_product_attention."""
    layer, shapes = here.layer, here.node.input_shapes
    sources = layer.sources(len(shapes))
    size = layer.head(here.node.input_shape)
    shared, memory = unless(layer.num_heads, layer.kv_heads), unless(here.channels, shapes[sources - 1][-1])
    options = {"kv_heads": shared, "memory_features": memory, "bias": None if layer.use_bias else False}
    if layer.rotary_base is None:
        made = call("Attention", here.channels, layer.num_heads, size, **options)
    else:
        steps = max(shape[0] for shape in shapes[:sources])
        made = call("RotaryAttention", steps, layer.rotary_base, here.channels, layer.num_heads, size, **options)
    reads = [value.channels_last for value in here.reads]
    mask = reads[-1] if layer.mask is not None else None
    value = call(here.own, *reads[:sources], causal=layer.causal or None, mask=mask)
    return Piece(value, modules=[f"{here.own} = {made}"], weights=projections(here))


def projections(here: Here) -> dict[str, Weight]:
    """Of queries, keys, values and outputs."""
    found = {}
    for name in ("query", "key", "value", "output"):
        found[f"{name}_kernel"] = here.weight(f"{name}.weight", "{}.T", "{}.T")
        if here.layer.use_bias:
            found[f"{name}_bias"] = here.weight(f"{name}.bias")
    return found


def position_embedding(here: Here) -> Piece:
    """One learned vector a step."""
    made = f"nn.Parameter({call('torch.zeros', *here.node.input_shape)})"
    return Piece(f"{here.last} + {here.own}", False, [f"{here.own} = {made}"], {"embeddings": Weight({here.name: "{}"})})


def sinusoidal_positions(here: Here) -> Piece:
    """A table of sines and cosines."""
    table = call("sinusoidal_positions", *here.node.input_shape, base=unless(10000.0, here.layer.base))
    return Piece(f"{here.last} + {here.own}", modules=[f'self.register_buffer("{here.name}", {table}, persistent=False)'])
