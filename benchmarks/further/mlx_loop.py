"""MLX by hand: an nn.Module, nn.value_and_grad, optim.SGD, and one mx.eval a step."""

from __future__ import annotations

import mlx.core as mx
from mlx import nn, optimizers

from benchmarks.expert.nets import ITEM, NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


class Model(nn.Module):
    """The layers, holding our weights."""

    def __init__(self, parameters: list[tuple[Array, Array]]) -> None:
        super().__init__()
        self.layers = [nn.Linear(*kernel.shape) for kernel, _ in parameters]
        for i, (kernel, bias) in enumerate(parameters):
            self.layers[i].weight, self.layers[i].bias = mx.array(kernel.T), mx.array(bias)

    def __call__(self, x: Native) -> Native:
        """The logits."""
        for layer in self.layers[:-1]:
            x = nn.relu(layer(x))
        return self.layers[-1](x)


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    mx.set_default_device(mx.cpu)
    model, optimizer = Model(parameters), optimizers.SGD(NET.learning_rate, momentum=NET.momentum)
    mx.eval(model.parameters())
    differentiated = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))

    def step(x: Native, y: Native) -> Native:
        loss, gradients = differentiated(x, y)
        optimizer.update(model, gradients)
        mx.eval(model.parameters(), optimizer.state, loss)
        return loss

    return loop(step, [(mx.array(x), mx.array(y)) for x, y in batches], ITEM)
