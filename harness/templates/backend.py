"""My framework: say in this line what of it is used.

A start for a backend of harness. It computes dense layers, the mean squared error and plain gradient descent, by numpy in the place of
your framework: put your framework's calls in, one function after the other, and see after each whether it still holds:

    python -m harness conformance BACKEND --backend ./BACKEND.py --case line

Then let it say yes to more in LAYERS, ACTIVATIONS, LOSSES and OPTIMIZERS, and try again. What crosses the border is plain numpy under
canonical names and layouts (harness.interface.values): channels last, kernels `(in, out)`. Turn arrays into your framework's layout
in `load` and `stage`, never inside a step.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy

from harness.interface import Arrays, Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec

#: what has to be importable: import name -> extra of pyproject.toml, "" for a plug-in. Literals: they are read without running this
REQUIRES = {"numpy": ""}
#: ways to run, such as a compiled one: mode -> {"requires": {...}, "variables": {...}}; "" is the plain one
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
#: formulas that your framework fixes otherwise than the reference: harness.spec.optimizers.FORMS names them
FORMS: Dict[str, str] = {}

#: what there is a translation of, by the names of an experiment; harness asks no more of it. Next: "flatten", "dropout"
LAYERS = ("dense",)
#: next: "step", "sigmoid", "tanh", "relu", "softmax"
ACTIVATIONS: Dict[str, Callable[[Any], Any]] = {"linear": lambda z: z}
#: each a mean over all rows and outputs. Next: "mae", "binary_cross_entropy", "softmax_cross_entropy", "hinge", "perceptron"
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {"mse": lambda p, y: numpy.mean((p - y) ** 2)}
#: next: "adam", "adamw", "rmsprop", and the momentum of "sgd"; their state goes through `load` and `state` as slots
OPTIMIZERS = ("sgd",)


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not, a sentence each; empty when it can. They stand in the tables instead of numbers."""
    reasons = shared.missing_device(device, False, "this framework")
    if getattr(spec.optimizer, "momentum", 0.0):
        reasons.append("momentum is not translated yet")
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """Whatever decides the numbers or the speed: versions, build flags, threads, precision modes."""
    return {"numpy": numpy.__version__}


class Program:
    """The model, its loss and its optimizer, built from the spec. Build your framework's objects in `__init__`."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype = spec, dtype
        self.parameters: Arrays = {}
        self.steps = 0

    # the state ----------------------------------------------------------------------------------------------------------------

    def load(self, state: State) -> None:
        """Take a state in, copied: later steps must not change what was given."""
        self.parameters = {name: numpy.array(array, self.dtype) for name, array in state.parameters.items()}
        self.steps = state.step

    def state(self) -> State:
        """The present state, copied; after `load` the same bits."""
        return State({name: array.copy() for name, array in self.parameters.items()}, {}, self.steps)

    # batches ------------------------------------------------------------------------------------------------------------------

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        """`(inputs, targets, *masks)` of each batch as tensors on the device; no clock runs yet. The last argument makes a tensor."""
        return shared.stage(self.spec, batches, self.dtype, lambda array: array)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        """Back to numpy. It is hashed, to prove that all frameworks saw the same. The last argument makes an array of a tensor."""
        return shared.unstage(self.spec, staged, self.dtype, lambda tensor: tensor)

    # computing ----------------------------------------------------------------------------------------------------------------

    def outputs(self, x: Any, masks: Any) -> List[Any]:
        """The output of every node; dropout without masks would be the framework's own."""

        def dense(node: Any, x: Any) -> Any:
            y = x @ self.parameters[f"{node.name}/kernel"]
            return y + self.parameters[f"{node.name}/bias"] if node.layer.use_bias else y

        return shared.forward(self.spec.nodes, x, masks, {"dense": dense}, ACTIVATIONS)

    def gradients(self, x: Any, y: Any, masks: Any) -> Tuple[Any, List[Any], Arrays, List[Any]]:
        """Loss, outputs, gradient of every parameter, gradient at the inputs and at every output. Your framework's autograd goes here."""
        nodes, found = self.spec.nodes, self.outputs(x, masks)
        loss = LOSSES[self.spec.loss.type](found[-1], y)
        at = [numpy.zeros_like(x), *map(numpy.zeros_like, found)]
        at[-1] = 2 * (found[-1] - y) / y.size
        of_parameters: Arrays = {}
        for index in reversed(range(len(nodes))):
            at[index] = at[index + 1]
            if nodes[index].layer.type == "dense":
                before = found[index - 1] if index else x
                of_parameters[f"{nodes[index].name}/kernel"] = before.T @ at[index + 1]
                of_parameters[f"{nodes[index].name}/bias"] = at[index + 1].sum(0)
                at[index] = at[index + 1] @ self.parameters[f"{nodes[index].name}/kernel"].T
        return loss, found, {name: of_parameters[name] for name in self.parameters}, at

    def step(self, x: Any, y: Any, *masks: Any) -> Any:
        """One training step; returns the loss before it. This is what is timed: write it as an expert of your framework would."""
        loss, _, gradients, _ = self.gradients(x, y, masks)
        for name, gradient in gradients.items():
            self.parameters[name] -= getattr(self.spec.optimizer, "learning_rate", 0.0) * gradient
        self.steps += 1
        return loss

    # what harness calls -------------------------------------------------------------------------------------------------------

    def compile(self, staged: Any) -> Dict[str, float]:
        """Whatever can be done before the first step, each stage in seconds; it must not change the state."""
        return {}

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        """The loop. Before it returns the device has to be done: wait for it here if your framework runs ahead."""
        return shared.loop(self.step, staged, steps, read_every)

    def probe(self, batch: Batch) -> Probe:
        """What one batch gives, without changing anything; everything as numpy arrays in canonical layout."""
        x, y, *masks = self.stage([batch])[0]
        loss, outputs, gradients, (at_input, *at_outputs) = self.gradients(x, y, masks)
        names = [node.name for node in self.spec.nodes]
        return Probe(float(loss), dict(zip(names, outputs)), gradients, dict(zip(names, at_outputs)), at_input)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        """The outputs of each batch in inference mode, as numpy arrays."""
        return [self.outputs(batch[0], None)[-1] for batch in staged]
