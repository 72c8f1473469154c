"""MXNet by hand: Gluon layers, hybridized, and a Trainer."""

from __future__ import annotations

import mxnet
from mxnet import autograd, gluon, nd
from mxnet.gluon import nn

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


def layers(parameters: list[tuple[Array, Array]]) -> Native:
    """The net, holding our weights."""
    net, constant = nn.HybridSequential(), mxnet.init.Constant
    for i, (kernel, bias) in enumerate(parameters):
        options = {"weight_initializer": constant(nd.array(kernel.T)), "bias_initializer": constant(nd.array(bias))}
        net.add(nn.Dense(kernel.shape[1], activation=NET.activations[i], in_units=kernel.shape[0], **options))
    net.initialize()
    return net


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop; the trainer without a key-value store, which is for several devices."""
    net, criterion = layers(parameters), gluon.loss.SoftmaxCrossEntropyLoss()
    for block in (net, criterion):
        block.hybridize(static_alloc=True, static_shape=True)
    options = {"learning_rate": NET.learning_rate, "momentum": NET.momentum, "wd": 0.0}
    trainer = gluon.Trainer(net.collect_params(), "sgd", options, kvstore=None)

    def step(x: Native, y: Native) -> Native:
        with autograd.record():
            losses = criterion(net(x), y)
        losses.backward()
        trainer.step(len(y))
        return losses.mean()

    return loop(step, [(nd.array(x), nd.array(y)) for x, y in batches], lambda loss: float(loss.asscalar()))
