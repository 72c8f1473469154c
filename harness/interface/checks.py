"""What an adapter gives back, held against the contract: names, shapes, counts. A wrong one is refused in one line that says what is
wrong, before its numbers are looked at."""

from __future__ import annotations

from typing import Any, Mapping, Tuple

import numpy

from ..spec import ProgramSpec, active_slots
from .values import Probe, State, Trace


class ContractBroken(Exception):
    """An adapter does not do what harness.interface.contract says."""


def check_state(spec: ProgramSpec, dtype: str, state: Any) -> None:
    """`state()` has to hold every parameter and slot, in its canonical shape.

    Raises:
        ContractBroken: it does not.
    """
    if not isinstance(state, State):
        raise ContractBroken(f"state() gives {type(state).__name__}, not a State")
    shapes = {parameter.name: parameter.shape for parameter in spec.parameters}
    check_arrays("state() gives parameters", state.parameters, shapes)
    for slot in active_slots(spec.optimizer):
        check_arrays(f"state() gives slots {slot}", state.slots.get(slot, {}), shapes)
    check_arrays("state() gives statistics", state.statistics, {item.name: item.shape for item in spec.statistics})
    for name, array in state.parameters.items():
        if numpy.asarray(array).dtype != dtype:
            raise ContractBroken(f"state() gives {name} as {numpy.asarray(array).dtype}, not as {dtype}")


def check_probe(spec: ProgramSpec, rows: int, probe: Any) -> None:
    """`probe()` has to give the loss, every output and every gradient, in canonical shapes.

    Raises:
        ContractBroken: it does not.
    """
    if not isinstance(probe, Probe):
        raise ContractBroken(f"probe() gives {type(probe).__name__}, not a Probe")
    shapes = {node.name: (rows, *node.output_shape) for node in spec.nodes}
    check_arrays("probe() gives outputs", probe.outputs, shapes)
    check_arrays("probe() gives output_gradients", probe.output_gradients, shapes)
    check_arrays("probe() gives gradients", probe.gradients, {item.name: item.shape for item in spec.parameters})
    if not spec.integer_inputs:
        check_array("probe() gives the input_gradient", probe.input_gradient, (rows, *spec.input_shape))
    check_array("probe() gives the loss", probe.loss, ())


def check_trace(steps: int, read_every: int, trace: Any) -> None:
    """`train()` has to give one loss and one time stamp for each reading, and one stamp before.

    Raises:
        ContractBroken: it does not.
    """
    if not isinstance(trace, Trace):
        raise ContractBroken(f"train() gives {type(trace).__name__}, not a Trace")
    count = steps // read_every
    if (len(trace.losses), len(trace.stamps)) != (count, count + 1):
        raise ContractBroken(
            f"train({steps}, read_every={read_every}) gives {len(trace.losses)} losses and {len(trace.stamps)} stamps, "
            f"not {count} and {count + 1}"
        )


def check_outputs(spec: ProgramSpec, rows: int, outputs: Any) -> None:
    """`predict()` has to give the outputs of a batch.

    Raises:
        ContractBroken: it does not.
    """
    check_array("predict() gives outputs", outputs, (rows, *spec.output_shape))


def check_arrays(what: str, arrays: Any, shapes: Mapping[str, Tuple[int, ...]]) -> None:
    """Named arrays: exactly these names, in these shapes."""
    if not isinstance(arrays, Mapping):
        raise ContractBroken(f"{what} as {type(arrays).__name__}, not as a dict")
    absent, more = [name for name in shapes if name not in arrays], [name for name in arrays if name not in shapes]
    if absent or more:
        lacks = f" without {', '.join(absent)}" if absent else ""
        raise ContractBroken(
            f"{what}{lacks}{' and' if absent and more else ''}{f' with the unknown {more[0]!r}' if more else ''}"
        )
    for name, shape in shapes.items():
        check_array(f"{what} {name}", arrays[name], shape)


def check_array(what: str, array: Any, shape: Tuple[int, ...]) -> None:
    """One array of numbers."""
    found = numpy.asarray(array)
    if found.dtype.kind != "f":
        raise ContractBroken(f"{what} as {type(array).__name__} of {found.dtype}, not as an array of floats")
    if found.shape != shape:
        raise ContractBroken(f"{what} of shape {found.shape}, not {shape}")
