"""Each node alone: what the reference makes of the numbers that another program has around it.

A program that follows its own numbers carries a fault on into everything behind it. Here every node reads what the other program has before
it, and gets back the gradient that the other has behind it, so that what is wrong at a node shows there and nowhere else; a second fault
behind the first shows as well.
"""

from __future__ import annotations

from typing import Any, Callable, Container, List, Optional

from harness.interface import LOSS, OPTIMIZER, Arrays, Batch, State, changes, masked

from .program import Program, plain, spread


def replay(program: Program, state: State, batch: Batch, tensors: Arrays, only: Optional[Container[str]] = None) -> Arrays:
    """One step from a state, node by node from another program's numbers.

    Args:
        program: loaded anew.
        state: where the step starts.
        batch: its data.
        tensors: the other's `outputs/<node>`, `output_gradients/<node>` and `gradients/<parameter>`.
        only: the nodes that are of interest, `loss` and `optimizer` among them; all when not given. Of others nothing is computed.

    Returns:
        What the other should have: `loss/...`, `outputs/...`, `output_gradients/...`, `gradients/...`, `updates/...`, `slots/...`,
        `statistics/...`, named as harness.worker.numeric.forced_step names them.
    """

    def wanted(name: str) -> bool:
        return only is None or name in only

    def given(name: str) -> Any:
        return program.own(tensors[name].astype(program.dtype))

    spec, names = program.spec, [node.name for node in program.spec.nodes]
    program.load(state)
    native = program.stage([Batch(batch.inputs, batch.targets, masked(spec, batch.masks), batch.weights)])[0]
    program.draw(native)
    values = [native.inputs, *(given(f"outputs/{name}") for name in names)]
    found: Arrays = {}
    for name, layer, reads in zip(names, program.layers, program.reads):
        if wanted(name):  # forward keeps what backward needs
            found[f"outputs/{name}"] = plain(layer.forward(*[values[place] for place in reads]))
    found.update(backwards(program, native, values, given, wanted))
    if wanted(OPTIMIZER):
        for name, gradient in program.gradients.items():
            gradient[...] = tensors[f"gradients/{name}"]
        program.optimizer.update(program.step_count)
    for layer in program.layers:
        if layer.held.statistics and wanted(layer.node.name):
            layer.keep()
    return {**found, **changes(state, program.state())}


def backwards(
    program: Program, native: Batch, values: List[Any], given: Callable[[str], Any], wanted: Callable[[str], bool]
) -> Arrays:
    """The loss and all gradients: at every output what its readers give back, each from the other's gradient at its own output."""
    spec, names = program.spec, [node.name for node in program.spec.nodes]
    made: List[Any] = [None] * len(values)
    loss = None
    if wanted(LOSS):
        loss, made[program.last] = program.loss(values[program.last], native.targets, native.weights)
    program.flat_gradients[...] = 0
    for place in range(program.last, 0, -1):
        layer = program.layers[place - 1]
        if wanted(names[place - 1]):
            inputs_too, layer.inputs_too = layer.inputs_too, True
            spread(made, program.reads[place - 1], layer.backward(given(f"output_gradients/{names[place - 1]}")))
            layer.inputs_too = inputs_too
    total = program.penalised(0.0 if loss is None else loss)
    found: Arrays = {} if loss is None else {"loss/probe": plain(total), "loss/step": plain(total)}
    found.update({f"gradients/{name}": plain(gradient) for name, gradient in program.gradients.items()})
    for name, value, gradient in zip(names, values[1:], made[1:]):
        found[f"output_gradients/{name}"] = plain(value * 0 if gradient is None else gradient)
    if made[0] is not None and not spec.integer_inputs:
        found["output_gradients/input"] = plain(made[0])
    return found
