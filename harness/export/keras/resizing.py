"""Larger and smaller images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .convolution import sides
from .text import Place, call, size


def up_sampling(place: Place) -> str:
    """Each axis longer."""
    layer: Any = place.node.layer
    bilinear = getattr(layer, "interpolation", "nearest") == "bilinear"
    if bilinear and place.double:
        return call("bilinear", place.x, *layer.factors)
    interpolation = '"bilinear"' if bilinear else None
    return f"{call(f'layers.UpSampling{layer.rank}D', size(layer.factors), interpolation=interpolation)}({place.x})"


def zeros(place: Place) -> str:
    """Zeros around."""
    layer: Any = place.node.layer
    return f"{call(f'layers.ZeroPadding{layer.rank}D', sides(layer.pads(place.node.input_shape)))}({place.x})"


def cropped(place: Place) -> str:
    """Places cut off."""
    layer: Any = place.node.layer
    return f"{call(f'layers.Cropping{layer.rank}D', sides(layer.cuts(place.node.input_shape)))}({place.x})"


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "up_sampling1d": up_sampling, "up_sampling2d": up_sampling, "zero_padding1d": zeros, "zero_padding2d": zeros,
    "cropping1d": cropped, "cropping2d": cropped,
}  # fmt: skip
