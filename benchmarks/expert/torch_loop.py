"""PyTorch by hand.

What makes a step fast, measured with one thread on xor (a step of the tutorials: 125 us):

- forward by `functional.linear` on a list of parameters instead of modules: -11 us (`__call__`, `__getattr__`).
- `optimizer.zero_grad()` 10 us; `p.grad = None` in a loop, or `torch.autograd.grad`, which leaves no `.grad`: 0.
- `optimizer.step()` 25 us, of which 10 are profiler hooks; `torch.optim.sgd.sgd` on the same lists 12; `torch._fused_sgd_` 5.
- `fused=True` pays from digits-mlp on (one pass over memory), `foreach=True` never does on a CPU.
- `torch.compile` of the loss alone is slower than eager (guards, and autograd round the graph). `torch.func.grad_and_value`
  inside the compiled function gives one graph without autograd, twice as fast as eager; `cpp_wrapper` takes off 10 us more.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch._dynamo  # the first optimizer would import it anyway: 1.1 s that belong to the import
from torch.nn import functional

from benchmarks.expert.nets import NETS, Native, Net, Step, Train, batches, loop, weights

ACTIVATIONS: dict[str | None, Native] = {"relu": torch.relu, "sigmoid": torch.sigmoid}


def modules(net: Net) -> Native:
    """The model of the tutorials, holding our weights."""
    layers: list[torch.nn.Module] = []
    for (kernel, bias), activation in zip(weights(net), net.activations, strict=True):
        linear = torch.nn.Linear(*kernel.shape)
        linear.load_state_dict({"weight": torch.tensor(kernel.T), "bias": torch.tensor(bias)})
        layers += [linear, *([] if activation is None else [torch.nn.ReLU() if activation == "relu" else torch.nn.Sigmoid()])]
    return torch.nn.Sequential(*layers)


def functions(net: Net, parameters: Native, x: Native) -> Native:
    """The same forward pass without modules."""
    for i, activation in enumerate(net.activations):
        x = functional.linear(x, parameters[2 * i], parameters[2 * i + 1])
        if activation is not None:
            x = ACTIVATIONS[activation](x)
    return x


def library(net: Net, parameters: Native, **options: bool) -> Native:
    """The optimizer object."""
    if net.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=net.learning_rate, betas=(net.beta_1, net.beta_2), eps=net.epsilon, **options)
    return torch.optim.SGD(parameters, lr=net.learning_rate, momentum=net.momentum, **options)


def kernels(net: Net, parameters: list[Native]) -> Callable[[Native], None]:
    """The kernels under `fused=True`, called directly: detached parameters need no `no_grad`, zero slots no first step."""
    first, second = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
    counts = [torch.zeros(()) for _ in parameters]
    both: dict[str, Native] = {"lr": net.learning_rate, "weight_decay": 0.0, "maximize": False}
    adam = both | {"beta1": net.beta_1, "beta2": net.beta_2, "eps": net.epsilon, "amsgrad": False}
    sgd = both | {"momentum": net.momentum, "dampening": 0.0, "nesterov": False, "is_first_step": False}
    velocity = first if net.momentum else []

    def update(gradients: Native) -> None:
        if net.optimizer == "adam":
            torch._foreach_add_(counts, 1)
            torch._fused_adam_(parameters, gradients, first, second, [], counts, **adam)
        else:
            torch._fused_sgd_(parameters, gradients, velocity, **sgd)

    return update


def eager(net: Net, lean: bool = False, zero: bool = True, compiled: bool = False, **options: bool) -> Step:
    """A step with the optimizer object; `lean` without modules, not `zero` drops gradients by hand."""
    model, criterion = modules(net), functional.mse_loss if net.loss == "mse" else functional.cross_entropy
    parameters = list(model.parameters())
    optimizer = library(net, parameters, **options)

    def loss_of(x: Native, y: Native) -> Native:
        return criterion(functions(net, parameters, x) if lean else model(x), y)

    call = torch.compile(loss_of) if compiled else loss_of

    def step(x: Native, y: Native) -> Native:
        if zero:
            optimizer.zero_grad(set_to_none=True)
        else:
            for p in parameters:
                p.grad = None
        loss = call(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def direct(net: Net, one_graph: bool = False, **options: Native) -> Step:
    """A step that calls the update's kernels; `one_graph` compiles forward and backward together through `torch.func`."""
    parameters = list(modules(net).parameters())
    update = kernels(net, [p.detach() for p in parameters])
    criterion = functional.mse_loss if net.loss == "mse" else functional.cross_entropy

    def loss_of(parameters: Native, x: Native, y: Native) -> Native:
        return criterion(functions(net, parameters, x), y)

    if one_graph:
        values = [p.detach() for p in parameters]
        graph = torch.compile(torch.func.grad_and_value(loss_of), fullgraph=True, options=options or None)

    def step(x: Native, y: Native) -> Native:
        if one_graph:
            gradients, loss = graph(values, x, y)
        else:
            loss = loss_of(parameters, x, y)
            gradients = torch.autograd.grad(loss, parameters)
        update(gradients)
        return loss

    return step


WAYS: dict[str, Callable[[Net], Step]] = {
    "modules, optim": eager,
    "modules, optim foreach": lambda net: eager(net, foreach=True),
    "modules, optim fused": lambda net: eager(net, fused=True),
    "functions, optim fused": lambda net: eager(net, lean=True, zero=False, fused=True),
    "functions, kernels": direct,
    "compile: loss, optim fused": lambda net: eager(net, compiled=True, fused=True),
    "compile: one graph, kernels": lambda net: direct(net, one_graph=True),
    "compile: one graph, cpp_wrapper": lambda net: direct(net, one_graph=True, cpp_wrapper=True),
}
BEST: dict[str, str] = dict.fromkeys(NETS, "functions, kernels") | dict.fromkeys(
    (f"{net}:compile" for net in NETS), "compile: one graph, cpp_wrapper"
)
ORDINARY: dict[str, str] = dict.fromkeys(NETS, "functions, optim fused") | dict.fromkeys(
    (f"{net}:compile" for net in NETS), "compile: loss, optim fused"
)


def build(net: str, way: str) -> Train:
    """The loop of one way; `cross_entropy` wants int64 labels, and `torch.tensor` copies, where `from_numpy` would alias."""
    found, labels = NETS[net], torch.float32 if NETS[net].loss == "mse" else torch.int64
    return loop(WAYS[way](found), [(torch.tensor(x), torch.tensor(y, dtype=labels)) for x, y in batches(found)])
