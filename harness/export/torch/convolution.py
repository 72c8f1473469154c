"""Convolutions, channels first."""

from __future__ import annotations

import math
from typing import NamedTuple

from .pieces import Here, Piece
from .text import Part, call, one, places, unless
from .windows import moving, own_padding, sides

#: axes of the window -> how the file's kernel `(*window, in, out)` becomes PyTorch's `(out, in, *window)`, and back
KERNELS = {1: ("{}.permute(2, 1, 0)", "{}.permute(2, 1, 0)"), 2: ("{}.permute(3, 2, 0, 1)", "{}.permute(2, 3, 1, 0)")}
READ = "only the places that are read: with a window of one number and strides, the kernel's gradient may be wrong (oneDNN#6035)"
LIES = "a copy: with a window of one number, the kernel's gradient may be wrong where channels lie last in memory (oneDNN#6035)"


def convolution(here: Here) -> Piece:
    """nn.Conv1d or nn.Conv2d."""
    layer = here.layer
    return convolved(here, layer.filters, layer.groups, KERNELS[layer.rank])


def depthwise(here: Here) -> Piece:
    """nn.Conv2d, each channel a group."""
    many = here.layer.depth_multiplier
    apart = call("{}.reshape", here.channels, many, *here.layer.kernel)
    kernel = ("{}.permute(2, 3, 0, 1).flatten(0, 1).unsqueeze(1)", f"{apart}.permute(2, 3, 0, 1)")
    return convolved(here, here.channels * many, here.channels, kernel)


def convolved(here: Here, filters: int, groups: int, kernel: tuple[str, str]) -> Piece:
    """A convolution; zeros that are not the same on both sides are put around its input."""
    layer, x, note = here.layer, here.first, ""
    pads = layer.pads(here.node.input_shape)
    options: dict[str, Part | None] = moving(layer)
    read = math.prod(layer.kernel) == 1 and max(layer.stride) > 1
    padding = own_padding(pads, (0,) * layer.rank if read else here.node.input_shape)
    if padding is None:
        x = call("functional.pad", x, sides(pads))
    if read:
        x, note, options["stride"] = f"{x}[:, :, {', '.join(f'::{step}' for step in layer.stride)}]", READ, None
    made = call(
        f"nn.Conv{layer.rank}d", here.channels, filters, one(layer.kernel), stride=options["stride"], padding=padding or None,
        dilation=options["dilation"], groups=unless(1, groups), bias=None if layer.use_bias else False,
    )  # fmt: skip
    return Piece(here.run(x), True, [f"{here.own} = {made}"], here.kernel_and_bias(*kernel), note=note)


class Edge(NamedTuple):
    """What a transposed convolution does at both ends of one axis: PyTorch's `padding` and `output_padding`, and what is cut off."""

    padding: int
    output_padding: int
    before: int
    behind: int


def edge(before: int, behind: int, limit: int) -> Edge:
    """What takes so many places off both ends (negative: adds them). The same at both is PyTorch's padding, less behind its
    output_padding, which has to be below `limit`; only else something is cut off."""
    if 0 <= before - behind < limit:
        return Edge(before, before - behind, 0, 0)
    shared = min(before, max(behind, 0))
    return Edge(shared, max(-behind, 0), before - shared, max(behind, 0) - shared)


def edges(here: Here) -> list[Edge]:
    """Of each axis."""
    layer, found = here.layer, []
    for axis, (before, _) in enumerate(layer.pads(here.node.input_shape)):
        whole = (here.node.input_shape[axis] - 1) * layer.stride[axis] + layer.reach[axis]
        behind = whole - before - here.node.output_shape[axis]
        found.append(edge(before, behind, max(layer.stride[axis], layer.dilation[axis])))
    return found


def transposed(here: Here) -> Piece:
    """nn.ConvTranspose2d, its output cut where the padding is not the same on both sides."""
    layer, ends = here.layer, edges(here)
    padding, output_padding = one([end.padding for end in ends]), one([end.output_padding for end in ends])
    options = moving(layer)
    made = call(
        "nn.ConvTranspose2d", here.channels, layer.filters, one(layer.kernel), stride=options["stride"], padding=padding or None,
        output_padding=output_padding or None, bias=None if layer.use_bias else False, dilation=options["dilation"],
    )  # fmt: skip
    copied = math.prod(layer.kernel) == 1
    value = here.run(f"{here.first}.contiguous()" if copied else here.first)
    if any(end.before or end.behind for end in ends):
        kept = [places(end.before, end.before + length) for end, length in zip(ends, here.node.output_shape, strict=False)]
        value += f"[:, :, {', '.join(kept)}]"
    weights = here.kernel_and_bias(*KERNELS[2])
    return Piece(value, True, [f"{here.own} = {made}"], weights, note=LIES if copied else "")
