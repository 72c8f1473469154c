"""All layers: type -> function of a node and of the activation that it computes itself, or None."""

from __future__ import annotations

from typing import Any, Callable, Dict

from . import attention, convolution, core, normalization, pooling, recurrent, resizing
from .part import Part

LAYERS: Dict[str, Callable[[Any, Any], Part]] = {
    **core.LAYERS, **convolution.LAYERS, **pooling.LAYERS, **normalization.LAYERS, **recurrent.LAYERS, **attention.LAYERS,
    **resizing.LAYERS,
}  # fmt: skip
