"""Caffe2: models of brew and ModelHelper, with its gradients, losses and optimizers, in a workspace of each program's own."""

from __future__ import annotations

import os
from functools import partial
from importlib.metadata import version
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
from caffe2.python import brew, core, model_helper, workspace
from caffe2.python.modeling.initializers import Initializer

from harness.interface import Batch, Probe, State, Trace, shared
from harness.spec import SGD, Adam, AdamW, ProgramSpec, RMSprop, active_slots

REQUIRES = {"caffe2": ""}
MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}
FORMS = {"sgd.momentum": "lr_velocity", "adam.epsilon": "hat", "rmsprop.epsilon": "inside"}

THREADS = os.environ.get("OMP_NUM_THREADS") or "1"  # Caffe2 does not read it; below log level 3 it says what its build lacks
core.GlobalInit(["", f"--caffe2_omp_num_threads={THREADS}", f"--caffe2_mkl_num_threads={THREADS}", "--caffe2_log_level=3"])
OPTIMIZERS = ("sgd", "adam", "adamw", "rmsprop")


def product(model: Any, x: Any, name: str, inputs: int, units: int) -> Any:
    """As brew.fc, without the bias that it always has; kernels are `(out, in)`."""
    weight = model.create_param(f"{name}_w", [units, inputs], Initializer("XavierFill"))
    return brew.mat_mul(model, [x, weight], name, trans_b=1)


#: what brew lacks (Flatten, Mul, Sigmoid, Sign, all of the losses) are operators of the model's net
LAYERS: Dict[str, Callable[[Any, Any, Any], Any]] = {
    "dense": lambda m, n, x: (brew.fc if n.layer.use_bias else product)(m, x, f"{n.name}/fc", n.input_shape[0], n.layer.units),
    "flatten": lambda model, node, x: model.net.Flatten(x),
    "dropout": lambda model, node, x: brew.dropout(model, x, f"{x}/dropout", ratio=node.layer.rate, is_test=0),
}
MASKED = {**LAYERS, "dropout": lambda model, node, x: model.net.Mul([x, f"{node.name}/mask"])}
INFERRED = {**LAYERS, "dropout": lambda model, node, x: x}
ACTIVATIONS: Dict[str, Callable[[Any, Any], Any]] = {
    "linear": lambda model, z: z, "step": lambda model, z: brew.relu(model, z, f"{z}/relu").Sign(),
    "sigmoid": lambda model, z: model.net.Sigmoid(z), "tanh": lambda model, z: brew.tanh(model, z, f"{z}/tanh"),
    "relu": lambda model, z: brew.relu(model, z, f"{z}/relu"), "softmax": lambda model, z: brew.softmax(model, z, axis=-1),
}  # fmt: skip
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: p.Sub(y).Sqr().AveragedLoss(),
    "mae": lambda p, y: p.Sub(y).Abs().AveragedLoss(),
    "binary_cross_entropy": lambda z, y: z.SigmoidCrossEntropyWithLogits(y).AveragedLoss(),
    "softmax_cross_entropy": lambda z, y: z.SoftmaxWithLoss(y, 2)[1],
    "hinge": lambda z, y: z.Mul(y).Negative().Add("one").Relu().AveragedLoss(),
    "perceptron": lambda z, y: z.Mul(y).Relu().Sub(z.Mul(y)).AveragedLoss(),  # at 0 Relu's gradient is 0, and this one's -y
}


def optimize(model: Any, o: Any) -> None:
    """Put the optimizer's operators behind the gradients."""
    net = model.net  # build_adam would correct the first step as if it were the second, build_rms_prop overwrite its momentum
    for p, g in model.param_to_grad.items():
        slots = [model.param_init_net.ConstantFill([p], f"{p}_{slot}", value=0.0) for slot in o.slots]
        if isinstance(o, RMSprop):
            net.RmsProp([g, *slots, "one"], [g, *slots], decay=o.rho, momentum=o.momentum, epsilon=o.epsilon)
        if isinstance(o, AdamW):
            net.Scale(p, p, scale=1 - o.learning_rate * o.weight_decay)
        if isinstance(o, Adam):
            net.Adam([p, *slots, g, "minus_rate", "step"], [p, *slots], beta1=o.beta_1, beta2=o.beta_2, epsilon=o.epsilon)
        elif isinstance(o, SGD) and o.momentum:
            net.MomentumSGDUpdate([g, *slots, "rate", p], [g, *slots, p], momentum=o.momentum, nesterov=int(o.nesterov))
        else:
            net.WeightedSum([p, "one", g, "minus_rate"], p)
    brew.iter(model, "step")


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = ["this adapter uses Caffe2 on the CPU only"] if device == "gpu" else []
    reasons += ["Caffe2's FC, Relu and WeightedSum take float32 only"] if dtype == "float64" else []
    return reasons + shared.unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)


def versions() -> Dict[str, Any]:
    """The version of the PyTorch that Caffe2 is part of, numpy's, and the threads."""
    return {"caffe2": version("torch"), "numpy": numpy.__version__, "threads": int(THREADS)}


class Program:
    """Models over the same blobs: two that train, with a batch's masks and with Caffe2's, one to probe and one to predict."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        self.spec, self.dtype, self.space, o = spec, dtype, workspace.Workspace(), spec.optimizer
        self.feed, self.fetch = self.space.feed_blob, self.space.fetch_blob
        for name, value in (("one", 1), ("rate", o.learning_rate), ("minus_rate", -o.learning_rate)):
            self.feed(name, numpy.array([value], dtype))
        self.sign = -1 if isinstance(o, SGD) else 1  # MomentumSGDUpdate subtracts its velocity
        masks = [f"{node.name}/mask" for node in spec.nodes if node.layer.type == "dropout"]
        self.fed = [self.space.create_blob(name) for name in ("x", "y", *masks)]
        self.trained = {2: self.built(LAYERS, True), len(self.fed): self.built(MASKED, True)}
        self.probed, self.inferred = self.built(MASKED), self.built(INFERRED)
        self.parameters = dict(zip([item.name for item in spec.parameters], map(str, self.probed[0].params)))

    def built(self, layers: Dict[str, Any], trains: bool = False) -> Tuple[Any, List[str], Any, Any]:
        """A model, the blobs of its nodes' outputs, its net, and the blob of the loss, or of the prediction."""
        spec, model = self.spec, model_helper.ModelHelper("model")
        x, y = (core.BlobReference(name, model.net) for name in model.net.AddExternalInput("x", "y"))
        own, functions = ({name: partial(make, model) for name, make in table.items()} for table in (layers, ACTIVATIONS))
        outputs = shared.forward(spec.nodes[: spec.loss_node + 1] if trains else spec.nodes, x, None, own, functions)
        result = outputs[-1]
        if layers is not INFERRED:
            if spec.loss.type == "softmax_cross_entropy" and spec.targets == "one_hot":
                y = y.ArgMax(axis=1, keepdims=0).Cast(to=core.DataType.INT32)  # label_prob=1 cuts probabilities off at 1e-20
            result = LOSSES[spec.loss.type](outputs[spec.loss_node], y)
            model.AddGradientOperators([result])
        if trains:
            optimize(model, spec.optimizer)
        self.space.run(model.param_init_net)
        return model, [str(blob) for blob in outputs], self.space.create_net(model.net), self.space.create_blob(str(result))

    def run(self, built: Tuple[Any, List[str], Any, Any], *batch: Any) -> Any:
        """Run a model's net on a batch; gives the blob of what it finds."""
        _, _, net, result = built
        for blob, array in zip(self.fed, batch):
            blob.feed(array)
        net.run()
        return result

    def load(self, state: State) -> None:
        self.space.run(self.trained[2][0].param_init_net)  # slots at 0: RmsProp takes a velocity, used or not
        self.feed("step", numpy.array([state.step]))
        for name, blob in self.parameters.items():
            self.feed(blob, state.parameters[name].T)
            for slot, arrays in state.slots.items():
                self.feed(f"{blob}_{slot}", self.sign * arrays[name].T)

    def state(self) -> State:
        own, slots = self.parameters.items(), active_slots(self.spec.optimizer)
        kept = {slot: {name: self.sign * self.fetch(f"{blob}_{slot}").T for name, blob in own} for slot in slots}
        return State({name: self.fetch(blob).T for name, blob in own}, kept, int(self.fetch("step")))

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda a: a.astype(numpy.int32) if a.dtype.kind == "i" else a)

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, lambda array: array)

    def compile(self, staged: Any) -> Dict[str, float]:
        return {}

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        step = partial(self.run, self.trained[len(staged[0])])
        return shared.loop(step, staged, steps, read_every, lambda loss: float(loss.fetch()))

    def probe(self, batch: Batch) -> Probe:
        loss, (model, blobs, _, _) = self.run(self.probed, *self.stage([batch])[0]).fetch(), self.probed
        found = {blob: self.fetch(str(gradient)) for blob, gradient in model.grad_map.items()}
        outputs = {node.name: self.fetch(blob) for node, blob in zip(self.spec.nodes, blobs)}
        at_outputs = {name: found.get(blob, numpy.zeros_like(outputs[name])) for name, blob in zip(outputs, blobs)}
        gradients = {name: found[blob].T for name, blob in self.parameters.items()}
        return Probe(float(loss), outputs, gradients, at_outputs, found["x"])

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [self.run(self.inferred, batch[0]).fetch() for batch in staged]
