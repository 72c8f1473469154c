"""Chainer by hand: a Chain of Linear links and the MomentumSGD optimizer."""

from __future__ import annotations

import chainer
from chainer import functions, links

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


class Model(chainer.Chain):
    """Three links."""

    def __init__(self, parameters: list[tuple[Array, Array]]) -> None:
        super().__init__()
        with self.init_scope():
            self.l1, self.l2, self.l3 = (links.Linear(*k.shape, initialW=k.T, initial_bias=b) for k, b in parameters)

    def forward(self, x: Native) -> Native:
        """The logits."""
        return self.l3(functions.relu(self.l2(functions.relu(self.l1(x)))))


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop; labels have to be int32."""
    model, optimizer = Model(parameters), chainer.optimizers.MomentumSGD(NET.learning_rate, NET.momentum)
    optimizer.setup(model)

    def step(x: Array, y: Array) -> Native:
        loss = functions.softmax_cross_entropy(model(x), y)
        model.cleargrads()
        loss.backward()
        optimizer.update()
        return loss.array

    return loop(step, batches, float)
