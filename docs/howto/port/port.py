"""My port to PyTorch, as an arm: the module as I wrote it, and what harness has to know of it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

import backends.torch as adapter
from backends.torch.layout import channels_first, channels_last
from backends.torch.model import Net
from backends.torch.optimizers import Update
from harness.spec import ProgramSpec

REQUIRES = {"torch": "torch"}
MODES: dict[str, dict[str, dict[str, str]]] = {"": {}}
FORMS = adapter.FORMS  # what PyTorch fixes and no port can change: the moving variance of n - 1
versions = adapter.versions


class Port(nn.Module):
    """The port: what is to be tried, and all that you write for a model of your own but for NODES."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 6, 3, stride=2, padding=1)
        self.relu = nn.ReLU()
        self.norm = nn.BatchNorm2d(6)
        self.flatten = nn.Flatten()
        self.dense = nn.Linear(96, 10)

    def forward(self, x: Any) -> Any:
        """Logits of images `(rows, channels, height, width)`."""
        return self.dense(self.flatten(self.norm(self.relu(self.conv(x)))))


def optimizer_of(parameters: list[Any], spec: Any) -> torch.optim.Optimizer:
    """The port's optimizer. Its numbers are the experiment's, which are rounded to float32 once, for all frameworks."""
    return torch.optim.Adam(parameters, lr=spec.learning_rate, betas=(spec.beta_1, spec.beta_2))


#: node of the experiment (harness check names them) -> module of the port
NODES = {
    "conv2d_1": "conv", "conv2d_1/relu": "relu", "batch_normalization_1": "norm", "flatten_1": "flatten", "dense_1": "dense",
}  # fmt: skip
#: names of parameters and statistics: harness' -> PyTorch's
NAMES = {
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var",
}  # fmt: skip


def supports(spec: ProgramSpec, dtype: str, device: str, mode: str) -> list[str]:
    """Only the experiment that it is a port of."""
    names = [node.name for node in spec.nodes]
    return [] if names == list(NODES) else [f"the port has the nodes {', '.join(NODES)}, not {', '.join(names)}"]


class Ported(Net):
    """The adapter's own bookkeeping, with the port in the place of its layers."""

    def __init__(self, spec: ProgramSpec, device: Any, dtype: Any) -> None:
        super().__init__(spec, device, dtype, compiled=False)
        self.port, self.seen = Port().to(device, dtype), dict.fromkeys(self.names)
        for node, module in NODES.items():
            self.port.get_submodule(module).register_forward_hook(self.keep(node))
        self.tensors = {name: self.of_port(name) for name in self.tensors}
        self.statistics = {name: self.of_port(name) for name in self.statistics}

    def of_port(self, name: str) -> Any:
        """A tensor of the port by the experiment's name for it."""
        node, _, short = name.rpartition("/")
        return getattr(self.port.get_submodule(NODES[node]), NAMES[short])

    def keep(self, node: str) -> Any:
        """Remember a module's output, channels last as harness has all images."""

        def hook(module: Any, inputs: Any, output: Any) -> Any:
            self.seen[node] = channels_last(output) if output.dim() > 2 else output.view_as(output)
            return channels_first(self.seen[node]) if output.dim() > 2 else self.seen[node]

        return hook

    def outputs(self, *batch: Any) -> tuple[dict[str, Any], Any]:
        """Every node's output, and the loss."""
        loss = self.forward(*batch)
        return dict(self.seen), loss

    def forward(self, *batch: Any) -> Any:
        """The loss."""
        x, targets = batch
        return self.loss.function(self.port(channels_first(x)), targets)

    def infer(self, x: Any) -> Any:
        """The last output, in inference mode."""
        self.port.eval()
        with torch.inference_mode():
            y = self.port(channels_first(x))
        self.port.train()
        return y


class Program(adapter.Program):
    """The adapter's program, around the port."""

    def __init__(self, spec: ProgramSpec, dtype: str, device: str, mode: str) -> None:
        super().__init__(spec, dtype, device, "")
        self.net = Ported(spec, self.device, getattr(torch, dtype))
        self.parameters = list(self.net.tensors.values())
        self.update = Update(spec.optimizer, self.parameters)
        self.update.optimizer = optimizer_of(self.parameters, spec.optimizer)
        self.update.parts = self.update.in_order()
