"""Branches made one, and what is drawn."""

from __future__ import annotations

from functools import reduce

from .pieces import Here, Piece
from .text import call


def alike(here: Here) -> tuple[list[str], bool]:
    """All that a node reads, lying alike; and whether that is channels first."""
    first = all(value.first for value in here.reads)
    return [value.name if first else value.channels_last for value in here.reads], first


def add(here: Here) -> Piece:
    """a + b + ..."""
    values, first = alike(here)
    return Piece(" + ".join(values), first)


def multiply(here: Here) -> Piece:
    """a b ..."""
    values, first = alike(here)
    return Piece(" * ".join(values), first)


def average(here: Here) -> Piece:
    """(a + b + ...) / count."""
    values, first = alike(here)
    return Piece(f"({' + '.join(values)}) / {len(values)}", first)


def maximum(here: Here) -> Piece:
    """max(a, b, ...)."""
    values, first = alike(here)
    return Piece(reduce(lambda a, b: call("larger", a, b), values), first)


def concatenate(here: Here) -> Piece:
    """One behind the other."""
    values, first = alike(here)
    axis = here.reads[0].axis(here.layer.place(here.node.input_shape)) if first else here.layer.axis
    return Piece(call("torch.cat", f"[{', '.join(values)}]", dim=axis), first)


def drawn(here: Here) -> Piece:
    """What the file brings multiplies (masks of dropout) or is added (noise)."""
    value = here.reads[0]
    mask = f'masks["{here.node.name}"]' + (".movedim(-1, 1)" if value.first else "")
    return Piece(f"{value.name} {'*' if here.layer.random == 'mask' else '+'} {mask}", value.first)
