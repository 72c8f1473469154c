"""What PyTorch's own counter makes of every conformance case, through the real adapter: `python -m tests.counted` prints it as JSON. It
runs in a process of its own; importing this module loads no framework."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from harness.spec import Dense, Flatten
from harness.spec.layers import BatchNormalization, Conv2D, Dropout, MultiHeadAttention, Permute, Relu, Reshape, Take
from harness.worker.conformance import Case, case, cases, items
from harness.worker.conformance.data import drawn


def programs() -> dict[str, Case]:
    """All conformance cases, and some about where gradients end."""
    return {**cases(), **{one.name: one for one in more()}}


def more() -> Iterator[Case]:
    """Data on several ways to the first product, and a mask that is made of parameters, to which no gradient comes back."""
    yield case(
        "data behind layers without parameters", "layer/dense", Permute(dims=(2, 1)), Dropout(rate=0.5), Reshape(target_shape=(2, 6)),
        BatchNormalization(epsilon=1e-3, momentum=0.9, scale=False, center=False), Flatten(), Dense(units=3, activation=Relu()),
        Dense(units=2), shape=(3, 4),
    )  # fmt: skip
    yield case(
        "parameters before the first product", "layer/conv2d", BatchNormalization(epsilon=1e-3, momentum=0.9),
        Conv2D(filters=2, kernel_size=2), Flatten(), Dense(units=2), shape=(3, 4, 2),
    )  # fmt: skip
    yield case(
        "learned mask", "layer/multi_head_attention", Dense(units=3, activation=Relu(), name="scores"),
        Take(indices=0, axis=2, name="marks"), Dense(units=4, inputs=("input",), name="memory"),
        Take(indices=(0, 1), inputs=("input",), name="query"),
        MultiHeadAttention(num_heads=3, key_dim=2, inputs=("query", "memory"), mask="marks"), shape=(5, 3),
    )  # fmt: skip


def written_out() -> dict[str, Any]:
    """All programs, where the counter sees most: in float64, for which oneDNN has no recurrences, attention written out as products."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(SDPBackend.MATH):
        return dict(counted(programs(), "float64"))


def as_it_is() -> dict[str, Any]:
    """The first case about every layer, as torch computes it in float32 by itself."""
    names = [found[0] for item, found in items().items() if item.startswith("layer/")]
    return dict(counted({name: cases()[name] for name in names}, "float32"))


def counted(chosen: Mapping[str, Case], dtype: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Of each program that the adapter supports: FLOPs of one step and of one prediction, and the names of all operations."""
    from backends import torch as adapter

    for name, one in chosen.items():
        if not adapter.supports(one.spec, dtype, "cpu", ""):
            program = adapter.Program(one.spec, dtype, "cpu", "")
            state, batches = drawn(one, 0)[0]
            program.load(state)
            staged = program.stage(batches[:1])
            step, there = count(partial(program.train, staged, 1))
            prediction, back = count(partial(program.predict, staged))
            yield name, {"step": step, "predict": prediction, "operations": sorted(there | back)}


def count(call: Callable[[], object]) -> tuple[int, set[str]]:
    """FLOPs by torch's counter, and the names of all operations below autograd."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import FlopCounterMode

    seen: set[str] = set()

    class Watch(TorchDispatchMode):
        """Notes what is called."""

        def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            seen.add(str(operation.overloadpacket))
            return operation(*args, **(kwargs or {}))

    with Watch(), FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops(), seen


if __name__ == "__main__":
    print(json.dumps({"written out": written_out(), "as it is": as_it_is()}))
