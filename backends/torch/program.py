"""The program: a module trained by autograd and torch.optim, one batch after the other."""

from __future__ import annotations

import os
import platform
import shutil
import time
from itertools import cycle
from typing import Any, Dict, List, Sequence, Tuple

import numpy
import torch
import torch._dynamo  # the first optimizer would import it, a second that belongs to the import

from harness.interface import Batch, Probe, State, Trace, masked, missing_device, numpy_batches, unsupported
from harness.spec import SGD, AdamW, Dropout, ProgramSpec, RMSprop, active_slots

from .model import ACTIVATIONS, LAYERS, LOSSES, Net

torch.set_float32_matmul_precision("highest")  # else GPUs may multiply float32 in less
torch.backends.cudnn.allow_tf32 = False

#: torch computes every canonical form
FORMS: Dict[str, str] = {}

#: canonical slot -> torch's, by optimizer
SLOTS = {
    "sgd": {"velocity": "momentum_buffer"},
    "adam": {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"},
    "adamw": {"first_moment": "exp_avg", "second_moment": "exp_avg_sq"},
    "rmsprop": {"mean_square": "square_avg", "velocity": "momentum_buffer"},
}

Staged = List[Tuple[Any, ...]]


def gpu() -> str:
    """What torch calls the GPU here; empty where there is none."""
    return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else ""


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> List[str]:
    """The reasons why not; empty when it can."""
    reasons = missing_device(device, bool(gpu()), "torch")
    if device == "gpu" and gpu() == "mps" and dtype == "float64":
        reasons.append("Apple's GPUs have no float64")
    if mode == "compile" and not any(shutil.which(name) for name in (os.environ.get("CXX", ""), "g++", "clang++") if name):
        reasons.append("torch.compile needs a C++ compiler: neither $CXX nor g++ nor clang++ is there")
    return reasons + unsupported(spec, layers=LAYERS, activations=ACTIVATIONS, losses=LOSSES, optimizers=SLOTS)


def versions() -> Dict[str, Any]:
    """Versions, instruction set, threads, and what may make a float32 less than that."""
    return {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cuda": torch.version.cuda,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else gpu() or None,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "mkl": torch.backends.mkl.is_available(),
        "mkldnn": torch.backends.mkldnn.is_available(),
        "threads": torch.get_num_threads(),
        "interop_threads": torch.get_num_interop_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "deterministic": torch.are_deterministic_algorithms_enabled(),
    }


def optimizer(spec: Any, parameters: List[Any]) -> Any:
    """Torch's own optimizer, fused where there is a fused one: the fastest, on CPU as well."""
    rate = spec.learning_rate
    if isinstance(spec, SGD):
        return torch.optim.SGD(parameters, rate, momentum=spec.momentum, nesterov=spec.nesterov, fused=True)
    if isinstance(spec, RMSprop):
        return torch.optim.RMSprop(parameters, rate, alpha=spec.rho, eps=spec.epsilon, momentum=spec.momentum, foreach=True)
    options = {"betas": (spec.beta_1, spec.beta_2), "eps": spec.epsilon, "fused": True}
    if isinstance(spec, AdamW):
        return torch.optim.AdamW(parameters, rate, weight_decay=spec.weight_decay, **options)
    return torch.optim.Adam(parameters, rate, weight_decay=0.0, **options)


class Program:
    """A module, its loss and its optimizer. In mode compile forward and loss are compiled, and so is their backward."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        torch.manual_seed(0)  # of torch's own dropout
        self.spec, self.dtype, self.mode = spec, dtype, mode
        self.device = torch.device(gpu() if device == "gpu" else "cpu")
        self.net = Net(spec, dtype=getattr(torch, dtype), device=self.device)
        self.parameters = list(self.net.tensors.values())
        self.optimizer = optimizer(spec.optimizer, self.parameters)
        self.slots = {name: SLOTS[spec.optimizer.type][name] for name in active_slots(spec.optimizer)}
        self.drops = [node.name for node in spec.nodes if isinstance(node.layer, Dropout)]
        self.steps = 0
        net, loss = self.net, LOSSES[spec.loss.type]

        def loss_of(x: Any, y: Any, *masks: Any) -> Any:
            return loss(net(x, *masks), y)

        # Dynamo keeps 8 compilations of a code object, which all programs of a process would share: each gets its own
        loss_of.__code__ = loss_of.__code__.replace()
        self.loss_of = torch.compile(loss_of, fullgraph=True, dynamic=False) if mode == "compile" else loss_of

    def native(self, array: Any) -> Any:
        """A canonical array as a tensor of its own, in torch's layout. Contiguous: on the CPU, fused optimizers ignore strides,
        and silently pair the wrong numbers of a parameter and its slots."""
        return torch.tensor(numpy.array(array.T, order="C"), dtype=getattr(torch, self.dtype), device=self.device)

    def load(self, state: State) -> None:
        """Take a state in; see the contract. Torch makes slots lazily, so they are always put in."""
        self.steps = state.step
        with torch.no_grad():
            for name, tensor in self.net.tensors.items():
                tensor.copy_(self.native(state.parameters[name]))
                slots = {own: self.native(state.slots[slot][name]) for slot, own in self.slots.items()}
                if not isinstance(self.spec.optimizer, SGD):  # fused optimizers count on the device
                    slots["step"] = torch.tensor(float(state.step), device="cpu" if "square_avg" in slots else self.device)
                self.optimizer.state[tensor] = slots

    def state(self) -> State:
        """The present state, copied."""
        tensors, kept = self.net.tensors, self.optimizer.state
        slots = {
            slot: {name: canonical(kept[tensor][own]) for name, tensor in tensors.items()} for slot, own in self.slots.items()
        }
        steps = int(kept[self.parameters[0]].get("step", self.steps))  # SGD counts none
        return State({name: canonical(tensor) for name, tensor in tensors.items()}, slots, steps)

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """`(inputs, targets, *masks)` as tensors on the device."""
        staged = []
        for batch in numpy_batches(batches, self.dtype):
            masks = [] if batch.masks is None else masked(self.spec, batch.masks).values()
            staged.append(tuple(torch.from_numpy(array).to(self.device) for array in (batch.inputs, batch.targets, *masks)))
        return staged

    def unstage(self, staged: Staged) -> List[Batch]:
        """Back to numpy."""
        arrays = [[tensor.cpu().numpy().copy() for tensor in batch] for batch in staged]
        return [Batch(x, y, dict(zip(self.drops, masks)) if masks else None) for x, y, *masks in arrays]

    def compile(self, staged: Staged) -> Dict[str, float]:
        """Forward and backward once for every shape of a batch."""
        if self.mode != "compile":
            return {}
        start = time.perf_counter()
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            for batch in {tuple(tensor.shape for tensor in batch): batch for batch in staged}.values():
                torch.autograd.grad(self.loss_of(*batch), self.parameters)
        self.synchronize()
        return {"compile": time.perf_counter() - start}

    def train(self, staged: Staged, steps: int, read_every: int = 1) -> Trace:
        """Clear, forward, backward, update; see the contract."""
        clock, parameters, loss_of, update = time.perf_counter_ns, self.parameters, self.loss_of, self.optimizer.step
        losses: List[float] = []
        stamps = [clock()]
        for index, batch in zip(range(1, steps + 1), cycle(staged)):
            for parameter in parameters:  # optimizer.zero_grad() does the same, but costs 5 % of a small net's step
                parameter.grad = None
            loss = loss_of(*batch)
            loss.backward()
            update()
            if index % read_every == 0:
                losses.append(loss.item())
                stamps.append(clock())
        self.steps += steps
        self.synchronize()
        return Trace(losses, stamps)

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        masks = masked(self.spec, batch.masks)
        x, y, *native = self.stage([Batch(batch.inputs, batch.targets, masks)])[0]
        names = [node.name for node in self.spec.nodes]
        outputs = self.net.outputs(x.requires_grad_(), tuple(native))
        loss = LOSSES[self.spec.loss.type](outputs[self.spec.loss_node], y)
        wanted = [*self.parameters, *outputs, x]
        found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        count = len(self.parameters)
        gradients = dict(zip(self.net.tensors, map(canonical, found[:count])))
        at_outputs, values = map(plain, found[count:-1]), map(plain, outputs)
        return Probe(loss.item(), dict(zip(names, values)), gradients, dict(zip(names, at_outputs)), plain(found[-1]))

    def predict(self, staged: Staged) -> List[Any]:
        """Outputs in inference mode, eager in every mode; see the contract."""
        return [plain(self.net.infer(batch[0])) for batch in staged]


def plain(tensor: Any) -> Any:
    """A tensor as a numpy array of its own."""
    return numpy.array(tensor.detach().cpu().numpy(), order="C")


def canonical(tensor: Any) -> Any:
    """A parameter or a slot as a numpy array of its own, in canonical layout."""
    return numpy.array(tensor.detach().cpu().numpy().T, order="C")
