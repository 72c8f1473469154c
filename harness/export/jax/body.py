"""The body of a script: the model, its loss, the optimizer, the first gradients, the training."""

from __future__ import annotations

from ...spec import active_slots
from ..draft import Draft, NotWritten
from .layers import line

TRAINING = '''\
optimizer = {optimizer}


@jax.jit
def update(p, state, *batch):
    """One step: the loss before it, and what it changes."""
    loss, gradients = jax.value_and_grad(loss_of)(p, *batch)
    updates, state = optimizer.update(gradients, state, p)
    return optax.apply_updates(p, updates), state, loss


def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    loss, gradients = jax.value_and_grad(loss_of)(parameters(), *batch(0))
    return float(loss), {{name: np.asarray(gradient) for name, gradient in gradients.items()}}


def train():
    """All steps: the loss before each."""
    p = parameters()
    state, losses = optimizer.init(p), []
    for step in range(STEPS):
        p, state, loss = update(p, state, *batch(step))
        losses.append(float(loss))
    return losses
'''


def body(draft: Draft) -> str:
    """See the module; a first, small part of it.

    Raises:
        NotWritten: naming what is not.
    """
    lines = [line(draft, node) for node in draft.spec.nodes]
    forward = "\n    ".join([*lines, f"return {draft.names[draft.spec.nodes[-1].name]}"])
    spec = draft.spec
    if spec.loss.type != "mse" or spec.loss.reduction != "mean" or spec.weighted or spec.penalties:
        raise NotWritten("only the plain mean of squared errors is written for JAX")
    if spec.optimizer.type != "sgd" or active_slots(spec.optimizer) or spec.optimizer.schedule:
        raise NotWritten("only plain sgd is written for JAX")
    return f'''\
jax.config.update("jax_enable_x64", DTYPE == "float64")


def parameters():
    """The first weights."""
    return {{name: jnp.asarray(array, DTYPE) for name, array in group("parameters").items()}}


def batch(step):
    """Inputs and targets of a step."""
    return jnp.asarray(FILE["inputs"][step], DTYPE), jnp.asarray(FILE["targets"][step], DTYPE)


def forward(p, x):
    """The model."""
    {forward}


def loss_of(p, x, targets):
    """The mean of squared errors."""
    return jnp.mean((forward(p, x) - targets) ** 2)


''' + TRAINING.format(optimizer=f"optax.sgd({draft.spec.optimizer.learning_rate!r})")
