"""Normalisations."""

from __future__ import annotations

import math
from collections.abc import Mapping

from .pieces import Here, Piece, Weight
from .text import Part, call

COPIED = "a copy: of images whose channels lie last in memory, PyTorch's variance loses digits (pytorch#54293)"
ONE_PLACE = "not through the module, which refuses images of one place"


def made(here: Here, module: str, *arguments: Part, **options: Part | None) -> list[str]:
    """The module, without what is not learned."""
    lines = [f"{here.own} = {call(module, *arguments, eps=here.layer.epsilon, **options)}"]
    lines += [] if here.layer.scale else [f"{here.own}.weight = None  # no gamma"]
    return lines + ([] if here.layer.center else [f"{here.own}.bias = None  # no beta"])


def weights(here: Here) -> Mapping[str, Weight]:
    """gamma and beta, where they are learned."""
    gamma = {"gamma": here.weight("weight")} if here.layer.scale else {}
    return {**gamma, "beta": here.weight("bias")} if here.layer.center else gamma


def batch_normalization(here: Here) -> Piece:
    """nn.BatchNorm1d or nn.BatchNorm2d, whose momentum is the share of the new value."""
    rank = here.reads[0].rank
    modules = made(here, f"nn.BatchNorm{max(rank - 1, 1)}d", here.channels, momentum=1 - here.layer.momentum)
    moving = {"moving_mean": here.weight("running_mean"), "moving_variance": here.weight("running_var")}
    return Piece(here.run(here.first), rank > 1, modules, {**weights(here), **moving})


def layer_normalization(here: Here) -> Piece:
    """nn.LayerNorm over the last axis."""
    return Piece(here.run(here.last), modules=made(here, "nn.LayerNorm", here.channels), weights=weights(here))


def group_normalization(here: Here) -> Piece:
    """nn.GroupNorm, with a gamma always."""
    rank, layer = here.reads[0].rank, here.layer
    modules = [f"{here.own} = {call('nn.GroupNorm', layer.groups, here.channels, eps=layer.epsilon)}"]
    constants = {}
    if not layer.scale:
        modules.append(f"{here.own}.weight.requires_grad_(False)  # it stays 1; PyTorch cannot go backward without it")
        constants[f"{here.name}.weight"] = f"torch.ones({here.channels})"
    if not layer.center:
        modules.append(f"{here.own}.bias = None  # no beta")
    x = f"{here.first}.contiguous()" if rank > 1 else here.first
    return Piece(here.run(x), rank > 1, modules, weights(here), constants, COPIED if rank > 1 else "")


def instance_normalization(here: Here) -> Piece:
    """nn.InstanceNorm1d or nn.InstanceNorm2d."""
    rank, layer = here.reads[0].rank, here.layer
    modules = made(here, f"nn.InstanceNorm{rank - 1}d", here.channels, affine=True)
    if math.prod(here.node.input_shape[:-1]) > 1:
        return Piece(here.run(here.first), True, modules, weights(here))
    affine = f"{here.own}.weight, {here.own}.bias"
    value = call("torch.instance_norm", here.first, affine, "None, None", True, 0.0, layer.epsilon, False)
    return Piece(value, True, modules, weights(here), note=ONE_PLACE)


def rms_normalization(here: Here) -> Piece:
    """nn.RMSNorm over the last axis."""
    affine = None if here.layer.scale else False
    module = call("nn.RMSNorm", here.channels, eps=here.layer.epsilon, elementwise_affine=affine)
    found = {"gamma": here.weight("weight")} if here.layer.scale else {}
    return Piece(here.run(here.last), modules=[f"{here.own} = {module}"], weights=found)
