"""JAX by hand: pure functions, one jitted step with donated state, optax or a written-out update.

What makes a step fast, measured with one thread on xor:

- `loss.item()` instead of `float(loss)`: -4.5 us (both wait; `float` goes through a Python property and a checked conversion).
- donated state: -3 us with six parameters, 10 us of 110 on digits-mlp: no new buffers.
- parameters and slots in one vector each (`ravel_pytree`): -2.5 us, 13 of 87 on digits-mlp, as every array that goes in or out
  costs some; on wide it costs 4 % (slices are copied).
- optax, a written-out update, `jit` and the object compiled ahead of time: within 4 %, the same executable in the end.

`jax.config.update("jax_cpu_enable_async_dispatch", False)` before the first computation takes off another 9 to 13 us (no other
thread to wake), but is a setting of the whole process, not a way of writing the loop; it is left at its default here.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax
from jax.flatten_util import ravel_pytree

from benchmarks.expert.nets import ITEM, NETS, Native, Net, Train, batches, loop, weights


def loss_of(net: Net, parameters: Native, x: Native, y: Native) -> Native:
    """The loss of a batch; `parameters` are pairs of kernel and bias."""
    for (kernel, bias), activation in zip(parameters, net.activations, strict=True):
        x = x @ kernel + bias
        x = {None: lambda z: z, "relu": jax.nn.relu, "sigmoid": jax.nn.sigmoid}[activation](x)
    if net.loss == "mse":
        return jnp.mean((x - y) ** 2)
    return optax.softmax_cross_entropy_with_integer_labels(x, y).mean()


def library(net: Net) -> Native:
    """The optax optimizer."""
    if net.optimizer == "adam":
        return optax.adam(net.learning_rate, b1=net.beta_1, b2=net.beta_2, eps=net.epsilon)
    return optax.sgd(net.learning_rate, momentum=net.momentum or None)


def written(net: Net) -> optax.GradientTransformation:
    """The same updates written out; returns what is to be added, as optax does."""
    tree, rate = jax.tree.map, net.learning_rate

    def init(parameters: Native) -> Native:
        if net.optimizer == "adam":
            return tree(jnp.zeros_like, parameters), tree(jnp.zeros_like, parameters), jnp.ones(()), jnp.ones(())
        return tree(jnp.zeros_like, parameters) if net.momentum else ()

    def sgd(gradients: Native, state: Native, _: Native = None) -> Native:
        if net.momentum:
            gradients = state = tree(lambda g, v: net.momentum * v + g, gradients, state)
        return tree(lambda g: -rate * g, gradients), state

    def adam(gradients: Native, state: Native, _: Native = None) -> Native:
        first, second, power_1, power_2 = state
        power_1, power_2 = power_1 * net.beta_1, power_2 * net.beta_2
        first = tree(lambda g, m: net.beta_1 * m + (1 - net.beta_1) * g, gradients, first)
        second = tree(lambda g, v: net.beta_2 * v + (1 - net.beta_2) * g * g, gradients, second)
        root = jnp.sqrt(1 - power_2)
        size = -rate * root / (1 - power_1)
        moved = tree(lambda m, v: size * m / (jnp.sqrt(v) + net.epsilon * root), first, second)
        return moved, (first, second, power_1, power_2)

    return optax.GradientTransformation(init, adam if net.optimizer == "adam" else sgd)


def way(
    name: str,
    rule: Callable[[Net], Native] = library,
    *,
    flat: bool = False,
    ahead: bool = False,
    donate: bool = True,
    read: Callable[[Native], float] = ITEM,
) -> Train:
    """The loop; `flat` keeps all parameters in one vector, `ahead` calls the compiled object instead of the jit wrapper."""
    net = NETS[name]
    parameters: Native = jax.tree.map(jnp.array, weights(net))
    vector, unravel = ravel_pytree(parameters)
    optimizer, parameters = rule(net), vector if flat else parameters
    state = (parameters, optimizer.init(parameters))

    def loss_at(parameters: Native, x: Native, y: Native) -> Native:
        return loss_of(net, unravel(parameters) if flat else parameters, x, y)

    def step(state: Native, x: Native, y: Native) -> Native:
        parameters, slots = state
        loss, gradients = jax.value_and_grad(loss_at)(parameters, x, y)
        updates, slots = optimizer.update(gradients, slots, parameters)
        return (optax.apply_updates(parameters, updates), slots), loss

    resident = [(jnp.array(x), jnp.array(y)) for x, y in batches(net)]
    jitted: Native = jax.jit(step, donate_argnums=0 if donate else ())
    if ahead:
        jitted = jitted.lower(state, *resident[0]).compile()

    def call(x: Native, y: Native) -> Native:
        nonlocal state
        state, loss = jitted(state, x, y)
        return loss

    return loop(call, resident, read)


WAYS: dict[str, Callable[[str], Train]] = {
    "optax, jit": way,
    "optax, jit, float(loss)": lambda net: way(net, read=float),
    "optax, jit, not donated": lambda net: way(net, donate=False),
    "optax, ahead of time": lambda net: way(net, ahead=True),
    "written, jit": lambda net: way(net, written),
    "optax, one vector, jit": lambda net: way(net, flat=True),
    "optax, one vector, ahead of time": lambda net: way(net, flat=True, ahead=True),
    "written, one vector, jit": lambda net: way(net, written, flat=True),
}
BEST: dict[str, str] = {
    "xor": "written, one vector, jit",
    "digits-mlp": "written, one vector, jit",
    "wide": "written, jit",
}
ORDINARY: dict[str, str] = dict.fromkeys(NETS, "optax, jit")


def build(net: str, name: str) -> Train:
    """The loop of one way."""
    return WAYS[name](net)
