"""The program: a module trained by autograd and torch.optim, one batch after the other."""

from __future__ import annotations

import time
from contextlib import contextmanager
from itertools import cycle
from typing import Any, Dict, Iterator, List, Sequence, Tuple

import torch
import torch._dynamo  # the first optimizer would import it, a second that belongs to the import

from harness.interface import Batch, Probe, State, Trace, masked, shared
from harness.spec import ProgramSpec, active_slots

from .machine import gpu
from .model import Net
from .optimizers import Update
from .tensors import plain

torch.set_float32_matmul_precision("highest")  # else GPUs may multiply float32 in less
torch.backends.cudnn.allow_tf32 = False

#: formulas of torch's own that are not the canonical ones
FORMS: Dict[str, str] = {"adamax.epsilon": "norm", "batch_normalization.variance": "unbiased"}

Staged = List[Tuple[Any, ...]]


class Program:
    """A module, its loss and its optimizer. In mode compile forward and loss are compiled, and so is their backward."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        torch.manual_seed(0)  # of torch's own dropout
        self.spec, self.dtype, self.mode = spec, dtype, mode
        self.device = torch.device(gpu() if device == "gpu" else "cpu")
        self.net = Net(spec, self.device, getattr(torch, dtype), compiled=mode == "compile")
        self.parameters = list(self.net.tensors.values())
        self.update = Update(spec.optimizer, self.parameters)

    def load(self, state: State) -> None:
        """Take a state in; see the contract."""
        net = self.net
        with torch.no_grad():
            for name, tensor in net.tensors.items():
                tensor.copy_(net.native(name, state.parameters[name]))
            for name, tensor in net.statistics.items():
                tensor.copy_(torch.from_numpy(state.statistics[name]))
        slots = {
            slot: {name: net.native(name, array) for name, array in state.slots[slot].items()}
            for slot in active_slots(self.spec.optimizer)
        }
        self.update.load(state.step, slots, net.tensors)

    def state(self) -> State:
        """The present state, copied."""
        net, update = self.net, self.update
        parameters = {name: net.canonical(name, tensor) for name, tensor in net.tensors.items()}
        slots = {
            slot: {name: net.canonical(name, update.slot(slot, tensor)) for name, tensor in net.tensors.items()}
            for slot in active_slots(self.spec.optimizer)
        }
        return State(parameters, slots, update.steps, {name: plain(tensor) for name, tensor in net.statistics.items()})

    def stage(self, batches: Sequence[Batch]) -> Staged:
        """`(inputs, targets, [weights,] *masks and noise)` as tensors on the device."""
        return shared.stage(self.spec, batches, self.dtype, lambda array: torch.from_numpy(array).to(self.device))

    def unstage(self, staged: Staged) -> List[Batch]:
        """Back to numpy."""
        return shared.unstage(self.spec, staged, self.dtype, plain)

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Forward moves statistics and random numbers; behind this they are as before."""
        kept = {name: tensor.clone() for name, tensor in self.net.statistics.items()}
        with torch.random.fork_rng([self.device] if self.device.type == "cuda" else []):
            yield
        for name, tensor in kept.items():
            self.net.statistics[name].copy_(tensor)

    def compile(self, staged: Staged) -> Dict[str, float]:
        """Forward and backward once for every shape of a batch."""
        if self.mode != "compile":
            return {}
        start = time.perf_counter()
        with self.unchanged():
            for batch in {tuple(tensor.shape for tensor in batch): batch for batch in staged}.values():
                torch.autograd.grad(self.net.forward(*batch), self.parameters)
        self.synchronize()
        return {"compile": time.perf_counter() - start}

    def train(self, staged: Staged, steps: int, read_every: int = 1) -> Trace:
        """Forward, backward, update; see the contract."""
        clock, loss_of, update = time.perf_counter_ns, self.net.forward, self.update
        losses: List[float] = []
        stamps = [clock()]
        for index, batch in zip(range(1, steps + 1), cycle(staged)):
            loss = loss_of(*batch)
            loss.backward()
            update()
            if index % read_every == 0:
                losses.append(loss.item())
                stamps.append(clock())
        self.synchronize()
        return Trace(losses, stamps)

    def synchronize(self) -> None:
        """Wait for the device."""
        if self.device.type != "cpu":
            getattr(torch, self.device.type).synchronize()

    def probe(self, batch: Batch) -> Probe:
        """Loss, outputs and gradients of one batch; see the contract."""
        given = Batch(batch.inputs, batch.targets, masked(self.spec, batch.masks), batch.weights)
        x, *rest = self.stage([given])[0]
        inputs = [x.requires_grad_()] if x.is_floating_point() else []
        with self.unchanged():
            outputs, loss = self.net.outputs(x, *rest)
            wanted = [*self.parameters, *outputs.values(), *inputs]
            found = torch.autograd.grad(loss, wanted, allow_unused=True, materialize_grads=True)
        count, end = len(self.parameters), len(self.parameters) + len(outputs)
        gradients = {name: self.net.canonical(name, gradient) for name, gradient in zip(self.net.tensors, found)}
        at_outputs = dict(zip(outputs, map(plain, found[count:end])))
        values = {name: plain(output) for name, output in outputs.items()}
        return Probe(loss.item(), values, gradients, at_outputs, plain(found[end]) if inputs else None)

    def predict(self, staged: Staged) -> List[Any]:
        """Outputs in inference mode, eager in every mode; see the contract."""
        return [plain(self.net.infer(batch[0])) for batch in staged]
