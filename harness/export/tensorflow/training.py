"""The function `train`: variables, what the optimizer keeps, and a traced step."""

from __future__ import annotations

from typing import Any

from ...spec import Node
from ..draft import Draft
from .optimizers import applied, kept
from .text import number


def normalised(draft: Draft) -> list[Node]:
    """The nodes that keep moving means and variances."""
    return [node for node in draft.spec.nodes if node.statistics]


def momentum_table(draft: Draft) -> str:
    """How much of the moving statistics each layer keeps, as a constant; nothing where there are none."""
    nodes = normalised(draft)
    if not nodes:
        return ""
    layers: list[Any] = [node.layer for node in nodes]
    shares = ", ".join(f'"{node.name}": {number(draft, layer.momentum)}' for node, layer in zip(nodes, layers, strict=True))
    return f"# share of the moving means and variances that a step keeps\nMOMENTUM = {{{shares}}}"


def train_function(draft: Draft) -> str:
    """The text of `train`."""
    every = draft.spec.optimizer.gradient_accumulation_steps
    lines = ['"""All steps from the first weights: the loss before each."""', 'p = variables("parameters")']
    lines += ['statistics = variables("statistics")'] if normalised(draft) else []
    lines += kept(draft)
    lines += accumulating(draft, every) if every > 1 else ["", "@tf.function", *step(draft, applied(draft))]
    lines += ["", "return [float(update(*batch(step))) for step in range(STEPS)]"]
    return "\n".join(["def train():", *(f"    {line}" if line else "" for line in lines)])


def step(draft: Draft, apply: list[str]) -> list[str]:
    """The function `update`, whose gradients go to some statements."""
    moving = [
        "for name, (mean, variance) in moments.items():",
        '    for kind, value in [("mean", mean), ("variance", variance)]:',
        '        moving = statistics[f"{name}/moving_{kind}"]',
        "        moving.assign(MOMENTUM[name] * moving + (1 - MOMENTUM[name]) * value)",
    ]
    found = "loss, gradients, moments" if normalised(draft) else "loss, gradients"
    body = [
        '"""One step: the loss before it."""',
        f"{found} = loss_and_gradients(p, *arrays)",
        *apply,
        *(moving if normalised(draft) else []),
        "return loss",
    ]
    return ["def update(*arrays):", *(f"    {line}" for line in body)]


def accumulating(draft: Draft, every: int) -> list[str]:
    """The function `update` where several steps make one update, and `apply` for that one."""
    added = [
        "for name, gradient in gradients.items():",
        "    total[name].assign_add(gradient)",
        f"if steps.assign_add(1) % {every} == 0:",
        f"    apply({{name: each / {every} for name, each in total.items()}})",
        "    for each in total.values():",
        "        each.assign(tf.zeros_like(each))",
    ]
    return [
        "total = beside(p)",
        "steps = tf.Variable(0)",
        "",
        "def apply(gradients):",
        '    """One update of all parameters."""',
        *(f"    {line}" for line in applied(draft)),
        "",
        "@tf.function",
        *step(draft, added),
    ]
