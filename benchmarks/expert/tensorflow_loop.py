"""TensorFlow by hand: variables, one traced step, gradient tape, the library's own training ops.

What makes a step fast, measured with one thread on xor, where the graph itself takes about 30 us:

- how the graph is called: `tf.function` 177 us (arguments are canonicalised and typed at every call), its concrete function
  90, the public op `StatefulPartitionedCall` with that function and its captured variables 33. `input_signature` is slower.
- XLA: the op would drop the attribute that asks for it, so the compiled function is called from inside a traced one.
- `ResourceApply*` update in place in one kernel; `assign_sub` of a written-out Adam costs 20 % of a step on wide.
- `autograph=False` for the trace; `float(loss)` and `loss.numpy()` read alike.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from benchmarks.expert.nets import NETS, Native, Net, Step, Train, batches, loop, weights

Update = Callable[[list[Native]], None]


def loss_of(net: Net, variables: list[Native], x: Native, y: Native) -> Native:
    """The loss of a batch; variables are kernel and bias in turn."""
    for i, activation in enumerate(net.activations):
        x = tf.nn.bias_add(tf.matmul(x, variables[2 * i]), variables[2 * i + 1])
        if activation is not None:
            x = tf.nn.relu(x) if activation == "relu" else tf.sigmoid(x)
    if net.loss == "mse":
        return tf.reduce_mean(tf.math.squared_difference(x, y))
    return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, x))


def slots(variables: list[Native]) -> list[Native]:
    """A zero variable for each."""
    return [tf.Variable(tf.zeros_like(v)) for v in variables]


def powers(net: Net) -> Callable[[], tuple[Native, Native]]:
    """The powers of Adam's betas, kept in the graph."""
    power_1, power_2 = tf.Variable(1.0), tf.Variable(1.0)
    return lambda: (power_1.assign(power_1 * net.beta_1), power_2.assign(power_2 * net.beta_2))


def training_ops(net: Net, variables: list[Native]) -> Update:
    """The library's kernels; Adam with epsilon outside the correction (hat form)."""
    ops, first, rate = tf.raw_ops, slots(variables), tf.constant(net.learning_rate)
    if net.optimizer == "adam":
        second, advance = slots(variables), powers(net)
        constants = {"lr": rate, "beta1": net.beta_1, "beta2": net.beta_2, "epsilon": net.epsilon}

        def adam(gradients: list[Native]) -> None:
            power_1, power_2 = advance()
            for var, m, v, g in zip(variables, first, second, gradients, strict=True):
                handles = {"var": var.handle, "m": m.handle, "v": v.handle}
                ops.ResourceApplyAdam(**handles, beta1_power=power_1, beta2_power=power_2, grad=g, **constants)

        return adam

    def sgd(gradients: list[Native]) -> None:
        for var, m, g in zip(variables, first, gradients, strict=True):
            if net.momentum:
                ops.ResourceApplyMomentum(var=var.handle, accum=m.handle, lr=rate, grad=g, momentum=net.momentum)
            else:
                ops.ResourceApplyGradientDescent(var=var.handle, alpha=rate, delta=g)

    return sgd


def assignments(net: Net, variables: list[Native]) -> Update:
    """The updates written out; Adam with the plain epsilon."""
    first, second, advance = slots(variables), slots(variables), powers(net)

    def adam(gradients: list[Native]) -> None:
        power_1, power_2 = advance()
        for var, m, v, g in zip(variables, first, second, gradients, strict=True):
            m_hat = m.assign_add((g - m) * (1 - net.beta_1)) / (1 - power_1)
            v_hat = v.assign_add((tf.square(g) - v) * (1 - net.beta_2)) / (1 - power_2)
            var.assign_sub(net.learning_rate * m_hat / (tf.sqrt(v_hat) + net.epsilon))

    def sgd(gradients: list[Native]) -> None:
        for var, m, g in zip(variables, first, gradients, strict=True):
            var.assign_sub(net.learning_rate * (m.assign(net.momentum * m + g) if net.momentum else g))

    return adam if net.optimizer == "adam" else sgd


def dispatch(step: Step, example: Native, how: str, xla: bool) -> Native:
    """The traced step, called as a `function`, as its `concrete` function, or by the `op` that runs any graph."""
    function = tf.function(step, autograph=False, jit_compile=xla)
    if how == "function":
        return function
    if how == "op" and xla:
        function = tf.function(function, autograph=False)
    concrete = function.get_concrete_function(*example)
    if how == "concrete":
        return concrete
    captured, types, run = concrete.captured_inputs, [tf.float32], tf.raw_ops.StatefulPartitionedCall
    return lambda x, y: run(args=[x, y, *captured], Tout=types, f=concrete)[0]


def staged(net: Net) -> list[tuple[Native, Native]]:
    """The resident batches."""
    return [(tf.constant(x), tf.constant(y)) for x, y in batches(net)]


def way(net: Net, how: str, rule: Callable[[Net, list[Native]], Update] = training_ops, xla: bool = False) -> Train:
    """One way to train."""
    variables, resident = [tf.Variable(p) for pair in weights(net) for p in pair], staged(net)
    update = rule(net, variables)

    def step(x: Native, y: Native) -> Native:
        with tf.GradientTape() as tape:
            loss = loss_of(net, variables, x, y)
        update(tape.gradient(loss, variables))
        return loss

    return loop(dispatch(step, resident[0], how, xla), resident, float)


WAYS: dict[str, Callable[[Net], Train]] = {
    "function, training ops": lambda net: way(net, "function"),
    "function, assign_sub": lambda net: way(net, "function", assignments),
    "concrete, training ops": lambda net: way(net, "concrete"),
    "op, training ops": lambda net: way(net, "op"),
    "op, assign_sub": lambda net: way(net, "op", assignments),
    "xla: function, training ops": lambda net: way(net, "function", xla=True),
    "xla: concrete, training ops": lambda net: way(net, "concrete", xla=True),
    "xla: op, training ops": lambda net: way(net, "op", xla=True),
    "xla: op, assign_sub": lambda net: way(net, "op", assignments, xla=True),
}
BEST: dict[str, str] = {
    "xor": "op, assign_sub",
    "digits-mlp": "op, training ops",
    "wide": "op, training ops",
    "xor:xla": "xla: op, assign_sub",
    "digits-mlp:xla": "xla: op, training ops",
    "wide:xla": "xla: op, training ops",
}
ORDINARY: dict[str, str] = dict.fromkeys(NETS, "function, training ops") | dict.fromkeys(
    (f"{net}:xla" for net in NETS), "xla: function, training ops"
)


def build(net: str, name: str) -> Train:
    """The loop of one way."""
    return WAYS[name](NETS[net])
