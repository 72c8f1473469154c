"""What scripts in JAX may bring with them; see harness.export.library."""

import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax


def absolute(x):
    """|x|, with gradient 0 at 0: that of jnp.abs is 1 there."""
    return x * jnp.sign(x)


def larger(a, b):
    """The larger one; the gradient goes to a where both are equal: jnp.maximum splits it."""
    return jnp.where(a >= b, a, b)


def leaky_relu(z, slope):
    """z where z > 0, else slope z, with the slope as gradient at 0: that of jax.nn.leaky_relu is 1 there."""
    return jnp.where(z > 0, z, slope * z)


def conv1d(x, kernel, stride=1, padding="VALID", dilation=1, groups=1):
    """Cross-correlation of x (rows, steps, channels) with a kernel (window, channels / groups, filters)."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride,),
        padding,
        rhs_dilation=(dilation,),
        feature_group_count=groups,
        dimension_numbers=("NHC", "HIO", "NHC"),
    )


def conv2d(x, kernel, strides=(1, 1), padding="VALID", dilation=(1, 1), groups=1):
    """Cross-correlation of x (rows, height, width, channels) with a kernel (height, width, channels / groups, filters)."""
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        feature_group_count=groups,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def depthwise_conv2d(x, kernel, strides=(1, 1), padding="VALID", dilation=(1, 1)):
    """Each channel alone, with a kernel (height, width, channels, multiplier): as many groups as channels."""
    height, width, channels, multiplier = kernel.shape
    return conv2d(x, kernel.reshape(height, width, 1, channels * multiplier), strides, padding, dilation, groups=channels)


def conv2d_transpose(x, kernel, strides=(1, 1), padding="VALID", dilation=(1, 1)):
    """The gradient of a conv2d by its input, with a kernel (height, width, filters, channels). Padding in numbers stands around x with
    stride - 1 zeros between its places."""
    return jax.lax.conv_transpose(
        x,
        kernel,
        strides,
        padding,
        rhs_dilation=dilation,
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        transpose_kernel=True,
    )


def over_windows(function, start, x, window, strides, padding):
    """A function of all places of each window, from a start; x is (rows, ..., channels)."""
    if not isinstance(padding, str):
        padding = ((0, 0), *padding, (0, 0))
    return jax.lax.reduce_window(x, start, function, (1, *window, 1), (1, *strides, 1), padding)


def max_pool(x, window, strides, padding="VALID"):
    """The largest value of each window; the gradient goes to the first of equal ones."""
    return over_windows(jax.lax.max, -jnp.inf, x, window, strides, padding)


def average_pool(x, window, strides, padding="VALID"):
    """The mean of each window; padding counts as zeros."""
    return over_windows(jax.lax.add, 0.0, x, window, strides, padding) / math.prod(window)


def average_pool_inside(x, window, strides, padding):
    """The mean of each window; padding does not count."""
    places = over_windows(jax.lax.add, 0.0, jnp.ones_like(x[:1]), window, strides, padding)
    return over_windows(jax.lax.add, 0.0, x, window, strides, padding) / places


def global_max_pool(x):
    """The largest value of each channel; the gradient goes to the first of equal ones: jnp.max splits it."""
    places = x.reshape(len(x), -1, x.shape[-1])
    first = places.argmax(1, keepdims=True)
    return jnp.take_along_axis(places, first, 1)[:, 0]


def standardized(x, axes, epsilon):
    """(x - mean) / sqrt(variance + epsilon), both over the axes."""
    return (x - x.mean(axes, keepdims=True)) * jax.lax.rsqrt(x.var(axes, keepdims=True) + epsilon)


def standardized_groups(x, groups, epsilon):
    """The same over all places and the channels of a group."""
    grouped = x.reshape(len(x), -1, groups, x.shape[-1] // groups)
    return standardized(grouped, (1, 3), epsilon).reshape(x.shape)


def over_root_mean_square(x, epsilon):
    """x / sqrt(mean(x^2) + epsilon), the mean over the last axis."""
    return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + epsilon)


def moving(old, new, momentum):
    """The moving average after a batch."""
    return momentum * old + (1 - momentum) * new


def simple_rnn(x, kernel, recurrent_kernel, bias=0, function=jnp.tanh, backwards=False):
    """h <- f(x W + h U + b): all h (rows, steps, units) of x (rows, steps, features)."""

    def step(h, z):
        h = function(z + h @ recurrent_kernel)
        return h, h

    start = jnp.zeros((len(x), len(recurrent_kernel)), x.dtype)
    _, every = jax.lax.scan(step, start, x.swapaxes(0, 1) @ kernel + bias, reverse=backwards)
    return every.swapaxes(0, 1)


def lstm(x, kernel, recurrent_kernel, bias=0, backwards=False):
    """c <- sigmoid(f) c + sigmoid(i) tanh(g), h <- sigmoid(o) tanh(c), where i, f, g, o = x W + h U + b: all h (rows, steps, units) of
    x (rows, steps, features)."""

    def step(held, z):
        h, c = held
        i, f, g, o = jnp.split(z + h @ recurrent_kernel, 4, -1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    start = jnp.zeros((len(x), len(recurrent_kernel)), x.dtype)
    _, every = jax.lax.scan(step, (start, start), x.swapaxes(0, 1) @ kernel + bias, reverse=backwards)
    return every.swapaxes(0, 1)


def gru_reset_after(x, kernel, recurrent_kernel, bias=(0, 0), backwards=False):
    """h <- z h + (1 - z) tanh(x W_h + b_h + r (h U_h + c_h)), where z, r = sigmoid(x W + b + h U + c), b and c the rows of the bias: all h
    (rows, steps, units) of x (rows, steps, features)."""
    units = len(recurrent_kernel)

    def step(h, outer):
        inner = h @ recurrent_kernel + bias[1]
        z, r = jnp.split(jax.nn.sigmoid(outer[:, : 2 * units] + inner[:, : 2 * units]), 2, -1)
        h = z * h + (1 - z) * jnp.tanh(outer[:, 2 * units :] + r * inner[:, 2 * units :])
        return h, h

    start = jnp.zeros((len(x), units), x.dtype)
    _, every = jax.lax.scan(step, start, x.swapaxes(0, 1) @ kernel + bias[0], reverse=backwards)
    return every.swapaxes(0, 1)


def gru_reset_before(x, kernel, recurrent_kernel, bias=0, backwards=False):
    """h <- z h + (1 - z) tanh(x W_h + b_h + (r h) U_h), where z, r = sigmoid(x W + b + h U): all h (rows, steps, units) of
    x (rows, steps, features)."""
    units = len(recurrent_kernel)

    def step(h, outer):
        z, r = jnp.split(jax.nn.sigmoid(outer[:, : 2 * units] + h @ recurrent_kernel[:, : 2 * units]), 2, -1)
        h = z * h + (1 - z) * jnp.tanh(outer[:, 2 * units :] + (r * h) @ recurrent_kernel[:, 2 * units :])
        return h, h

    start = jnp.zeros((len(x), units), x.dtype)
    _, every = jax.lax.scan(step, start, x.swapaxes(0, 1) @ kernel + bias, reverse=backwards)
    return every.swapaxes(0, 1)


def rotated(x, size, base):
    """The pairs (i, i + size / 2) of each head of x (rows, steps, heads size), at step t turned by the angle t base^(-2 i / size)."""
    rows, steps, features = x.shape
    angles = np.arange(steps)[:, None, None] * base ** (-2 * np.arange(size // 2) / size)
    cos, sin = jnp.asarray(np.cos(angles), x.dtype), jnp.asarray(np.sin(angles), x.dtype)
    a, b = jnp.split(x.reshape(rows, steps, -1, size), 2, -1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], -1).reshape(rows, steps, features)


def attention(q, k, v, size, seen=None):
    """softmax(q k^T / sqrt(size)) v in heads of a size, which lie side by side. There may be fewer of k and v, each for neighbouring ones
    of q. `seen` (rows, queries, keys) says what is looked at. Written out: jax.nn.dot_product_attention takes its softmax in float32."""
    rows, queries, features = q.shape
    k, v = k.reshape(rows, k.shape[1], -1, size), v.reshape(rows, v.shape[1], -1, size)
    q = q.reshape(rows, queries, k.shape[2], -1, size)
    scores = jnp.einsum("bqngd,bknd->bngqk", q, k) / math.sqrt(size)
    if seen is not None:
        scores = jnp.where(seen[:, None, None], scores, jnp.finfo(scores.dtype).min)
    return jnp.einsum("bngqk,bknd->bqngd", jax.nn.softmax(scores), v).reshape(rows, queries, features)


def causal(steps):
    """No step sees later ones: (1, steps, steps)."""
    return jnp.tril(jnp.ones((1, steps, steps), bool))


def sinusoids(steps, features, base):
    """sin(t / base^(2 i / features)) in columns 2 i, cos of the same in columns 2 i + 1, rounded to float32."""
    columns = np.arange(features)
    angles = np.arange(steps)[:, None] / base ** (2 * (columns // 2) / features)
    return np.where(columns % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


def one_cycle(rate, over, rise, divide, final_divide):
    """A schedule: a cosine up from rate / divide to the rate over a share of the updates, then one down to rate / (divide final_divide).
    Written out, since optax.cosine_onecycle_schedule ends its rise at a whole update."""
    top, low, last = rise * over, 1 / divide, 1 / (divide * final_divide)

    def schedule(count):
        up = 1 + (low - 1) * (1 + jnp.cos(jnp.pi * jnp.minimum(count / top, 1))) / 2
        down = last + (1 - last) * (1 + jnp.cos(jnp.pi * jnp.minimum((count - top) / (over - top), 1))) / 2
        return rate * jnp.where(count < top, up, down)

    return schedule


def clip_by_norm(limit):
    """Each parameter's gradient scaled to at most this norm: optax has this for all together only."""

    def clipped(gradient):
        norm = jnp.linalg.norm(gradient.ravel())
        return jnp.where(norm < limit, gradient, gradient / norm * limit)

    return optax.stateless(lambda gradients, parameters: jax.tree.map(clipped, gradients))
