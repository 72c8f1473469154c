"""Larger and smaller images and sequences."""

from __future__ import annotations

from .pieces import Here, Piece
from .text import call, one, places
from .windows import sides


def up_sampling(here: Here) -> Piece:
    """Each axis several times as long."""
    bilinear = getattr(here.layer, "interpolation", "nearest") == "bilinear"
    factors = one(here.layer.factors)
    return Piece(call("functional.interpolate", here.first, scale_factor=factors, mode='"bilinear"' if bilinear else None), True)


def zero_padding(here: Here) -> Piece:
    """Zeros around."""
    value = here.reads[0]
    around = sides(here.layer.pads(here.node.input_shape))
    return Piece(call("functional.pad", value.name, around if value.first else (0, 0, *around)), value.first)


def cropping(here: Here) -> Piece:
    """Places cut off: a slice."""
    value = here.reads[0]
    starts = [before for before, _ in here.layer.cuts(here.node.input_shape)]
    kept = [places(start, start + length) for start, length in zip(starts, here.node.output_shape, strict=False)]
    return Piece(f"{value.name}[{', '.join([*[':'] * (1 + value.first), *kept])}]", value.first)
