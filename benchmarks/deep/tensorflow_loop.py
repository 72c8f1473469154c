"""TensorFlow without Keras, by hand: variables, a tape inside one tf.function, the library's own training ops."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from benchmarks.deep.nets import HEADS, WIDTH, Train, batches, loop, state


def cnn(own: Any, x: Any) -> Any:
    """Logits of images."""
    for name in ("conv2d_1", "conv2d_2"):
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, own[f"{name}/kernel"], 1, "VALID"), own[f"{name}/bias"]))
    x = tf.reshape(tf.nn.max_pool2d(x, 2, 2, "VALID"), (64, -1))
    x = tf.nn.relu(tf.nn.bias_add(tf.matmul(x, own["dense_1/kernel"]), own["dense_1/bias"]))
    return tf.nn.bias_add(tf.matmul(x, own["dense_2/kernel"]), own["dense_2/bias"])


def lstm(own: Any, x: Any) -> Any:
    """Logits of sequences: the steps unrolled, the inputs projected before."""
    projected = tf.unstack(tf.tensordot(x, own["lstm_1/kernel"], 1) + own["lstm_1/bias"], axis=1)
    h = c = tf.zeros((32, 64))
    for z in projected:
        i, f, g, o = tf.split(z + tf.matmul(h, own["lstm_1/recurrent_kernel"]), 4, -1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        h = tf.sigmoid(o) * tf.tanh(c)
    return tf.nn.bias_add(tf.matmul(h, own["dense_1/kernel"]), own["dense_1/bias"])


def transformer(own: Any, x: Any) -> Any:
    """Logits of the next word."""

    def affine(x: Any, kernel: str, bias: str) -> Any:
        rows = tf.nn.bias_add(tf.matmul(tf.reshape(x, (-1, x.shape[-1])), own[kernel]), own[bias])
        return tf.reshape(rows, (32, 32, -1))

    def normalised(x: Any, name: str) -> Any:
        mean, variance = tf.nn.moments(x, -1, keepdims=True)
        return tf.nn.batch_normalization(x, mean, variance, own[f"{name}/beta"], own[f"{name}/gamma"], 1e-5)

    def attended(x: Any, name: str) -> Any:
        def heads(part: str) -> Any:
            return tf.transpose(
                tf.reshape(affine(x, f"{name}/{part}_kernel", f"{name}/{part}_bias"), (32, 32, HEADS, -1)), (0, 2, 1, 3)
            )

        scores = tf.matmul(heads("query"), heads("key"), transpose_b=True) * (WIDTH // HEADS) ** -0.5
        scores = tf.where(tf.linalg.band_part(tf.ones((32, 32), tf.bool), -1, 0), scores, -1e30)
        seen = tf.transpose(tf.matmul(tf.nn.softmax(scores), heads("value")), (0, 2, 1, 3))
        return affine(tf.reshape(seen, (32, 32, WIDTH)), f"{name}/output_kernel", f"{name}/output_bias")

    x = tf.gather(own["embedding_1/embeddings"], x) + own["position_embedding_1/embeddings"]
    for number in (1, 2):
        one, two = (f"repeat_1/{number}/residual_{part}" for part in (1, 2))
        x = x + attended(normalised(x, f"{one}/layer_normalization_1"), f"{one}/multi_head_attention_1")
        wide = affine(normalised(x, f"{two}/layer_normalization_1"), f"{two}/dense_1/kernel", f"{two}/dense_1/bias")
        x = x + affine(tf.nn.gelu(wide, approximate=True), f"{two}/dense_2/kernel", f"{two}/dense_2/bias")
    return affine(normalised(x, "layer_normalization_1"), "dense_1/kernel", "dense_1/bias")


def build(name: str) -> Train:
    """The loop."""
    model = {"cnn": cnn, "lstm": lstm, "transformer": transformer}[name]
    own = {key: tf.Variable(array) for key, array in state(name).parameters.items()}
    first, second = ({key: tf.Variable(tf.zeros_like(variable)) for key, variable in own.items()} for _ in range(2))
    count = tf.Variable(0.0)

    def update(key: str, gradient: Any) -> None:
        handle = own[key].handle
        if name == "cnn":
            tf.raw_ops.ResourceApplyMomentum(var=handle, accum=first[key].handle, lr=1e-4, grad=gradient, momentum=0.9)
            return
        tf.raw_ops.ResourceApplyAdam(
            var=handle, m=first[key].handle, v=second[key].handle, beta1_power=0.9**count, beta2_power=0.999**count, lr=1e-3,
            beta1=0.9, beta2=0.999, epsilon=1e-7, grad=gradient,
        )  # fmt: skip

    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(own, x)))
        count.assign_add(1.0)
        for key, gradient in zip(own, tape.gradient(loss, list(own.values())), strict=True):
            update(key, tf.convert_to_tensor(gradient))
        return loss

    traced = tf.function(step, autograph=False)
    resident = [(tf.constant(batch.inputs), tf.constant(batch.targets)) for batch in batches(name)]
    return loop(traced, resident, float)
