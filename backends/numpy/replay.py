"""Each node alone: what the reference makes of the numbers that another program has around it.

A program that follows its own numbers carries a fault on into everything behind it. Here every node reads what the other program has before
it, and gets back the gradient that the other has behind it, so that what is wrong at a node shows there and nowhere else; a second fault
behind the first shows as well.
"""

from __future__ import annotations

from typing import Any, List

from harness.interface import Arrays, Batch, State, changes, masked

from .program import Program, plain, spread


def replay(program: Program, state: State, batch: Batch, tensors: Arrays) -> Arrays:
    """One step from a state, node by node from another program's numbers.

    Args:
        program: loaded anew.
        state: where the step starts.
        batch: its data.
        tensors: the other's `outputs/<node>`, `output_gradients/<node>` and `gradients/<parameter>`.

    Returns:
        What the other should have: `loss/...`, `outputs/...`, `output_gradients/...`, `gradients/...`, `updates/...`, `slots/...`,
        `statistics/...`, named as harness.worker.numeric.forced_step names them.
    """

    def given(name: str) -> Any:
        return program.own(tensors[name].astype(program.dtype))

    spec, names = program.spec, [node.name for node in program.spec.nodes]
    program.load(state)
    native = program.stage([Batch(batch.inputs, batch.targets, masked(spec, batch.masks), batch.weights)])[0]
    program.draw(native)
    values = [native.inputs, *(given(f"outputs/{name}") for name in names)]
    outputs = [
        layer.forward(*[values[place] for place in reads]) for layer, reads in zip(program.layers, program.reads)
    ]  # of each layer, from the other's inputs; its forward keeps what its backward needs
    loss, dz = program.loss(values[program.last], native.targets, native.weights)
    made: List[Any] = [None] * len(values)
    made[program.last] = dz
    program.flat_gradients[...] = 0
    for place in range(program.last, 0, -1):
        if made[place] is None:
            continue
        layer = program.layers[place - 1]
        inputs_too, layer.inputs_too = layer.inputs_too, True
        spread(made, program.reads[place - 1], layer.backward(given(f"output_gradients/{names[place - 1]}")))
        layer.inputs_too = inputs_too
    loss = program.penalised(loss)
    found: Arrays = {"loss/probe": plain(loss), "loss/step": plain(loss)}
    found.update({f"outputs/{name}": plain(y) for name, y in zip(names, outputs)})
    found.update({f"gradients/{name}": plain(gradient) for name, gradient in program.gradients.items()})
    for name, value, gradient in zip(names, values[1:], made[1:]):
        found[f"output_gradients/{name}"] = plain(value * 0 if gradient is None else gradient)
    if made[0] is not None and not spec.integer_inputs:
        found["output_gradients/input"] = plain(made[0])
    for name, gradient in program.gradients.items():
        gradient[...] = tensors[f"gradients/{name}"]
    program.optimizer.update(program.step_count)
    for keep in program.keepers:
        keep()
    return {**found, **changes(state, program.state())}
