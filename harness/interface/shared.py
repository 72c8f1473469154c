"""What adapters share: functions, no base class."""

from __future__ import annotations

from typing import Any, Container, Dict, List, Mapping, Optional, Sequence

import numpy

from ..spec import Activation, Dropout, ProgramSpec
from .values import Batch


def unsupported(
    spec: ProgramSpec, *, layers: Container[str], activations: Container[str], losses: Container[str], optimizers: Container[str]
) -> List[str]:
    """One reason for each part of a program that is in none of an adapter's tables (all by `type`)."""
    reasons = []
    for node in spec.nodes:
        if isinstance(node.layer, Activation) and node.layer.activation:
            if node.layer.activation.type not in activations:
                reasons.append(f"no translation of the activation {node.layer.activation.type!r}")
        elif node.layer.type not in layers:
            reasons.append(f"no translation of the layer {node.layer.type!r}")
    if spec.loss.type not in losses:
        reasons.append(f"no translation of the loss {spec.loss.type!r}")
    if spec.optimizer.type not in optimizers:
        reasons.append(f"no translation of the optimizer {spec.optimizer.type!r}")
    return list(dict.fromkeys(reasons))


def missing_device(device: str, found: bool, framework: str) -> List[str]:
    """The reason why a device cannot be used, if so."""
    return [] if device == "cpu" or found else [f"{framework} finds no GPU here"]


def numpy_batches(batches: Sequence[Batch], dtype: str) -> List[Batch]:
    """Batches with every float array as a contiguous copy in `dtype`, integer targets as int64."""

    def number(array: Any) -> Any:
        return numpy.array(array, dtype=dtype)

    def target(array: Any) -> Any:
        return numpy.array(array, dtype=numpy.int64) if numpy.asarray(array).dtype.kind in "iu" else number(array)

    return [
        Batch(
            number(b.inputs),
            target(b.targets),
            None if b.masks is None else {name: number(mask) for name, mask in b.masks.items()},
        )
        for b in batches
    ]


def masked(spec: ProgramSpec, masks: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """The masks of a program's dropout nodes, in order.

    Raises:
        KeyError: a dropout node has no mask.
    """
    names = [node.name for node in spec.nodes if isinstance(node.layer, Dropout)]
    if names and masks is None:
        raise KeyError(f"no masks given for {', '.join(names)}")
    return {name: (masks or {})[name] for name in names}
