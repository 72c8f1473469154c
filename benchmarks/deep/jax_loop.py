"""JAX by hand: pure functions of a dict of weights, one jitted step with donated state, optax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy
import optax

from benchmarks.deep.nets import HEADS, WIDTH, Train, batches, loop, state


def cnn(own: Any, x: Any) -> Any:
    """Logits of images."""
    for name in ("conv2d_1", "conv2d_2"):
        y = jax.lax.conv_general_dilated(x, own[f"{name}/kernel"], (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
        x = jax.nn.relu(y + own[f"{name}/bias"])
    x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID").reshape(len(x), -1)
    x = jax.nn.relu(x @ own["dense_1/kernel"] + own["dense_1/bias"])
    return x @ own["dense_2/kernel"] + own["dense_2/bias"]


def lstm(own: Any, x: Any) -> Any:
    """Logits of sequences: a scan over time, the inputs projected before it."""
    projected = jnp.swapaxes(x @ own["lstm_1/kernel"] + own["lstm_1/bias"], 0, 1)

    def cell(carry: Any, z: Any) -> Any:
        h, c = carry
        i, f, g, o = jnp.split(z + h @ own["lstm_1/recurrent_kernel"], 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return (jax.nn.sigmoid(o) * jnp.tanh(c), c), None

    zero = jnp.zeros((len(x), 64))
    (h, _), _ = jax.lax.scan(cell, (zero, zero), projected)
    return h @ own["dense_1/kernel"] + own["dense_1/bias"]


def transformer(own: Any, x: Any) -> Any:
    """Logits of the next word."""

    def normalised(x: Any, name: str) -> Any:
        centred = x - x.mean(-1, keepdims=True)
        scale = jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred * scale * own[f"{name}/gamma"] + own[f"{name}/beta"]

    def attended(x: Any, name: str) -> Any:
        def heads(part: str) -> Any:
            return (x @ own[f"{name}/{part}_kernel"] + own[f"{name}/{part}_bias"]).reshape(*x.shape[:2], HEADS, -1)

        seen = jax.nn.dot_product_attention(heads("query"), heads("key"), heads("value"), is_causal=True)
        return seen.reshape(*x.shape[:2], WIDTH) @ own[f"{name}/output_kernel"] + own[f"{name}/output_bias"]

    x = own["embedding_1/embeddings"][x] + own["position_embedding_1/embeddings"]
    for number in (1, 2):
        one, two = (f"repeat_1/{number}/residual_{part}" for part in (1, 2))
        x = x + attended(normalised(x, f"{one}/layer_normalization_1"), f"{one}/multi_head_attention_1")
        wide = normalised(x, f"{two}/layer_normalization_1") @ own[f"{two}/dense_1/kernel"] + own[f"{two}/dense_1/bias"]
        x = x + jax.nn.gelu(wide, approximate=True) @ own[f"{two}/dense_2/kernel"] + own[f"{two}/dense_2/bias"]
    return normalised(x, "layer_normalization_1") @ own["dense_1/kernel"] + own["dense_1/bias"]


def build(name: str) -> Train:
    """The loop."""
    model = {"cnn": cnn, "lstm": lstm, "transformer": transformer}[name]
    optimizer = optax.sgd(1e-4, 0.9) if name == "cnn" else optax.adam(1e-3, eps=1e-7)

    def stepped(carry: Any, x: Any, y: Any) -> Any:
        own, slots = carry

        def loss_of(own: Any) -> Any:
            return optax.softmax_cross_entropy_with_integer_labels(model(own, x), y).mean()

        loss, gradients = jax.value_and_grad(loss_of)(own)
        updates, slots = optimizer.update(gradients, slots)
        return (optax.apply_updates(own, updates), slots), loss

    jitted = jax.jit(stepped, donate_argnums=0)
    own = {key: jnp.array(array) for key, array in state(name).parameters.items()}
    held = [(own, optimizer.init(own))]

    def step(x: Any, y: Any) -> Any:
        held[0], loss = jitted(held[0], x, y)
        return loss

    resident = [(jnp.array(batch.inputs), jnp.array(batch.targets)) for batch in batches(name)]
    return loop(step, resident, lambda loss: float(numpy.asarray(loss)))
