"""Caffe2 by hand: brew, its gradient operators and MomentumSGDUpdate; FeedBlob, RunNet and FetchBlob in every step."""

from __future__ import annotations

import numpy as np
from caffe2.python import brew, model_helper, workspace

from benchmarks.expert.nets import NETS, Array, Native, Train, loop

NET = NETS["digits-mlp"]


def model_of(sizes: tuple[int, ...]) -> Native:
    """The net with its gradients and updates."""
    model = model_helper.ModelHelper("expert")
    x, last = "data", len(sizes) - 2
    for i, units in enumerate(sizes[1:]):
        x = brew.fc(model, x, f"fc{i}", sizes[i], units)
        x = brew.relu(model, x, x) if i < last else x
    _, loss = model.net.SoftmaxWithLoss([x, "label"], ["softmax", "loss"])
    model.AddGradientOperators([loss])
    rate = model.param_init_net.ConstantFill([], "rate", shape=[1], value=NET.learning_rate)
    for p in model.GetParams():
        velocity, gradient = model.param_init_net.ConstantFill([p], f"{p}_v", value=0.0), model.param_to_grad[p]
        model.net.MomentumSGDUpdate([gradient, velocity, rate, p], [gradient, velocity, p], momentum=NET.momentum, nesterov=0)
    return model


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop, in a workspace of its own; labels have to be int32."""
    model, ours = model_of(NET.sizes), workspace.CurrentWorkspace()
    workspace.SwitchWorkspace("expert", True)
    workspace.FeedBlob("data", batches[0][0])
    workspace.FeedBlob("label", batches[0][1])
    workspace.RunNetOnce(model.param_init_net)
    for i, (kernel, bias) in enumerate(parameters):
        workspace.FeedBlob(f"fc{i}_w", np.ascontiguousarray(kernel.T))
        workspace.FeedBlob(f"fc{i}_b", bias)
    workspace.CreateNet(model.net)
    workspace.SwitchWorkspace(ours)
    name = model.net.Proto().name

    def step(x: Array, y: Array) -> Native:
        workspace.FeedBlob("data", x)
        workspace.FeedBlob("label", y)
        workspace.RunNet(name)
        return workspace.FetchBlob("loss")

    train = loop(step, batches, float)

    def switched(steps: int) -> tuple[list[float], list[int]]:
        """Once a visit, for no loop may find the other's blobs."""
        before = workspace.CurrentWorkspace()
        workspace.SwitchWorkspace("expert")
        found = train(steps)
        workspace.SwitchWorkspace(before)
        return found

    return switched
