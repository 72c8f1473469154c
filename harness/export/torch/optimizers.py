"""The optimizer, and what is done to gradients and parameters around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...spec import Optimizer
from ..draft import NotWritten
from .pieces import Weight
from .text import Part, call, number, wrapped

#: type -> PyTorch's class
CLASSES = {
    "sgd": "SGD", "adam": "Adam", "adamw": "AdamW", "nadam": "NAdam", "adamax": "Adamax", "rmsprop": "RMSprop", "adagrad": "Adagrad",
    "adadelta": "Adadelta",
}  # fmt: skip
#: optimizers that PyTorch does not have
ABSENT = {"lion": ": it has no Lion", "lamb": ": it has no LAMB"}
#: optimizers that can decouple the decay themselves
DECOUPLING = ("adam", "adamw", "nadam")


def options(spec: Any) -> dict[str, Part | None]:
    """Options of its own."""
    moments = f"({number(spec.beta_1)}, {number(spec.beta_2)})" if hasattr(spec, "beta_1") else None
    return {
        "betas": moments,
        "alpha" if spec.type == "rmsprop" else "rho": getattr(spec, "rho", None),
        "eps": getattr(spec, "epsilon", None),
        "momentum": getattr(spec, "momentum", None) or None,
        "nesterov": getattr(spec, "nesterov", False) or None,
        "initial_accumulator_value": getattr(spec, "initial_accumulator_value", None) or None,
    }


def decay(spec: Optimizer) -> dict[str, Part | None]:
    """What the optimizer does itself: coupled, or decoupled where it can."""
    if spec.type == "adamw":
        return {"weight_decay": spec.weight_decay}
    if not spec.weight_decay or (spec.decoupled and spec.type not in DECOUPLING):
        return {}
    return {"weight_decay": spec.weight_decay, "decoupled_weight_decay": True if spec.decoupled else None}


def optimizer(spec: Optimizer, parameters: str) -> str:
    """The expression that makes it.

    Raises:
        NotWritten: PyTorch has none.
    """
    if spec.type not in CLASSES:
        raise NotWritten(f'the optimizer "{spec.type}" is not written for PyTorch{ABSENT.get(spec.type, "")}')
    return call(f"torch.optim.{CLASSES[spec.type]}", parameters, lr=spec.learning_rate, **options(spec), **decay(spec))


def clipping(spec: Optimizer, weights: Sequence[Weight]) -> list[str]:
    """Statements that cut gradients."""
    if spec.clip_value is not None:
        return [call("torch.nn.utils.clip_grad_value_", "parameters", spec.clip_value)]
    if spec.global_clip_norm is not None:
        return [call("clip_norm", "parameters", spec.global_clip_norm)]
    if spec.clip_norm is None:
        return []
    if all(len(weight.tensors) == 1 for weight in weights):
        return ["for parameter in parameters:", f"    {call('clip_norm', '[parameter]', spec.clip_norm)}"]
    groups = [", ".join(f"model.{tensor}" for tensor in weight.tensors) for weight in weights]
    head = "for array in [  # as the file has them: two biases of a GRU are one array"
    return [head, *(f"    [{group}]," for group in groups), "]:", f"    {call('clip_norm', 'array', spec.clip_norm)}"]


def update(spec: Optimizer, weights: Sequence[Weight]) -> list[str]:
    """Statements from gradients to parameters."""
    found = clipping(spec, weights)
    if spec.decoupled_decay and spec.type not in DECOUPLING:
        found.append(f'shrink(parameters, optimizer.param_groups[0]["lr"] * {number(spec.decoupled_decay)})')
    found.append("optimizer.step()")
    return found + (["scheduler.step()"] if spec.schedule else []) + ["optimizer.zero_grad()"]


def training(spec: Optimizer, weights: Sequence[Weight], held: bool) -> str:
    """The function `train`.

    Args:
        spec: the optimizer.
        weights: all parameters.
        held: whether the model has parameters that are not learned.
    """
    every, updates = spec.gradient_accumulation_steps, update(spec, weights)
    named = held or any("parameters" in line for line in updates)
    learned = "[parameter for parameter in model.parameters() if parameter.requires_grad]" if held else "list(model.parameters())"
    if every > 1:
        updates = [f"if (step + 1) % {every} == 0:", *(f"    {line}" for line in updates)]
    backward = "loss.backward()" if every == 1 else f"(loss / {every}).backward()  # gradients of {every} steps are averaged"
    lines = [
        '"""All steps: the loss before each."""',
        "model = first_model()",
        *([f"parameters = {learned}"] if named else []),
        f"optimizer = {optimizer(spec, 'parameters' if named else 'model.parameters()')}",
        *(["scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)"] if spec.schedule else []),
        "losses = []",
        "for step in range(STEPS):",
        "    loss = loss_of(model, *batch(step))",
        f"    {backward}",
        *(f"    {line}" for line in updates),
        "    losses.append(loss.item())",
        "return losses",
    ]
    return "def train():\n" + "\n".join(f"    {part}" for line in lines for part in wrapped(line, 4)) + "\n"
