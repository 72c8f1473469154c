"""What adapters share: functions, no base class."""

from __future__ import annotations

import time
from functools import cached_property
from itertools import cycle
from typing import Any, Callable, Container, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple

import numpy

from ..spec import INPUT, Activation, Loss, Node, ProgramSpec
from .values import Batch, Trace

#: what a program may ask for beside layers, activations, losses and optimizers
OPTIONS = (
    "schedules", "weight decay", "clipping", "gradient accumulation", "sample weights", "penalties", "reductions", "label smoothing",
    "branches", "dense layers over several axes",
)  # fmt: skip


def unsupported(
    spec: ProgramSpec,
    *,
    layers: Container[str],
    activations: Container[str],
    losses: Container[str],
    optimizers: Container[str],
    options: Container[str] = (),
) -> List[str]:
    """One reason for each part of a program that is in none of an adapter's tables: types, and those of OPTIONS that it translates."""
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
    reasons += [f"no translation of {option}" for option in used(spec) if option not in options]
    return list(dict.fromkeys(reasons))


def used(spec: ProgramSpec) -> List[str]:
    """The OPTIONS that a program asks for."""
    optimizer, loss = spec.optimizer, spec.loss
    read = [name for node in spec.nodes for name in node.inputs]
    asked = {
        "schedules": optimizer.schedule is not None,
        "weight decay": bool(optimizer.weight_decay) and optimizer.type not in ("adamw", "lamb"),
        "clipping": any(limit is not None for limit in (optimizer.clip_value, optimizer.clip_norm, optimizer.global_clip_norm)),
        "gradient accumulation": optimizer.gradient_accumulation_steps > 1,
        "sample weights": spec.weighted,
        "penalties": bool(spec.penalties),
        "reductions": loss.reduction != "mean",
        "label smoothing": bool(getattr(loss, "label_smoothing", 0.0)),
        "branches": len(set(read)) < len(read) or any(len(node.inputs) > 1 for node in spec.nodes),
        "dense layers over several axes": any(node.layer.type == "dense" and len(node.input_shape) > 1 for node in spec.nodes),
    }
    return [option for option in OPTIONS if asked[option]]


def missing_device(device: str, found: bool, framework: str) -> List[str]:
    """The reason why a device cannot be used, if so."""
    return [] if device == "cpu" or found else [f"{framework} finds no GPU here"]


def numpy_batches(batches: Sequence[Batch], dtype: str) -> List[Batch]:
    """Batches with every float array as a contiguous copy in `dtype`, integers as int64."""

    def number(array: Any) -> Any:
        kind = numpy.asarray(array).dtype.kind
        return numpy.array(array, dtype=numpy.int64 if kind in "iu" else dtype, order="C")

    return [
        Batch(
            number(b.inputs),
            number(b.targets),
            None if b.masks is None else {name: number(mask) for name, mask in b.masks.items()},
            None if b.weights is None else number(b.weights),
        )
        for b in batches
    ]


def masked(spec: ProgramSpec, masks: Optional[Mapping[str, Any]]) -> Dict[str, Any]:
    """What a program's random nodes draw (masks of dropout, noise), in order.

    Raises:
        KeyError: a random node has nothing.
    """
    names = [node.name for node in spec.random_nodes]
    if names and masks is None:
        raise KeyError(f"no masks given for {', '.join(names)}")
    return {name: (masks or {})[name] for name in names}


def randomised(node: Node, x: Any, drawn: Any) -> Any:
    """What a random node makes of its input and of what was drawn."""
    return x * drawn if node.layer.random == "mask" else x + drawn


def forward(
    nodes: Sequence[Node],
    x: Any,
    masks: Optional[Iterable[Any]],
    layers: Mapping[str, Callable[..., Any]],
    activations: Mapping[str, Callable[[Any], Any]],
    taps: Optional[Sequence[Any]] = None,
) -> List[Any]:
    """Every node's output, whatever the framework.

    Args:
        nodes: the graph.
        x: native inputs, `(rows, *input_shape)`.
        masks: native masks and noise of the random nodes, in order; None where `layers["dropout"]` and the like are to draw their own.
        layers: type -> function of a node and its inputs.
        activations: type -> function.
        taps: zeros to add to the outputs, for frameworks that differentiate by what a function is given.
    """
    found: Dict[str, Any] = {INPUT: x}
    left = None if masks is None else iter(masks)
    for index, node in enumerate(nodes):
        layer: Any = node.layer
        inputs = [found[name] for name in node.inputs]
        if layer.type == "activation":
            y = activations[layer.activation.type](*inputs)
        elif layer.random and left is not None:
            y = randomised(node, inputs[0], next(left))
        else:
            y = layers[layer.type](node, *inputs)
        found[node.name] = y if taps is None else y + taps[index]
    return [found[node.name] for node in nodes]


def reduced(loss: Loss, values: Any, weights: Any = None) -> Any:
    """The loss as one number, whatever the framework: its arrays have `mean` and `sum`.

    Args:
        loss: says how.
        values: one for each output where the loss is elementwise, else one for each term.
        weights: of the terms, `(rows, *terms_shape)`; None where there are none.
    """
    if weights is None and loss.reduction != "sum":
        return values.mean()
    terms = values.mean(-1) if loss.elementwise else values
    products = terms if weights is None else weights * terms
    if loss.reduction == "mean":
        return products.mean()
    return products.sum() / weights.sum() if loss.reduction == "weighted_mean" else products.sum()


def arrays_of(spec: ProgramSpec, batch: Batch) -> List[Any]:
    """`inputs, targets`, then sample weights where the program has them, then what the random nodes draw, where the batch brings it."""
    weights = [batch.weights] if spec.weighted else []
    return [batch.inputs, batch.targets, *weights, *([] if batch.masks is None else masked(spec, batch.masks).values())]


def stage(spec: ProgramSpec, batches: Sequence[Batch], dtype: str, native: Callable[[Any], Any]) -> List[Tuple[Any, ...]]:
    """`arrays_of` each batch, every array made native."""
    return [tuple(map(native, arrays_of(spec, batch))) for batch in numpy_batches(batches, dtype)]


class Stacked(List[Tuple[Any, ...]]):
    """Staged batches, for calls that take several steps."""

    def __init__(self, batches: Iterable[Tuple[Any, ...]], stack: Callable[[Sequence[Any]], Any]) -> None:
        super().__init__(batches)
        self.stack = stack

    @cached_property
    def arrays(self) -> Tuple[Any, ...]:
        """All batches in one: their arrays, each with an axis in front that counts batches. Nothing where shapes differ. Stacked when first
        asked for: it takes their memory again."""
        shapes = {tuple(tuple(array.shape) for array in batch) for batch in self}
        return tuple(map(self.stack, zip(*self))) if len(shapes) == 1 else ()


def unstage(spec: ProgramSpec, staged: Sequence[Tuple[Any, ...]], dtype: str, plain: Callable[[Any], Any]) -> List[Batch]:
    """What `stage` made, with every array made numpy's again; integers of any size become int64."""
    names = [node.name for node in spec.random_nodes]
    found = []
    for batch in staged:
        x, y, *rest = [plain(array) for array in batch]
        weights = rest.pop(0) if spec.weighted else None
        found.append(Batch(x, y, dict(zip(names, rest)) if rest or not names else None, weights))
    return numpy_batches(found, dtype)


def drawn(spec: ProgramSpec, rows: int, dtype: str, random: Any) -> List[Any]:
    """Masks and noise of a numpy generator's, one for each random node: the dropout of frameworks that have none."""
    return [draw(node, rows, dtype, random) for node in spec.random_nodes]


def draw(node: Node, rows: int, dtype: str, random: Any) -> Any:
    """What one random node draws, `(rows, *draw_shape)`."""
    layer: Any = node.layer
    shape = (rows, *node.draw_shape)
    if layer.random == "noise":
        return random.standard_normal(shape).astype(dtype) * numpy.asarray(layer.stddev, dtype)
    return (random.random(shape) >= layer.rate) * numpy.asarray(layer.scale, dtype)


def loop(
    step: Callable[..., Any], staged: Sequence[Tuple[Any, ...]], steps: int, read_every: int, read: Callable[[Any], float] = float
) -> Trace:
    """Call `step(*arrays)` (see `arrays_of`) over the batches in turn, and read its loss now and then.

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


def loop_of_several(
    several: Callable[[], Any],
    single: Callable[..., Any],
    staged: Sequence[Tuple[Any, ...]],
    steps: int,
    read_every: int,
    read: Callable[[Any], float] = float,
) -> Trace:
    """As `loop`, but all steps from one reading to the next are one call.

    Args:
        several: the next `read_every` steps; returns the last one's loss, as the framework has it.
        single: one step of `loop`, for those behind the last reading.
        staged, steps, read_every, read: as of `loop`.
    """
    trace = loop(several, [()], steps // read_every, 1, read)
    for index in range(steps - steps % read_every, steps):
        single(*staged[index % len(staged)])
    return trace
