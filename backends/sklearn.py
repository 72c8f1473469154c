"""scikit-learn: MLPClassifier and MLPRegressor, one partial_fit a step, with their own backpropagation, SGD and Adam."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
import sklearn
from sklearn.neural_network import MLPClassifier, MLPRegressor

from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import ProgramSpec, active_slots

REQUIRES = {"sklearn": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS: Dict[str, str] = {"sgd.momentum": "lr_velocity", "adam.epsilon": "hat"}
ACTIVATIONS = {"linear": "identity", "sigmoid": "logistic", "tanh": "tanh", "relu": "relu"}
#: the spec's loss and gradient over scikit-learn's, of n outputs: see https://github.com/scikit-learn/scikit-learn/issues/8349
LOSSES: Dict[str, Callable[[int], Tuple[float, float]]] = {
    "mse": lambda n: (2, 2 / n), "binary_cross_entropy": lambda n: (1 / n, 1 / n), "softmax_cross_entropy": lambda n: (1, 1),
}  # fmt: skip
OPTIMIZERS: Dict[str, Callable[[Any], Dict[str, Any]]] = {
    "sgd": lambda o: {"momentum": o.momentum, "nesterovs_momentum": o.nesterov},
    "adam": lambda o: {"beta_1": o.beta_1, "beta_2": o.beta_2, "epsilon": o.epsilon},
}
SLOTS = {"velocity": "velocities", "first_moment": "ms", "second_moment": "vs"}


def kinds(spec: ProgramSpec) -> List[str]:
    """What each node is to scikit-learn: "dense", an activation, or "" where it changes nothing."""
    layers: List[Any] = [node.layer for node in spec.nodes]
    names = [layer.activation.type if layer.type == "activation" else layer.type for layer in layers]
    return ["" if name in ("linear", "dropout", "flatten") else name for name in names]


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.missing_device(device, False, "scikit-learn")
    reasons += shared.unsupported(spec, layers=("dense",), activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)
    parts = [part.split() for part in " ".join(kinds(spec)).split("dense")]  # what stands before, between and behind
    outputs, softmax, sgd = spec.output_shape[0], spec.loss.type == "softmax_cross_entropy", spec.optimizer.type == "sgd"
    factor = LOSSES[spec.loss.type](outputs)[1] if spec.loss.type in LOSSES else 1
    rules = [
        (not parts[0] + parts[-1] and all(p == parts[1][:1] for p in parts[1:-1]), "one activation, between all dense layers"),
        (len(spec.parameters) == 2 * (len(parts) - 1), "a bias in each layer"),
        (not softmax or (outputs > 2 and spec.targets == "integer"), "a softmax of three classes or more, given as integers"),
        (factor == 1 or (sgd and numpy.frexp(factor)[0] == 0.5), f"{1 / factor:.3g} times the gradient, which no rate undoes"),
    ]
    return reasons + [f"scikit-learn's MLP has {text}" for holds, text in rules if not holds]


def versions() -> Dict[str, Any]:
    """Versions of scikit-learn and of what it computes with."""
    return {"sklearn": sklearn.__version__, "numpy": numpy.__version__}


class Program:
    """An estimator, whose arrays are written in place: its optimizer holds them. Names with _ are scikit-learn's private ones."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.kinds, outputs = spec, dtype, kinds(spec), spec.output_shape[0]
        self.loss_factor, self.factor = LOSSES[spec.loss.type](outputs)
        self.names = [item.name for axes in (2, 1) for item in spec.parameters if len(item.shape) == axes]  # kernels, biases
        options: Dict[str, Any] = {"solver": spec.optimizer.type, **OPTIMIZERS[spec.optimizer.type](spec.optimizer)}
        options["learning_rate_init"] = spec.optimizer.learning_rate * self.factor  # 1, or of SGD a power of two: exact
        options["activation"] = next((ACTIVATIONS[kind] for kind in self.kinds if kind in ACTIVATIONS), "identity")
        options["hidden_layer_sizes"] = [node.output_shape[0] for node in spec.nodes if node.parameters][:-1]
        self.model: Any = (MLPRegressor if spec.loss.type == "mse" else MLPClassifier)(alpha=0.0, shuffle=False, **options)
        first = Batch(numpy.zeros((1, *spec.input_shape)), numpy.zeros(1 if spec.targets == "integer" else (1, outputs), int))
        classes = {} if spec.loss.type == "mse" else {"classes": numpy.arange(max(outputs, 2))}
        self.model.partial_fit(*self.stage([first])[0], **classes)  # makes the arrays and the optimizer

    def load(self, state: State) -> None:
        self.steps = self.model._optimizer.t = state.step  # t is Adam's
        for name, array in zip(self.names, self.model.coefs_ + self.model.intercepts_):
            array[...] = state.parameters[name]
        for slot in active_slots(self.spec.optimizer):
            setattr(self.model._optimizer, SLOTS[slot], [numpy.array(state.slots[slot][name], self.dtype) for name in self.names])

    def state(self) -> State:
        kept = {slot: getattr(self.model._optimizer, SLOTS[slot]) for slot in active_slots(self.spec.optimizer)}
        slots = {slot: dict(zip(self.names, map(numpy.array, arrays))) for slot, arrays in kept.items()}
        return State(dict(zip(self.names, map(numpy.array, self.model.coefs_ + self.model.intercepts_))), slots, self.steps)

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        staged = shared.stage(self.spec, batches, self.dtype, lambda array: array)
        return [(x, y[:, 0] if y.shape[1:] == (1,) else y) for x, y in staged]

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        found = [(x, y if self.spec.targets == "integer" else y.reshape(len(x), -1)) for x, y in staged]
        return shared.unstage(self.spec, found, self.dtype, numpy.asarray)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        self.steps, fit = self.steps + steps, self.model.partial_fit
        self.model.batch_size = max(len(x) for x, _ in staged)  # by itself, more than 200 rows are several steps
        return shared.loop(lambda x, y: fit(x, y).loss_, staged, steps, read_every, lambda loss: float(loss) * self.loss_factor)

    def probe(self, batch: Batch) -> Probe:
        model, (x, y) = self.model, self.stage([batch])[0]
        values, deltas, kernels, biases = [x, *model.coefs_], [*model.coefs_], [*model.coefs_], [*model.coefs_]  # to be replaced
        y = model._validate_input(x, y, True, False)[1].reshape(len(x), -1)
        loss, _, _ = model._backprop(x, y, None, values, deltas, kernels, biases)
        behind = [delta * (self.factor / len(x)) for delta in deltas]
        before = [slope @ kernel.T for slope, kernel in zip(behind, model.coefs_)]
        value, slope, place, outputs, slopes = x, before[0], -1, {}, {}
        for node, kind in zip(self.spec.nodes, self.kinds):
            if kind == "dense":  # scikit-learn's activations overwrite this value: it is computed again
                place += 1
                value, slope = values[place] @ model.coefs_[place] + model.intercepts_[place], behind[place]
            elif kind:
                value, slope = values[place + 1], before[place + 1]
            outputs[node.name], slopes[node.name] = value, slope
        gradients = {name: gradient * self.factor for name, gradient in zip(self.names, kernels + biases)}
        return Probe(float(loss) * self.loss_factor, outputs, gradients, slopes, before[0])

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.probe(batch).outputs[self.spec.nodes[-1].name] for batch in self.unstage(staged)]  # its own are no logits
