"""tinygrad: its losses, nn.optim and one TinyJit of the whole step, on its CPU device, which calls clang."""

from __future__ import annotations

import os
import shutil
import sys
from collections import defaultdict
from importlib import metadata, util
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy
from tinygrad import Context, Tensor, TinyJit, helpers, nn

from harness.interface import Batch, Probe, State, Trace, flat_state, nested_state, shared
from harness.spec import ProgramSpec, RMSprop, active_slots

REQUIRES = {"tinygrad": ""}
MODES = {"": {"variables": {"DEV": "CPU"}}}
FORMS: Dict[str, str] = {}
#: Zig's clang, spoken to in its own words; with debugging sections tinygrad cannot load what it compiles
ZIG = 'exec "{}" -m ziglang cc -g0 $(echo "$@" | sed "s/-target=/target /; s/none-unknown-elf/freestanding-none/; s/march/mcpu/")'
SCRIPT = Path(helpers.cache_dir, "zig-clang")
PART = SCRIPT.with_suffix(f".{os.getpid()}")
PART.parent.mkdir(parents=True, exist_ok=True)
PART.write_text("#!/bin/sh\n" + ZIG.format(sys.executable), encoding="utf-8")
PART.chmod(0o755)
PART.replace(SCRIPT)  # at once: other workers may be running it
os.environ["CC"] = shutil.which("clang") or str(SCRIPT)
LAYERS = {"flatten": lambda node, x: x.flatten(1), "dropout": lambda node, x: x.dropout(node.layer.rate)}
ACTIVATIONS = {name: getattr(Tensor, name) for name in ("sigmoid", "tanh", "relu", "softmax")}
ACTIVATIONS.update(linear=lambda z: z, step=lambda z: (z > 0).cast(z.dtype))
LOSSES: Dict[str, Callable[[Any, Any], Any]] = {
    "mse": lambda p, y: (p - y).square().mean(), "mae": lambda p, y: (p - y).abs().mean(),
    "binary_cross_entropy": Tensor.binary_crossentropy_logits, "softmax_cross_entropy": Tensor.cross_entropy,
    "hinge": lambda z, y: (1 - y * z).relu().mean(), "perceptron": lambda z, y: (y * z <= 0).where(-y * z, 0).mean(),
}  # fmt: skip
OPTIMIZERS: Dict[str, Callable[[Any, Any], Any]] = {
    "sgd": lambda o, tensors: nn.optim.SGD(tensors, o.learning_rate, o.momentum, nesterov=o.nesterov),
    "adam": lambda o, tensors: nn.optim.Adam(tensors, o.learning_rate, o.beta_1, o.beta_2, o.epsilon),
    "adamw": lambda o, tensors: nn.optim.AdamW(tensors, o.learning_rate, o.beta_1, o.beta_2, o.epsilon, o.weight_decay),
    "rmsprop": lambda o, tensors: nn.optim.Adam(tensors, o.learning_rate, 0.0, o.rho, o.epsilon),  # its powers kept at 0
}
SLOTS = {"velocity": "b", "first_moment": "m", "second_moment": "v", "mean_square": "v"}


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = shared.unsupported(spec, layers={"dense", *LAYERS}, activations=ACTIVATIONS, losses=LOSSES, optimizers=OPTIMIZERS)
    if not (shutil.which("clang") or util.find_spec("ziglang")):
        reasons.append("tinygrad's CPU device needs clang, or the package ziglang in its place")
    if isinstance(spec.optimizer, RMSprop) and spec.optimizer.momentum:
        reasons.append("tinygrad has no RMSprop with momentum")
    return reasons + (["this adapter uses tinygrad on the CPU only"] if device == "gpu" else [])


def versions() -> Dict[str, Any]:
    """Versions of tinygrad and numpy, and the compiler that tinygrad calls."""
    return {"tinygrad": metadata.version("tinygrad"), "numpy": numpy.__version__, "compiler": Path(os.environ["CC"]).name}


class Program:
    """Parameters and slots in tensors that keep their buffers, and one captured step for each shape of a batch."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        Tensor.manual_seed(0)  # of tinygrad's own dropout
        self.spec, self.dtype, self.loss, self.trained = spec, dtype, LOSSES[spec.loss.type], spec.nodes[: spec.loss_node + 1]
        self.parameters = own = {item.name: Tensor.zeros(item.shape) for item in spec.parameters}
        self.layers = {**LAYERS, "dense": lambda node, x: x.linear(own[f"{node.name}/kernel"], own.get(f"{node.name}/bias"))}
        self.optimizer = OPTIMIZERS[spec.optimizer.type](spec.optimizer, [*own.values()])
        for tensor in nn.state.get_parameters(self.optimizer):  # all that it keeps is float32
            tensor.replace(tensor.cast(dtype).contiguous().realize())
        slots = {f"slots/{slot}": getattr(self.optimizer, SLOTS[slot]) for slot in active_slots(spec.optimizer)}
        lists = {"parameters": own.values(), **slots}
        self.kept = {f"{group}/{name}": tensor for group, tensors in lists.items() for name, tensor in zip(own, tensors)}
        self.kept.update({name: tensor for name, tensor in vars(self.optimizer).items() if name in ("b1_t", "b2_t")})
        self.jitted: Any = defaultdict(lambda: TinyJit(self.stepped))

    def load(self, state: State) -> None:
        betas = {"b1_t": getattr(self.spec.optimizer, "beta_1", 0.0), "b2_t": getattr(self.spec.optimizer, "beta_2", 0.0)}
        self.steps, arrays = state.step, {**flat_state(state), **{name: [b and b**state.step] for name, b in betas.items()}}
        for name, tensor in self.kept.items():
            tensor.assign(Tensor(numpy.asarray(arrays[name], self.dtype))).realize()

    def state(self) -> State:
        return nested_state({**{name: tensor.numpy() for name, tensor in self.kept.items()}, "step": self.steps})

    def stage(self, batches: Sequence[Batch]) -> List[Tuple[Any, ...]]:
        return shared.stage(self.spec, batches, self.dtype, lambda array: Tensor(array).realize())

    def unstage(self, staged: List[Tuple[Any, ...]]) -> List[Batch]:
        return shared.unstage(self.spec, staged, self.dtype, Tensor.numpy)

    def compile(self, staged: Any) -> Dict[str, float]:
        before, shapes = self.state(), {batch[0].shape: batch for batch in staged}
        traces = [self.train([batch], 2) for batch in shapes.values()]  # TinyJit captures its second call
        self.load(before)
        return {"compile": sum(trace.stamps[-1] - trace.stamps[0] for trace in traces) / 1e9}

    def stepped(self, x: Any, y: Any, *masks: Any) -> Any:
        with Context(TRAINING=1):
            self.optimizer.zero_grad()
            loss = self.loss(shared.forward(self.trained, x, masks or None, self.layers, ACTIVATIONS)[-1], y).backward()
            return loss.realize(*self.optimizer.schedule_step())

    def train(self, staged: List[Tuple[Any, ...]], steps: int, read_every: int = 1) -> Trace:
        self.steps += steps
        return shared.loop(lambda x, *rest: self.jitted[x.shape, len(rest)](x, *rest), staged, steps, read_every, Tensor.item)

    def probe(self, batch: Batch) -> Probe:
        x, y, *masks = self.stage([Batch(batch.inputs, batch.targets, shared.masked(self.spec, batch.masks))])[0]
        outputs = shared.forward(self.spec.nodes, x, masks, self.layers, ACTIVATIONS)
        loss, names = self.loss(outputs[self.spec.loss_node], y), [node.name for node in self.spec.nodes]
        gradients = dict(zip(self.parameters, map(Tensor.numpy, loss.gradient(*self.parameters.values()))))
        *back, at_input = map(Tensor.numpy, loss.gradient(*outputs, x))
        return Probe(loss.item(), dict(zip(names, map(Tensor.numpy, outputs))), gradients, dict(zip(names, back)), at_input)

    def predict(self, staged: List[Tuple[Any, ...]]) -> List[Any]:
        return [shared.forward(self.spec.nodes, batch[0], None, self.layers, ACTIVATIONS)[-1].numpy() for batch in staged]
