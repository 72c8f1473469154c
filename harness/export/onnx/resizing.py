"""Larger and smaller images and sequences, of a value as it lies."""

from __future__ import annotations

import numpy

from .graph import CHANNELS_FIRST, Value
from .here import Here
from .windows import ends


def up_sampling(here: Here) -> Value:
    """Resize, nearest or linear."""
    if getattr(here.layer, "interpolation", "nearest") == "bilinear":
        return resized(here, CHANNELS_FIRST, mode="linear", coordinate_transformation_mode="half_pixel")
    return resized(here, here.layout, mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def resized(here: Here, layout: str, **attributes: str) -> Value:
    """Each axis several times as long. The factors are float32 in any graph."""
    value = Value("", here.node.input_shape, layout)
    scales = here.constant("scales", numpy.array(value.spread(here.layer.factors, 1), numpy.float32), "float32")
    return here.give("Resize", here.x(layout), "", scales, layout=layout, **attributes)


def zero_padding(here: Here) -> Value:
    """Zeros around."""
    pairs = here.reads[0].spread(here.layer.pads(here.node.input_shape), (0, 0))
    return here.give("Pad", here.x(here.layout), here.constant("pads", numpy.array(ends(pairs))), layout=here.layout)


def cropping(here: Here) -> Value:
    """Places cut off: a slice."""
    value, rank = here.reads[0], here.layer.rank
    starts = [before for before, _ in here.layer.cuts(here.node.input_shape)]
    stops = [start + length for start, length in zip(starts, here.node.output_shape, strict=False)]
    axes = [value.axis(axis) for axis in range(1, rank + 1)]
    places = [here.constant(word, numpy.array(numbers)) for word, numbers in (("starts", starts), ("stops", stops), ("axes", axes))]
    return here.give("Slice", here.x(here.layout), *places, layout=here.layout)
