"""Convolutions, pooling and resizing: the expression of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .text import Written, call, unless

#: paddings that JAX knows by name, for the same numbers
NAMED = {"same": '"SAME"', "valid": None}


def padding_of(at: Written) -> Any:
    """The padding of a window: by name, or before and behind each axis; None where there is none."""
    padding = at.layer.padding
    return NAMED[padding] if isinstance(padding, str) else at.layer.pads(at.node.input_shape)


def conv1d(at: Written) -> str:
    """A convolution over steps."""
    layer = at.layer
    (stride,), (dilation,) = layer.stride, layer.dilation
    return at.plus(
        call(
            "conv1d", at.x, at.own("kernel"), stride=unless(stride, 1), padding=padding_of(at), dilation=unless(dilation, 1),
            groups=unless(layer.groups, 1),
        )
    )  # fmt: skip


def conv2d(at: Written) -> str:
    """A convolution over images."""
    return at.plus(call("conv2d", *window(at), groups=unless(at.layer.groups, 1), **moves(at, padding_of(at))))


def depthwise_conv2d(at: Written) -> str:
    """Each channel alone."""
    return at.plus(call("depthwise_conv2d", *window(at), **moves(at, padding_of(at))))


def conv2d_transpose(at: Written) -> str:
    """The gradient of a conv2d by its input."""
    return at.plus(call("conv2d_transpose", *window(at), **moves(at, transposed_padding(at))))


def window(at: Written) -> tuple[str, str]:
    """What moves over what."""
    return at.x, at.own("kernel")


def moves(at: Written, padding: Any) -> dict[str, Any]:
    """How a window moves over images."""
    return {"strides": unless(at.layer.stride, (1, 1)), "padding": padding, "dilation": unless(at.layer.dilation, (1, 1))}


def transposed_padding(at: Written) -> Any:
    """By name where JAX means the same. In numbers it is that of x with stride - 1 zeros between its places, so that the window starts
    at the first place of the output, and gives as many as the spec asks for."""
    layer, sizes = at.layer, at.node.input_shape
    if layer.padding == "same":
        return NAMED["same"]
    if layer.padding == "valid" and not any(layer.extra) and all(map(int.__ge__, layer.reach, layer.stride)):
        return NAMED["valid"]
    found = []
    for size, stride, reach, (before, _), places in zip(
        sizes[:-1], layer.stride, layer.reach, layer.pads(sizes), at.node.output_shape[:-1], strict=True
    ):
        low, spread = reach - 1 - before, (size - 1) * stride + 1
        found.append((low, places + reach - 1 - low - spread))
    return tuple(found)


def pooled(function: str, at: Written) -> str:
    """A pooling over windows."""
    return call(function, at.x, at.layer.window, at.layer.stride, padding=padding_of(at))


def max_pooling(at: Written) -> str:
    """The largest value of each window."""
    return pooled("max_pool", at)


def average_pooling(at: Written) -> str:
    """The mean of each window."""
    inside = not at.layer.count_padding and any(map(sum, at.layer.pads(at.node.input_shape)))
    return pooled("average_pool_inside" if inside else "average_pool", at)


def global_average_pooling(at: Written) -> str:
    """The mean of each channel."""
    return f"{at.x}.mean({'1' if at.layer.rank == 1 else '(1, 2)'})"


def up_sampling(at: Written) -> str:
    """Every place several times, or lines between the centres of pixels."""
    if getattr(at.layer, "interpolation", "nearest") == "bilinear":
        shape = ", ".join(map(str, at.node.output_shape))
        return f'jax.image.resize({at.x}, (len({at.x}), {shape}), "bilinear", antialias=False)'
    repeats = (f".repeat({factor}, {axis})" for axis, factor in enumerate(at.layer.factors, 1) if factor > 1)
    return at.x + "".join(repeats)


def zero_padding(at: Written) -> str:
    """Zeros around."""
    return call("jnp.pad", at.x, ((0, 0), *at.layer.pads(at.node.input_shape), (0, 0)))


def cropping(at: Written) -> str:
    """Places cut off."""
    kept = (f"{before or ''}:{-after or ''}" for before, after in at.layer.cuts(at.node.input_shape))
    return f"{at.x}[:, {', '.join(kept)}]"


IMAGES: Mapping[str, Callable[[Written], str]] = {
    "conv1d": conv1d,
    "conv2d": conv2d,
    "depthwise_conv2d": depthwise_conv2d,
    "conv2d_transpose": conv2d_transpose,
    **{f"max_pooling{rank}d": max_pooling for rank in (1, 2)},
    **{f"average_pooling{rank}d": average_pooling for rank in (1, 2)},
    **{f"global_average_pooling{rank}d": global_average_pooling for rank in (1, 2)},
    **{f"global_max_pooling{rank}d": lambda at: call("global_max_pool", at.x) for rank in (1, 2)},
    **{f"up_sampling{rank}d": up_sampling for rank in (1, 2)},
    **{f"zero_padding{rank}d": zero_padding for rank in (1, 2)},
    **{f"cropping{rank}d": cropping for rank in (1, 2)},
}
