"""PyTorch by hand."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import torch
import torch._dynamo  # the first optimizer would import it anyway: 1.1 s that belong to the import
from torch import nn
from torch.nn import functional

from benchmarks.expert.nets import NETS, Net, Train, batches, weights


def sequential(net: Net) -> nn.Sequential:
    """The model of the tutorials."""
    layers: list[nn.Module] = []
    for (kernel, bias), activation in zip(weights(net), net.activations, strict=True):
        linear = nn.Linear(*kernel.shape)
        with torch.no_grad():
            linear.weight.copy_(torch.tensor(kernel.T))
            linear.bias.copy_(torch.tensor(bias))
        layers += [linear, *([] if activation is None else [nn.ReLU() if activation == "relu" else nn.Sigmoid()])]
    return nn.Sequential(*layers)


def functions(net: Net, parameters: list[Any]) -> Callable[[Any], Any]:
    """The same forward pass without modules: no `__call__`, no attribute look-ups through `nn.Module.__getattr__`."""
    names = {"relu": torch.relu, "sigmoid": torch.sigmoid}
    acts = [names[a] if a else None for a in net.activations]
    layers = list(zip(parameters[::2], parameters[1::2], acts, strict=True))
    linear = functional.linear

    def forward(x: Any) -> Any:
        for kernel, bias, activation in layers:
            x = linear(x, kernel, bias)
            if activation is not None:
                x = activation(x)
        return x
    return forward


class Lean(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.inner = sequential(net)
        self.forward = functions(net, list(self.inner.parameters()))


def resident(net: Net) -> Any:
    """Batches as tensors of their own; `cross_entropy` wants int64 labels."""
    return cycle([(torch.tensor(x), torch.tensor(y) if net.loss == "mse" else torch.tensor(y).long()) for x, y in batches(net)])


def optimizer_of(net: Net, parameters: Any, **options: Any) -> Any:
    if net.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=net.learning_rate, betas=(net.beta_1, net.beta_2), eps=net.epsilon, **options)
    return torch.optim.SGD(parameters, lr=net.learning_rate, momentum=net.momentum, **options)


def timed(one, batches_):
    clock = time.perf_counter_ns
    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(batches_, steps):
            losses.append(one(x, y))
            stamps.append(clock())
        return losses, stamps
    return train


def optim(name, forward_kind="sequential", zero="before", **options):
    net = NETS[name]
    model = sequential(net)
    opt = optimizer_of(net, model.parameters(), **options)
    forward = model if forward_kind == "sequential" else functions(net, list(model.parameters())) if forward_kind == "functions" else Lean(net)
    if forward_kind == "lean":
        opt = optimizer_of(net, forward.parameters(), **options)
    criterion = functional.mse_loss if net.loss == "mse" else functional.cross_entropy
    batches_ = resident(net)
    clock = time.perf_counter_ns
    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        for x, y in islice(batches_, steps):
            opt.zero_grad(set_to_none=zero != "keep")
            loss = criterion(forward(x), y)
            loss.backward()
            opt.step()
            losses.append(loss.item())
            stamps.append(clock())
        return losses, stamps
    return train

def hand(name, fused=True, grad=True):
    net = NETS[name]
    model = sequential(net)
    params = list(model.parameters())
    forward = functions(net, params)
    criterion = functional.mse_loss if net.loss == "mse" else functional.cross_entropy
    m = [torch.zeros_like(p) for p in params]
    v = [torch.zeros_like(p) for p in params]
    steps_ = [torch.zeros(()) for p in params]
    batches_ = resident(net)
    clock = time.perf_counter_ns
    lr = net.learning_rate
    datas = [p.data for p in params]
    def train(steps: int) -> tuple[list[float], list[int]]:
        losses, stamps = [], []
        first = False
        for x, y in islice(batches_, steps):
            loss = criterion(forward(x), y)
            grads = torch.autograd.grad(loss, params)
            if net.optimizer == "adam":
                torch._foreach_add_(steps_, 1)
                torch._fused_adam_(datas, list(grads), m, v, [], steps_, lr=lr, beta1=net.beta_1, beta2=net.beta_2, weight_decay=0., eps=net.epsilon, amsgrad=False, maximize=False)
            elif not fused:
                if net.momentum:
                    torch._foreach_mul_(m, net.momentum); torch._foreach_add_(m, grads); torch._foreach_add_(datas, m, alpha=-lr)
                else:
                    torch._foreach_add_(datas, grads, alpha=-lr)
            else:
                torch._fused_sgd_(datas, list(grads), m if net.momentum else [], weight_decay=0., momentum=net.momentum, lr=lr, dampening=0., nesterov=False, maximize=False, is_first_step=first)
            losses.append(loss.item())
            stamps.append(clock())
        return losses, stamps
    return train

def compiled(name, whole=False, lean=False, options=None, **opts):
    net = NETS[name]
    model = sequential(net)
    opt = optimizer_of(net, model.parameters(), **opts)
    criterion = functional.mse_loss if net.loss == "mse" else functional.cross_entropy
    def loss_of(x, y):
        return criterion(model(x), y)
    if whole:
        def step(x, y):
            opt.zero_grad()
            loss = criterion(model(x), y)
            loss.backward()
            opt.step()
            return loss
        if whole == "opt":
            lossc = torch.compile(loss_of)
            ostep = torch.compile(opt.step)
            def one(x, y):
                opt.zero_grad()
                loss = lossc(x, y)
                loss.backward()
                ostep()
                return loss.item()
        else:
            c = torch.compile(step, options=options)
            def one(x, y):
                return c(x, y).item()
    else:
        c = torch.compile(loss_of, options=options) if not lean else None
        cm = torch.compile(model)
        def one(x, y):
            opt.zero_grad()
            loss = c(x, y) if c else criterion(cm(x), y)
            loss.backward()
            opt.step()
            return loss.item()
    return timed(one, resident(net))

WAYS: dict[str, Callable[[str], Train]] = {
    "sequential": optim,
    "sequential foreach": lambda n: optim(n, foreach=True),
    "sequential fused": lambda n: optim(n, fused=True),
    "sequential fused zero=False": lambda n: optim(n, zero="keep", fused=True),
    "functions fused": lambda n: optim(n, "functions", fused=True),
    "functions foreach": lambda n: optim(n, "functions", foreach=True),
    "lean fused": lambda n: optim(n, "lean", fused=True),
    "hand fused": hand,
    "hand foreach": lambda n: hand(n, False),
    "compile model": lambda n: compiled(n, lean=True, fused=True),
    "compile loss": lambda n: compiled(n, fused=True),
    "compile loss foreach": lambda n: compiled(n, foreach=True),
    "compile loss, step": lambda n: compiled(n, whole="opt"),
    "compile whole": lambda n: compiled(n, whole=True),
}

def build(net: str, way: str) -> Train:
    return WAYS[way](net)
BEST: dict[str,str] = {}
