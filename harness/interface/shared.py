"""What adapters share: functions, no base class."""

from __future__ import annotations

import time
from itertools import cycle
from typing import Any, Callable, Container, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy

from ..spec import Activation, Dropout, Node, ProgramSpec
from .values import Batch, Trace


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


def forward(
    nodes: Sequence[Node],
    x: Any,
    masks: Optional[Iterable[Any]],
    layers: Mapping[str, Callable[[Node, Any], Any]],
    activations: Mapping[str, Callable[[Any], Any]],
    taps: Optional[Sequence[Any]] = None,
) -> List[Any]:
    """Every node's output, whatever the framework.

    Args:
        nodes: the chain.
        x: native inputs, `(rows, *input_shape)`.
        masks: native masks of the dropout nodes, in order; None where `layers["dropout"]` is to draw its own.
        layers: type -> function of a node and its input.
        activations: type -> function.
        taps: zeros to add to the outputs, for frameworks that differentiate by what a function is given.
    """
    found: List[Any] = []
    left = None if masks is None else iter(masks)
    for node in nodes:
        layer: Any = node.layer
        if layer.type == "activation":
            x = activations[layer.activation.type](x)
        elif layer.type == "dropout" and left is not None:
            x = x * next(left)
        else:
            x = layers[layer.type](node, x)
        x = x if taps is None else x + taps[len(found)]
        found.append(x)
    return found


def stage(spec: ProgramSpec, batches: Sequence[Batch], dtype: str, native: Callable[[Any], Any]) -> List[Tuple[Any, ...]]:
    """`(inputs, targets, *masks)` of each batch, every array made native; without masks where a batch has none."""
    return [
        tuple(map(native, (b.inputs, b.targets, *(() if b.masks is None else masked(spec, b.masks).values()))))
        for b in numpy_batches(batches, dtype)
    ]


def unstage(spec: ProgramSpec, staged: Sequence[Tuple[Any, ...]], dtype: str, plain: Callable[[Any], Any]) -> List[Batch]:
    """What `stage` made, with every array made numpy's again; integers of any size become int64."""
    names = [node.name for node in spec.nodes if isinstance(node.layer, Dropout)]
    found = [[plain(array) for array in batch] for batch in staged]
    return numpy_batches([Batch(x, y, dict(zip(names, masks)) if masks or not names else None) for x, y, *masks in found], dtype)


def drawn(spec: ProgramSpec, rows: int, dtype: str, random: Any) -> List[Any]:
    """Scaled masks of a numpy generator's, one for each dropout node: the dropout of frameworks that have none."""
    nodes = [node for node in spec.nodes if isinstance(node.layer, Dropout)]
    kept = [random.random((rows, *node.output_shape)) >= getattr(node.layer, "rate", 0.0) for node in nodes]
    return [mask * numpy.asarray(getattr(node.layer, "scale", 1.0), dtype) for mask, node in zip(kept, nodes)]


def loop(
    step: Callable[..., Any], staged: Sequence[Tuple[Any, ...]], steps: int, read_every: int, read: Callable[[Any], float] = float
) -> Trace:
    """Call `step(inputs, targets, *masks)` over the batches in turn, and read its loss now and then.

    Args:
        step: one training step; returns its loss, as the framework has it.
        staged: from `stage`.
        steps: how many.
        read_every: how often a loss is read.
        read: the loss as a number, which waits for the device.
    """
    clock, losses = time.perf_counter_ns, []
    stamps = [clock()]
    for index, batch in zip(range(1, steps + 1), cycle(staged)):
        loss = step(*batch)
        if index % read_every == 0:
            losses.append(read(loss))
            stamps.append(clock())
    return Trace(losses, stamps)
