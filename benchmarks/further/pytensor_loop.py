"""PyTensor by hand: shared variables, grad, and one compiled function that also makes the updates."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


def loss_of(shared: list[Native], x: Native, y: Native) -> Native:
    """The loss of a batch; `shared` are kernels and biases in turn."""
    for i in range(0, len(shared), 2):
        x = pt.dot(x, shared[i]) + shared[i + 1]
        x = pt.switch(x > 0, x, 0) if i < len(shared) - 2 else x
    return -pt.mean(pt.special.log_softmax(x, axis=1)[pt.arange(y.shape[0]), y])


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop."""
    with pytensor.config.change_flags(floatX="float32"):
        x, y, updates = pt.matrix("x"), pt.lvector("y"), []
        shared = [pytensor.shared(array.copy(), shape=array.shape) for pair in parameters for array in pair]
        loss = loss_of(shared, x, y)
        for i, gradient in enumerate(pytensor.grad(loss, shared)):
            array = shared[i].get_value()
            velocity = pytensor.shared(np.zeros_like(array), shape=array.shape)
            moved = np.float32(NET.momentum) * velocity + gradient
            updates += [(velocity, moved), (shared[i], shared[i] - np.float32(NET.learning_rate) * moved)]
        train = pytensor.function([x, y], loss, updates=updates, trust_input=True)
    return loop(train, [(x, y.astype("int64")) for x, y in batches], float)
