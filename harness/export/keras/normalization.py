"""Normalisations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .text import Place, call, unless


def normal(kind: str, two_passes: bool, *more: str, **fixed: Any) -> Callable[[Place], str]:
    """A layer with epsilon, gamma, beta, and what else the spec names.

    Args:
        kind: of Keras' layer.
        two_passes: whether on torch the variance has to be written out.
        more: names of options.
        fixed: options.
    """

    def write(place: Place) -> str:
        layer: Any = place.node.layer
        name = f"TwoPass{kind}" if two_passes and place.engine == "torch" else f"layers.{kind}"
        options = {word: getattr(layer, word) for word in (*more, "epsilon")}
        flags = {word: unless(True, getattr(layer, word)) for word in ("center", "scale")}
        return f"{place.learned(name, **fixed, **options, **flags)}({place.x})"

    return write


def rms(place: Place) -> str:
    """rms_normalization; Keras' layer always learns a factor."""
    layer: Any = place.node.layer
    if layer.scale:
        return f"{place.learned('layers.RMSNormalization', epsilon=layer.epsilon)}({place.x})"
    return call("ops.rms_normalization", place.x, axis=-1, epsilon=layer.epsilon)


#: type -> a node's value as an expression
LAYERS: Mapping[str, Callable[[Place], str]] = {
    "batch_normalization": normal("BatchNormalization", True, "momentum"),
    "layer_normalization": normal("LayerNormalization", False),
    "group_normalization": normal("GroupNormalization", True, "groups"),
    "instance_normalization": normal("GroupNormalization", True, groups=-1),  # as many as channels
    "rms_normalization": rms,
}
