"""Cases of normalisations: inputs of one, two and three axes, with and without what is learned."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

from ...spec import Dense
from ...spec.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    GroupNormalization,
    InstanceNormalization,
    LayerNormalization,
    Relu,
    RMSNormalization,
)  # fmt: skip
from .case import Case, case

Options = Dict[str, Tuple[Any, Tuple[int, ...]]]


def cases() -> Iterator[Case]:
    """All of them."""
    layers: Options = {
        "": (BatchNormalization(epsilon=1e-3, momentum=0.9), (4,)),
        "sequence": (BatchNormalization(epsilon=1e-5, momentum=0.75, scale=False), (5, 3)),
        "image": (BatchNormalization(epsilon=1e-3, momentum=0.5, center=False), (2, 3, 4)),
        "bare": (BatchNormalization(epsilon=1e-3, momentum=0.0, scale=False, center=False), (4,)),
        "frozen": (BatchNormalization(epsilon=1e-3, momentum=1.0), (3, 2)),
        "layer": (LayerNormalization(epsilon=1e-3), (5,)),
        "layer sequence": (LayerNormalization(epsilon=1e-5, scale=False), (3, 5)),
        "layer image": (LayerNormalization(epsilon=1e-3, center=False), (2, 3, 4)),
        "group": (GroupNormalization(epsilon=1e-3, groups=2), (2, 3, 4)),
        "group sequence": (GroupNormalization(epsilon=1e-5, groups=3, scale=False), (5, 6)),
        "group flat": (GroupNormalization(epsilon=1e-3, groups=2, center=False), (6,)),
        "one group": (GroupNormalization(epsilon=1e-3, groups=1), (2, 2, 3)),
        "instance": (InstanceNormalization(epsilon=1e-3), (3, 2, 3)),
        "instance sequence": (InstanceNormalization(epsilon=1e-5, scale=False), (5, 3)),
        "instance bare": (InstanceNormalization(epsilon=1e-3, scale=False, center=False), (5, 3)),
        "rms": (RMSNormalization(epsilon=1e-3), (5,)),
        "rms sequence": (RMSNormalization(epsilon=1e-5, scale=False), (3, 5)),
    }
    for name, (layer, shape) in layers.items():
        words = name.replace(layer.type.split("_")[0], "").strip()
        yield case(f"{layer.type} {words}".strip(), f"layer/{layer.type}", layer, Dense(units=3), shape=shape)
    batch = BatchNormalization(epsilon=1e-3, momentum=0.9)
    # the bias before it has a gradient of zero but for rounding
    yield case(
        "batch_normalization behind conv2d", "layer/batch_normalization", Conv2D(filters=3, kernel_size=2), batch,
        Activation(activation=Relu()), Conv2D(filters=2, kernel_size=2), batch, shape=(4, 5, 2),
    )  # fmt: skip
    yield case("batch_normalization one row", "layer/batch_normalization", batch, Dense(units=2), shape=(3, 2, 3), rows=1)
    yield case("layer_normalization one row", "layer/layer_normalization", LayerNormalization(epsilon=1e-3), Dense(units=2), rows=1)
