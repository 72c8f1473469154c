"""What scripts in TensorFlow may bring with them; see harness.export.library."""

import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def elu(z, alpha=1.0):
    """z, or alpha (exp(z) - 1) where z <= 0.

    tf.nn.elu has alpha = 1 only, and computes exp(z) - 1, which has no digits of a small z. The exponent is cut at 0, so that the side
    that is not taken does not overflow.
    """
    return tf.where(z > 0, z, alpha * tf.math.expm1(tf.where(z > 0, tf.zeros_like(z), z)))


def selu(z):
    """s z, or s a (exp(z) - 1) where z <= 0. The gradient of tf.nn.selu at 0 is s, not s a."""
    s, a = 1.0507009873554805, 1.6732632423543772
    return tf.where(z > 0, s * z, s * a * tf.math.expm1(tf.where(z > 0, tf.zeros_like(z), z)))


def gelu(z):
    """z (1 + erf(z / sqrt(2))) / 2. tf.nn.gelu takes the root of 2 in float32, and is off by 5e-9 in float64."""
    return z * 0.5 * (1 + tf.math.erf(z * np.sqrt(0.5)))


def gelu_tanh(z):
    """z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2. tf.nn.gelu takes its constants in float32, and is off by 5e-9 in float64."""
    return z * 0.5 * (1 + tf.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z * z * z)))


def hard_silu(z):
    """z min(max(z + 3, 0), 6) / 6. The gradient of that at 3 is 1/2, and has to be 1."""
    return tf.where(z >= 3, z, z * tf.nn.relu6(z + 3) / 6)


def spread(kernel, dilation):
    """A kernel with dilation - 1 zeros between its neighbours: on CPUs the gradients of convolutions know no dilation."""
    for axis, rate in enumerate(dilation):
        length, rank = kernel.shape[axis], len(kernel.shape)
        apart = tf.pad(tf.expand_dims(kernel, axis + 1), [[0, 0]] * (axis + 1) + [[0, rate - 1]] + [[0, 0]] * (rank - axis - 1))
        joined = tf.reshape(apart, (*kernel.shape[:axis], length * rate, *kernel.shape[axis + 1 :]))
        kernel = tf.gather(joined, range((length - 1) * rate + 1), axis=axis)
    return kernel


def by_group(convolution, x, kernel, groups, strides, padding):
    """The convolution of each group of channels, side by side: on CPUs the gradients of convolutions know no groups."""
    parts = zip(tf.split(x, groups, -1), tf.split(kernel, groups, -1))
    return tf.concat([convolution(part, own, strides, padding) for part, own in parts], -1)


def average_pool(pool, x, window, strides, around):
    """The mean of the numbers in each window, zeros around not counted: the mean of all over the share that is no zero of those."""
    share = pool(tf.pad(tf.ones_like(x), around), window, strides, "VALID")
    return pool(tf.pad(x, around), window, strides, "VALID") / share


def bilinear(x, axis, factor):
    """An axis `factor` times as long, on lines between the centres of its places, constant beyond the outer ones.

    tf.image.resize gives float32 only.
    """
    length, shape = x.shape[axis], [1] * len(x.shape)
    shape[axis] = -1
    centres = np.clip((np.arange(length * factor) + 0.5) / factor - 0.5, 0, length - 1)
    low = np.floor(centres).astype(int)
    share = tf.constant((centres - low).reshape(shape), x.dtype)
    left, right = tf.gather(x, low, axis=axis), tf.gather(x, np.minimum(low + 1, length - 1), axis=axis)
    return left * (1 - share) + right * share


def normalized(x, axes, gamma, beta, epsilon):
    """gamma (x - mean) / sqrt(variance + epsilon) + beta, mean and variance over some axes."""
    mean, variance = tf.nn.moments(x, axes, keepdims=True)
    return tf.nn.batch_normalization(x, mean, variance, beta, gamma, epsilon)


def normalized_by_group(x, groups, gamma, beta, epsilon):
    """The same, mean and variance of each group of neighbouring channels, over all places."""
    grouped = tf.reshape(x, (x.shape[0], -1, groups, x.shape[-1] // groups))
    y = tf.reshape(normalized(grouped, [1, 3], None, None, epsilon), x.shape)
    y = y if gamma is None else y * gamma
    return y if beta is None else y + beta


def by_root_mean_square(x, epsilon):
    """x / sqrt(mean(x^2) + epsilon), the mean over the last axis."""
    return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), -1, keepdims=True) + epsilon)


def recurrence(cell, z, state, sequences, backwards):
    """A cell from step to step: of its state the first part is shown, for all steps or for the last.

    Args:
        cell: (state, a step's z) -> the next state, a tuple.
        z: (rows, steps, ...).
        state: the first.
        sequences: whether all steps are shown.
        backwards: whether it begins with the last step.
    """
    states = tf.scan(cell, tf.transpose(z, (1, 0, 2)), state, reverse=backwards)[0]
    if sequences:
        return tf.transpose(states, (1, 0, 2))
    return states[0] if backwards else states[-1]


def simple_rnn(x, kernel, recurrent, bias=0.0, function=tf.tanh, sequences=False, backwards=False):
    """h = f(x W + h U + b)."""

    def cell(state, z):
        return (function(z + state[0] @ recurrent),)

    zeros = tf.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    return recurrence(cell, x @ kernel + bias, (zeros,), sequences, backwards)


def lstm(x, kernel, recurrent, bias=0.0, sequences=False, backwards=False):
    """i, f, g, o = x W + h U + b; c = s(f) c + s(i) tanh(g); h = s(o) tanh(c)."""

    def cell(state, z):
        h, c = state
        i, f, g, o = tf.split(z + h @ recurrent, 4, -1)
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        return tf.sigmoid(o) * tf.tanh(c), c

    zeros = tf.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    return recurrence(cell, x @ kernel + bias, (zeros, zeros), sequences, backwards)


def gru(x, kernel, recurrent, bias=(0.0, 0.0), sequences=False, backwards=False):
    """z, r = s(x W + b + h U + c), h' = tanh(x W + b + r (h U + c)), h = z h + (1 - z) h': r acts behind the product, as in cuDNN."""

    def cell(state, projected):
        (h,) = state
        z, r, new = tf.split(projected, 3, -1)
        update, reset, candidate = tf.split(h @ recurrent + bias[1], 3, -1)
        share = tf.sigmoid(z + update)
        return (share * h + (1 - share) * tf.tanh(new + tf.sigmoid(r + reset) * candidate),)

    zeros = tf.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    return recurrence(cell, x @ kernel + bias[0], (zeros,), sequences, backwards)


def gru_reset_before(x, kernel, recurrent, bias=0.0, sequences=False, backwards=False):
    """z, r = s(x W + h U + b), h' = tanh(x W + (r h) U + b), h = z h + (1 - z) h': r acts before the product, as in the paper."""
    units = recurrent.shape[0]

    def cell(state, projected):
        (h,) = state
        gates = tf.sigmoid(projected[:, : 2 * units] + h @ recurrent[:, : 2 * units])
        share, reset = tf.split(gates, 2, -1)
        new = tf.tanh(projected[:, 2 * units :] + (reset * h) @ recurrent[:, 2 * units :])
        return (share * h + (1 - share) * new,)

    zeros = tf.zeros((x.shape[0], units), x.dtype)
    return recurrence(cell, x @ kernel + bias, (zeros,), sequences, backwards)


def split_heads(x, heads):
    """(rows, steps, heads size) as (rows, heads, steps, size)."""
    return tf.transpose(tf.reshape(x, (x.shape[0], x.shape[1], heads, -1)), (0, 2, 1, 3))


def rotated(x, base):
    """Rotary positions: the pairs (i, i + size / 2) at step t turned by t base^(-2 i / size)."""
    steps, size = x.shape[2:]
    angles = np.arange(steps)[:, None] * base ** (-2 * np.arange(size // 2) / size)
    cosines, sines = tf.constant(np.cos(angles), x.dtype), tf.constant(np.sin(angles), x.dtype)
    left, right = tf.split(x, 2, -1)
    return tf.concat([left * cosines - right * sines, right * cosines + left * sines], -1)


def attention(q, k, v, seen=None):
    """softmax(q k^T / sqrt(size)) v, head by head, then the heads side by side; `seen` says which steps are looked at."""
    scores = tf.matmul(q, k, transpose_b=True) * q.shape[-1] ** -0.5
    if seen is not None:
        scores = tf.where(seen, scores, tf.constant(-1e30, scores.dtype))
    found = tf.transpose(tf.nn.softmax(scores) @ v, (0, 2, 1, 3))
    return tf.reshape(found, (found.shape[0], found.shape[1], -1))


def sinusoids(x, base):
    """P[t, 2 i] = sin(t / base^(2 i / features)), P[t, 2 i + 1] = cos of the same, rounded to float32."""
    steps, features = x.shape[1:]
    columns = np.arange(features)
    angles = np.arange(steps)[:, None] / base ** (2 * (columns // 2) / features)
    waves = np.where(columns % 2, np.cos(angles), np.sin(angles)).astype(np.float32)
    return tf.cast(tf.constant(waves), x.dtype)


def huber(d, delta):
    """d^2 / 2, or delta (|d| - delta / 2) where |d| > delta."""
    return tf.where(tf.abs(d) <= delta, 0.5 * d * d, delta * (tf.abs(d) - 0.5 * delta))


def log_cosh(d):
    """log(cosh(d)) = d + log(1 + exp(-2 d)) - log(2)."""
    return d + tf.math.softplus(-2 * d) - np.log(2)


def cosine_distance(z, y):
    """1 - the product of the unit vectors; a square length below 1e-12 counts as that."""
    return 1 - tf.reduce_sum(tf.math.l2_normalize(z, -1, 1e-12) * tf.math.l2_normalize(y, -1, 1e-12), -1)


def beside(parameters, value=0.0):
    """A variable of a parameter's shape for each parameter: what the optimizer keeps."""
    return {name: tf.Variable(tf.fill(w.shape, tf.constant(value, w.dtype))) for name, w in parameters.items()}
