"""The body of a script: the arrays, the model, its loss, the optimizer, the first gradients, the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from ...spec import ProgramSpec
from ..draft import Draft
from .layers import USED, lines
from .losses import loss_lines, loss_text, loss_title
from .optimizers import optimizer_text
from .text import explained

CONFIG = """\
jax.config.update("jax_enable_x64", DTYPE == "float64")
jax.config.update("jax_default_matmul_precision", "highest")  # GPUs and TPUs multiply float32 in less otherwise
"""

ARRAYS = '''\
def {name}():
    """{title}"""
    return {{name: jnp.asarray(array, DTYPE) for name, array in group("{name}").items()}}
'''

#: `p` are the parameters, `s` the statistics where there are any
TRAINING = '''\
@jax.jit
def update(p, state, gradients):
    """Parameters and the optimizer's state after a step."""
    updates, state = optimizer.update(gradients, state, p)
    return optax.apply_updates(p, updates), state


loss_and_gradients = jax.jit(jax.value_and_grad(loss_of{aside}))


def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    {held} = {first}
    {found}, gradients = loss_and_gradients({held}, *batch(0))
    return float(loss), {{name: np.asarray(gradients[name]) for name in p}}


def train():
    """All steps: the loss before each."""
    {held} = {first}
    state, losses = optimizer.init(p), []
    for step in range(STEPS):
        {changed}, gradients = loss_and_gradients({held}, *batch(step))
        p, state = update(p, state, gradients)
        losses.append(float(loss))
    return losses
'''


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    draft = dataclasses.replace(draft, reserved=draft.reserved | USED)
    spec = draft.spec
    parts = [
        CONFIG,
        ARRAYS.format(name="parameters", title="The first weights."),
        *([ARRAYS.format(name="statistics", title="The first moving means and variances.")] if spec.statistics else []),
        batch(spec),
        forward(draft),
        loss(spec),
        optimizer_text(spec.optimizer),
        training(spec),
    ]
    text = "\n\n\n".join(part.strip("\n") for part in parts)
    return explained(text) + text


def function(name: str, given: Iterable[str], title: str, inside: Iterable[str]) -> str:
    """A function's text."""
    return "\n    ".join([f"def {name}({', '.join(given)}):", f'"""{title}"""', *inside])


def held(spec: ProgramSpec) -> list[str]:
    """What changes from step to step."""
    return ["p", "s"] if spec.statistics else ["p"]


def masks(spec: ProgramSpec) -> list[str]:
    """What is drawn, where something is."""
    return ["masks"] if spec.random_nodes else []


def batch_arrays(spec: ProgramSpec) -> dict[str, str]:
    """What a batch is made of: name -> expression."""
    found = {"x": staged("inputs", spec.integer_inputs), "targets": staged("targets", spec.targets == "integer")}
    if spec.weighted:
        found["weights"] = staged("weights", False)
    if spec.random_nodes:
        found["masks"] = '{name: jnp.asarray(array[step], DTYPE) for name, array in group("masks").items()}'
    return found


def staged(name: str, whole: bool) -> str:
    """An array of a step; whole numbers stay what they are."""
    return f'jnp.asarray(FILE["{name}"][step]{"" if whole else ", DTYPE"})'


def batch(spec: ProgramSpec) -> str:
    """The function of that name."""
    arrays = batch_arrays(spec)
    words = ["inputs", *list(arrays)[1:]]
    title = f"{', '.join(words[:-1]).capitalize()} and {words[-1]} of a step."
    inside = [f"{name} = {value}" for name, value in arrays.items()]
    return function("batch", ["step"], title, [*inside, f"return {', '.join(arrays)}"])


def forward(draft: Draft) -> str:
    """The function of that name: the model in training mode, up to what the loss reads."""
    spec = draft.spec
    nodes = spec.nodes[: spec.loss_node + 1]
    title = "The model, as it is in training"
    if len(nodes) < len(spec.nodes):
        title += ", but for the step at its end: the loss reads the value before it"
    inside = [line for node in nodes for line in lines(draft, node)]
    inside.append(f"return {draft.names[nodes[-1].name]}")
    if spec.statistics:
        title += "; also the moved statistics"
        inside = ["moved = {}", *inside[:-1], f"{inside[-1]}, moved"]
    return function("forward", [*held(spec), "x", *masks(spec)], f"{title}.", inside)


def loss(spec: ProgramSpec) -> str:
    """The function of the loss."""
    outputs = loss_text(spec).outputs
    more = ", moved" if spec.statistics else ""
    inside = [
        f"{outputs}{more} = forward({', '.join([*held(spec), 'x', *masks(spec)])})",
        *loss_lines(spec, more),
    ]
    return function("loss_of", [*held(spec), *batch_arrays(spec)], loss_title(spec), inside)


def training(spec: ProgramSpec) -> str:
    """All behind the optimizer."""
    if not spec.statistics:
        return TRAINING.format(held="p", first="parameters()", changed="loss", found="loss", aside="")
    return TRAINING.format(
        held="p, s", first="parameters(), statistics()", changed="(loss, s)", found="(loss, _)", aside=", has_aux=True"
    )
