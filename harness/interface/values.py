"""What crosses the border between harness and adapter: plain numpy arrays under canonical names and layouts.

Canonical: batch axis first, channels last, kernels `(in, out)` and `(height, width, in, out)`; each layer of harness.spec.layers says its
own. `float` below means the program's dtype.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional

Arrays = Dict[str, Any]


@dataclass
class State:
    """Everything a training step starts from.

    Attributes:
        parameters: `dense_1/kernel` -> float array `(in, out)`, `dense_1/bias` -> `(out,)`.
        slots: optimizer slots, `velocity` -> parameter name -> array of the parameter's shape. Their names are those of
            harness.spec.optimizers; their meaning is the adapter's own form (`FORMS`).
        step: steps already taken (with gradient accumulation, more than there were updates).
        statistics: what layers keep without a gradient, `batch_normalization_1/moving_mean` -> float `(channels,)`.
    """

    parameters: Arrays
    slots: Dict[str, Arrays] = field(default_factory=dict)
    step: int = 0
    statistics: Arrays = field(default_factory=dict)


@dataclass
class Batch:
    """One step's data.

    Attributes:
        inputs: float `(rows, *input_shape)`; int64 where the program has `integer_inputs`.
        targets: `(rows, *target_shape)`: int64 for the encoding `integer`, float otherwise.
        masks: random node -> float `(rows, *draw_shape)`: of dropout already scaled by 1 / (1 - rate), of noise by its deviation. None: the
            program draws its own.
        weights: sample weights, float `(rows, *terms_shape)`; None where the program is not `weighted`.
    """

    inputs: Any
    targets: Any
    masks: Optional[Mapping[str, Any]] = None
    weights: Optional[Any] = None


@dataclass
class Probe:
    """What one batch gives at one state, without changing it.

    Attributes:
        loss: the loss, penalties included.
        outputs: node -> its output, `(rows, *shape)`.
        gradients: parameter -> gradient of the loss.
        output_gradients: node -> gradient of the loss at that node's output; nodes that the loss does not read are zero.
        input_gradient: gradient at the inputs, `(rows, *input_shape)`; None where they are integers.
    """

    loss: float
    outputs: Arrays
    gradients: Arrays
    output_gradients: Arrays
    input_gradient: Any


@dataclass
class Trace:
    """What a training loop leaves.

    Attributes:
        losses: the losses read, one every `read_every` steps.
        stamps: perf_counter_ns at the start, and after each reading (the queue is empty then): one more than `losses`.
    """

    losses: List[float]
    stamps: List[int]
