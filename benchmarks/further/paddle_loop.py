"""PaddlePaddle by hand: nn.Sequential, nn.CrossEntropyLoss and the Momentum optimizer, in dygraph mode."""

from __future__ import annotations

import paddle
from paddle import nn

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


def layers(parameters: list[tuple[Array, Array]]) -> Native:
    """The net, holding our weights."""
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 10))
    for i, (kernel, bias) in enumerate(parameters):
        net[2 * i].weight.set_value(kernel)
        net[2 * i].bias.set_value(bias)
    return net


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    net, criterion = layers(parameters), nn.CrossEntropyLoss()
    optimizer = paddle.optimizer.Momentum(NET.learning_rate, NET.momentum, net.parameters())

    def step(x: Native, y: Native) -> Native:
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad(set_to_zero=False)
        return loss

    return loop(step, [(paddle.to_tensor(x), paddle.to_tensor(y.astype("int64"))) for x, y in batches], float)
