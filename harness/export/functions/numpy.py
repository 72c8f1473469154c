"""What scripts in NumPy may bring with them; see harness.export.library."""

import math
import sys
from pathlib import Path

import numpy as np

SELU_SCALE = 1.0507009873554805
SELU_ALPHA = 1.6732632423543772
# added to the score of a step that is not looked at: its exp is 0, and it is a number in every format
AWAY = -1e30
erfc = np.vectorize(math.erfc, otypes=[float])


def rows(x):
    """All axes but the last made one."""
    return x.reshape(-1, x.shape[-1])


def sigmoid(z):
    """1 / (1 + exp(-z)), without an exp that overflows."""
    e = np.exp(-np.abs(z))
    return np.where(z > 0, 1, e) / (1 + e)


def elu(z, alpha=1.0):
    """z where z > 0, else alpha (exp(z) - 1)."""
    return np.where(z > 0, z, alpha * np.expm1(np.minimum(z, 0)))


def elu_backward(d_y, z, alpha=1.0):
    """The gradient at z = 0 is alpha."""
    return np.where(z > 0, d_y, d_y * alpha * np.exp(np.minimum(z, 0)))


def selu(z):
    """An elu with constants that keep mean and variance (Klambauer et al. 2017)."""
    return SELU_SCALE * elu(z, SELU_ALPHA)


def selu_backward(d_y, z):
    """The gradient at z = 0 is that of the left side."""
    return SELU_SCALE * elu_backward(d_y, z, SELU_ALPHA)


def normal(z):
    """The distribution function P of the normal distribution; erfc has digits far out on the left, where 1 + erf has none."""
    return (erfc(-z / math.sqrt(2)) / 2).astype(z.dtype)


def gelu(z):
    """z P(z)."""
    return z * normal(z)


def gelu_backward(d_y, z):
    """P + z P', P' the density."""
    return d_y * (normal(z) + z * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))


def gelu_tanh(z):
    """z (1 + t) / 2, t = tanh(sqrt(2 / pi) (z + 0.044715 z^3)): nearly gelu."""
    return z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3))) / 2


def gelu_tanh_backward(d_y, z):
    """(1 + t) / 2 + z (1 - t^2) / 2 times the derivative of what stands in the tanh."""
    root = math.sqrt(2 / math.pi)
    t = np.tanh(root * (z + 0.044715 * z**3))
    return d_y * (1 + t) / 2 * (1 + z * (1 - t) * root * (1 + 3 * 0.044715 * z**2))


def silu_backward(d_y, z):
    """Of z s, s = sigmoid(z)."""
    s = sigmoid(z)
    return d_y * s * (1 + z * (1 - s))


def mish_backward(d_y, z):
    """Of z t, t = tanh(log(1 + exp(z)))."""
    t = np.tanh(np.logaddexp(0, z))
    return d_y * (t + z * (1 - t**2) * sigmoid(z))


def softmax(z, axis=-1):
    """exp(z) / sum exp(z); the largest z is taken out first."""
    e = np.exp(z - z.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


def softmax_backward(d_y, y, axis=-1):
    """y (dy - sum(dy y))."""
    return y * (d_y - np.sum(d_y * y, axis, keepdims=True))


def log_softmax(z, axis=-1):
    """z - log(sum exp(z)); the largest z is taken out first."""
    z = z - z.max(axis, keepdims=True)
    return z - np.log(np.sum(np.exp(z), axis, keepdims=True))


def log_softmax_backward(d_y, y, axis=-1):
    """dy - exp(y) sum(dy)."""
    return d_y - np.exp(y) * np.sum(d_y, axis, keepdims=True)


def embedding_backward(d_y, words, count):
    """The gradient of a table of so many rows: the sum of dy over all places where a row was read."""
    d_table = np.zeros((count, d_y.shape[-1]), d_y.dtype)
    np.add.at(d_table, words, d_y)
    return d_table


def put_back(d_y, x, where):
    """Of y = x[where]: dy there, zeros elsewhere."""
    d_x = np.zeros(x.shape, d_y.dtype)
    d_x[where] = d_y
    return d_x


def padded(x, pads, value=0):
    """A value around images `(rows, *lengths, channels)`; pads: one number, or (before, after) of each axis."""
    around = np.broadcast_to(pads, (x.ndim - 2, 2))
    return np.pad(x, [(0, 0), *around, (0, 0)], constant_values=value)


def unpadded(x, pads, lengths):
    """Without what `padded` puts around images of these lengths."""
    around = np.broadcast_to(pads, (x.ndim - 2, 2))
    return x[(slice(None), *(slice(before, before + length) for (before, _), length in zip(around, lengths)))]


def places(x, size, strides, dilation=1):
    """How often a window is put down on each axis of padded images."""
    reach = (np.array(size) - 1) * dilation + 1
    return (np.array(x.shape[1:-1]) - reach) // strides + 1


def taps(size, counts, strides, dilation=1):
    """For each number of a window, row by row: where it stands in the window, and the part of padded images that it reads when the window
    is put down so often on each axis."""
    strides, dilation = np.broadcast_to(strides, len(size)), np.broadcast_to(dilation, len(size))
    for tap in np.ndindex(*size):
        starts = np.array(tap) * dilation
        ends = starts + strides * counts
        yield tap, (slice(None), *map(slice, starts, ends, strides))


def convolution(x, kernel, strides=1, pads=0, dilation=1):
    """y[i] = sum over the window k of x[i stride + k dilation] W[k], W `(*window, inputs, outputs)`."""
    x, size = padded(x, pads), kernel.shape[:-2]
    return sum(x[part] @ kernel[tap] for tap, part in taps(size, places(x, size, strides, dilation), strides, dilation))


def transposed_convolution(y, kernel, lengths, strides=1, pads=0, dilation=1):
    """Back from places to images of these lengths, the gradient of a convolution at its x: y[i] W[k]^T goes to
    x[i stride + k dilation]."""
    x = padded(np.zeros((len(y), *lengths, kernel.shape[-2]), y.dtype), pads)
    for tap, part in taps(kernel.shape[:-2], y.shape[1:-1], strides, dilation):
        x[part] += y @ kernel[tap].T
    return unpadded(x, pads, lengths)


def kernel_gradient(x, d_y, size, strides=1, pads=0, dilation=1):
    """The gradient of a convolution at its W, of a window of this size: the sum over i of x[i stride + k dilation]^T dy[i]."""
    x = padded(x, pads)
    d_kernel = np.zeros((*size, x.shape[-1], d_y.shape[-1]), x.dtype)
    for tap, part in taps(size, d_y.shape[1:-1], strides, dilation):
        d_kernel[tap] = rows(x[part]).T @ rows(d_y)
    return d_kernel


def by_group(function, groups, *arrays, **options):
    """A function of each group of channels alone, what it gives side by side."""
    parts = zip(*(np.split(array, groups, axis=-1) for array in arrays))
    return np.concatenate([function(*part, **options) for part in parts], axis=-1)


def depthwise_convolution(x, kernel, strides=1, pads=0, dilation=1):
    """A convolution of each channel alone, W `(*window, channels, multiplier)`; the outputs of a channel stand side by side."""
    x, size = padded(x, pads), kernel.shape[:-2]
    y = sum(x[part][..., None] * kernel[tap] for tap, part in taps(size, places(x, size, strides, dilation), strides, dilation))
    return y.reshape(*y.shape[:-2], -1)


def depthwise_backward(d_y, x, kernel, strides=1, pads=0, dilation=1):
    """The gradients at x and at W."""
    lengths, x = x.shape[1:-1], padded(x, pads)
    d_y = d_y.reshape(*d_y.shape[:-1], *kernel.shape[-2:])
    d_x, d_kernel = np.zeros_like(x), np.zeros_like(kernel)
    for tap, part in taps(kernel.shape[:-2], d_y.shape[1:-2], strides, dilation):
        d_kernel[tap] = np.einsum("nhwc,nhwcm->cm", x[part], d_y)
        d_x[part] += np.sum(d_y * kernel[tap], axis=-1)
    return unpadded(d_x, pads, lengths), d_kernel


def max_pooling(x, size, strides, pads=0):
    """The largest number of each window; padding never is."""
    x = padded(x, pads, -np.inf)
    return np.max([x[part] for _, part in taps(size, places(x, size, strides), strides)], axis=0)


def max_pooling_backward(d_y, x, size, strides, pads=0):
    """The first of a window's largest numbers, row by row, gets dy."""
    lengths, x = x.shape[1:-1], padded(x, pads, -np.inf)
    parts = [part for _, part in taps(size, d_y.shape[1:-1], strides)]
    largest = np.argmax([x[part] for part in parts], axis=0)
    d_x = np.zeros_like(x)
    for number, part in enumerate(parts):
        d_x[part] += d_y * (largest == number)
    return unpadded(d_x, pads, lengths)


def average_pooling(x, size, strides, pads=0, count_padding=True):
    """The mean of each window; padding counts as zeros, or not at all."""
    x, numbers = padded(x, pads), padded(np.ones_like(x[:1]), pads, count_padding)
    parts = [part for _, part in taps(size, places(x, size, strides), strides)]
    return sum(x[part] for part in parts) / sum(numbers[part] for part in parts)


def average_pooling_backward(d_y, x, size, strides, pads=0, count_padding=True):
    """All numbers of a window get the same share of dy."""
    numbers = padded(np.ones_like(x[:1]), pads, count_padding)
    parts = [part for _, part in taps(size, d_y.shape[1:-1], strides)]
    share = d_y / sum(numbers[part] for part in parts)
    d_x = padded(np.zeros_like(x), pads)
    for part in parts:
        d_x[part] += share
    return unpadded(d_x, pads, x.shape[1:-1])


def global_max_backward(d_y, x):
    """The first of a channel's largest numbers, row by row, gets dy."""
    places_first = x.reshape(len(x), -1, x.shape[-1])
    d_x = np.zeros_like(places_first)
    np.put_along_axis(d_x, np.argmax(places_first, axis=1)[:, None], d_y[:, None], axis=1)
    return d_x.reshape(x.shape)


def bilinear_shares(length, times):
    """How much each place of an axis that is so many times as long gets of each place: pixels have centres at half numbers, and there is
    nothing beyond the outer ones."""
    shares = np.zeros((length * times, length))
    for place in range(length * times):
        # its centre stands at (place + 1/2) / times - 1/2 = before + rest / (2 times)
        before, rest = divmod(2 * place + 1 - times, 2 * times)
        shares[place, max(before, 0)] += 1 - rest / (2 * times)
        shares[place, min(before + 1, length - 1)] += rest / (2 * times)
    return shares


def bilinear(x, factors):
    """Images so many times as high and as wide."""
    down, across = (bilinear_shares(*axis).astype(x.dtype) for axis in zip(x.shape[1:3], factors))
    return np.einsum("ih,jw,nhwc->nijc", down, across, x, optimize=True)


def bilinear_backward(d_y, x, factors):
    """The same shares, the other way."""
    down, across = (bilinear_shares(*axis).astype(x.dtype) for axis in zip(x.shape[1:3], factors))
    return np.einsum("ih,jw,nijc->nhwc", down, across, d_y, optimize=True)


def normalized(x, axes, epsilon):
    """h = (x - mean) / s, s = sqrt(variance + epsilon), over some axes; the variance divides by n. Also gives s."""
    d = x - x.mean(axes, keepdims=True)
    s = np.sqrt(np.mean(d**2, axes, keepdims=True) + epsilon)
    return d / s, s


def normalized_backward(d_h, h, s, axes):
    """(dh - mean(dh) - h mean(dh h)) / s."""
    return (d_h - d_h.mean(axes, keepdims=True) - h * np.mean(d_h * h, axes, keepdims=True)) / s


def group_normalized(x, groups, epsilon):
    """`normalized` over all places and the channels of each group."""
    h, s = normalized(x.reshape(len(x), -1, groups, x.shape[-1] // groups), (1, 3), epsilon)
    return h.reshape(x.shape), s


def group_normalized_backward(d_h, h, s):
    """The groups are those of s."""
    grouped = (len(h), -1, s.shape[2], h.shape[-1] // s.shape[2])
    return normalized_backward(d_h.reshape(grouped), h.reshape(grouped), s, (1, 3)).reshape(h.shape)


def last_only(d_y, h):
    """Of y = the last of all states h: zeros at the others."""
    d_h = np.zeros_like(h)
    d_h[:, -1] = d_y
    return d_h


def simple_rnn(z, u, f=np.tanh):
    """h <- f(z + h U) from zeros on, z = x W + b. All h, `(rows, steps, units)`."""
    h, states = np.zeros((len(z), len(u)), z.dtype), []
    for t in range(z.shape[1]):
        h = f(z[:, t] + h @ u)
        states.append(h)
    return np.stack(states, axis=1)


def tanh_slope(y):
    """Of y = tanh(z): 1 - y^2."""
    return 1 - y**2


def relu(z):
    """max(z, 0)."""
    return np.maximum(z, 0)


def relu_slope(y):
    """Of y = max(z, 0): 1 where y > 0, else 0."""
    return y > 0


def simple_rnn_backward(d_h, u, h, slope=tanh_slope):
    """The gradients at z and at U; slope: f' by the value of f."""
    before = np.concatenate([np.zeros_like(h[:, :1]), h[:, :-1]], axis=1)
    d_z, carried = np.zeros_like(h), 0
    for t in reversed(range(h.shape[1])):
        d_z[:, t] = (d_h[:, t] + carried) * slope(h[:, t])
        carried = d_z[:, t] @ u.T
    return d_z, rows(before).T @ rows(d_z)


def lstm(z, u):
    """i, f, g, o = z + h U; c <- sigmoid(f) c + sigmoid(i) tanh(g); h <- sigmoid(o) tanh(c) from zeros on, z = x W + b. All h,
    `(rows, steps, units)`, and what each step leaves for the way back."""
    h = c = np.zeros((len(z), len(u)), z.dtype)
    states, kept = [], []
    for t in range(z.shape[1]):
        i, f, g, o = np.split(z[:, t] + h @ u, 4, axis=-1)
        i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
        before, c = (h, c), f * c + i * g
        h = o * np.tanh(c)
        states.append(h)
        kept.append((*before, i, f, g, o, np.tanh(c)))
    return np.stack(states, axis=1), kept


def lstm_backward(d_states, u, kept):
    """The gradients at z and at U."""
    d_z, d_u, d_h, d_c = [], 0, 0, 0
    for t in reversed(range(len(kept))):
        h, c, i, f, g, o, shown = kept[t]
        d_h = d_h + d_states[:, t]
        d_c = d_c + d_h * o * (1 - shown**2)
        at_gates = (d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g**2), d_h * shown * o * (1 - o))
        d_z.append(np.concatenate(at_gates, axis=-1))
        d_u = d_u + h.T @ d_z[-1]
        d_h, d_c = d_z[-1] @ u.T, d_c * f
    return np.stack(d_z[::-1], axis=1), d_u


def gru(x, u, c=0.0):
    """z, r = sigmoid(x_zr + h_zr), n = tanh(x_n + r h_n); h <- z h + (1 - z) n from zeros on, x = x W + b and h = h U + c side by side
    in the order z, r, n. All h, `(rows, steps, units)`, and what each step leaves for the way back."""
    h = np.zeros((len(x), len(u)), x.dtype)
    states, kept = [], []
    for t in range(x.shape[1]):
        x_z, x_r, x_n = np.split(x[:, t], 3, axis=-1)
        h_z, h_r, h_n = np.split(h @ u + c, 3, axis=-1)
        z, r = sigmoid(x_z + h_z), sigmoid(x_r + h_r)
        n = np.tanh(x_n + r * h_n)
        kept.append((h, z, r, n, h_n))
        h = z * h + (1 - z) * n
        states.append(h)
    return np.stack(states, axis=1), kept


def gru_backward(d_states, u, kept):
    """The gradients at x W + b, at h U + c, and at U."""
    d_x, d_product, d_u, d_h = [], [], 0, 0
    for t in reversed(range(len(kept))):
        h, z, r, n, h_n = kept[t]
        d_h = d_h + d_states[:, t]
        d_n = d_h * (1 - z) * (1 - n**2)
        d_z, d_r = d_h * (h - n) * z * (1 - z), d_n * h_n * r * (1 - r)
        d_x.append(np.concatenate([d_z, d_r, d_n], axis=-1))
        d_product.append(np.concatenate([d_z, d_r, d_n * r], axis=-1))
        d_u = d_u + h.T @ d_product[-1]
        d_h = d_h * z + d_product[-1] @ u.T
    return np.stack(d_x[::-1], axis=1), np.stack(d_product[::-1], axis=1), d_u


def gru_reset_before(x, u):
    """z, r = sigmoid(x_zr + h U_zr), n = tanh(x_n + (r h) U_n); h <- z h + (1 - z) n from zeros on, x = x W + b, side by side in the
    order z, r, n. All h, `(rows, steps, units)`, and what each step leaves for the way back."""
    u_zr, u_n = np.split(u, [2 * len(u)], axis=-1)
    h = np.zeros((len(x), len(u)), x.dtype)
    states, kept = [], []
    for t in range(x.shape[1]):
        x_zr, x_n = np.split(x[:, t], [2 * len(u)], axis=-1)
        z, r = np.split(sigmoid(x_zr + h @ u_zr), 2, axis=-1)
        n = np.tanh(x_n + (r * h) @ u_n)
        kept.append((h, z, r, n))
        h = z * h + (1 - z) * n
        states.append(h)
    return np.stack(states, axis=1), kept


def gru_reset_before_backward(d_states, u, kept):
    """The gradients at x W + b and at U."""
    u_zr, u_n = np.split(u, [2 * len(u)], axis=-1)
    d_x, d_u, d_h = [], 0, 0
    for t in reversed(range(len(kept))):
        h, z, r, n = kept[t]
        d_h = d_h + d_states[:, t]
        d_n = d_h * (1 - z) * (1 - n**2)
        d_reset = d_n @ u_n.T
        d_zr = np.concatenate([d_h * (h - n) * z * (1 - z), d_reset * h * r * (1 - r)], axis=-1)
        d_x.append(np.concatenate([d_zr, d_n], axis=-1))
        d_u = d_u + np.concatenate([h.T @ d_zr, (r * h).T @ d_n], axis=-1)
        d_h = d_h * z + d_reset * r + d_zr @ u_zr.T
    return np.stack(d_x[::-1], axis=1), d_u


def by_head(x, size):
    """Heads of a size, side by side, one by one: `(rows, heads, steps, size)`."""
    return x.reshape(*x.shape[:2], -1, size).swapaxes(1, 2)


def side_by_side(heads):
    """Back: `(rows, steps, heads size)`."""
    return heads.swapaxes(1, 2).reshape(len(heads), heads.shape[2], -1)


def attention(q, k, v, heads, visible=None):
    """softmax(q k^T / sqrt(size)) v of each head, and what is kept for the way back. Where there are fewer heads of k and v, neighbouring
    heads share them. visible: whether a step of q looks at one of k."""
    size = q.shape[-1] // heads
    q, k, v = by_head(q, size), by_head(k, size), by_head(v, size)
    sharing = heads // k.shape[1]
    k, v = k.repeat(sharing, axis=1), v.repeat(sharing, axis=1)
    scores = q @ k.swapaxes(2, 3) / math.sqrt(size)
    if visible is not None:
        scores = scores + np.where(visible, 0, AWAY).astype(scores.dtype)
    weights = softmax(scores)
    return side_by_side(weights @ v), (q, k, v, weights, sharing)


def attention_backward(d_y, kept):
    """The gradients at q, k and v; those of heads that share k and v are added up."""
    q, k, v, weights, sharing = kept
    d_y = by_head(d_y, q.shape[-1])
    d_scores = softmax_backward(d_y @ v.swapaxes(2, 3), weights) / math.sqrt(q.shape[-1])
    d_q, d_k, d_v = d_scores @ k, d_scores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ d_y
    d_k, d_v = (each.reshape(len(each), -1, sharing, *each.shape[2:]).sum(2) for each in (d_k, d_v))
    return side_by_side(d_q), side_by_side(d_k), side_by_side(d_v)


def rotated(x, heads, base, sign=1):
    """Rotary positions: in each head the pair (i, i + size / 2) turned at step t by t base^(-2 i / size), or back with sign -1, which is
    the gradient too."""
    size = x.shape[-1] // heads
    angles = np.arange(x.shape[1])[:, None] * base ** (-2 * np.arange(size // 2) / size)
    cos, sin = np.cos(angles).astype(x.dtype), sign * np.sin(angles).astype(x.dtype)
    first, second = np.split(by_head(x, size), 2, axis=-1)
    return side_by_side(np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1))


def sinusoids(steps, features, base):
    """sin(t / base^(2 i / features)) in column 2 i, the cos in column 2 i + 1; rounded to float32 once, so that it is the same in all
    precisions."""
    columns = np.arange(features)
    angles = np.arange(steps)[:, None] / base ** (2 * (columns // 2) / features)
    return np.where(columns % 2, np.cos(angles), np.sin(angles)).astype(np.float32)


def log_cosh(d):
    """log(cosh(d)), without a cosh that overflows."""
    size = np.abs(d)
    return size + np.log1p(np.exp(-2 * size)) - math.log(2)


def cosine_distance(z, y):
    """1 - s, s = z y / (|z| |y|), with |a| = sqrt(max(sum a^2, 1e-12)); and its gradient at z, -(y / |y| - s z / |z|) / |z|, |z| being a
    constant where it is that short."""
    square = np.sum(z**2, axis=-1, keepdims=True)
    length = np.sqrt(np.maximum(square, 1e-12))
    unit = y / np.sqrt(np.maximum(np.sum(y**2, axis=-1, keepdims=True), 1e-12))
    s = np.sum(z * unit, axis=-1, keepdims=True) / length
    return 1 - s[..., 0], (np.where(square > 1e-12, s * z / length, 0) - unit) / length


def filled(p, value=0.0):
    """An array of one number for every parameter."""
    return {name: np.full_like(array, value) for name, array in p.items()}


def clipped(gradient, highest):
    """g min(1, highest / |g|)."""
    norm = np.linalg.norm(gradient)
    return gradient * (highest / norm) if norm > highest else gradient


def clipped_together(gradients, highest):
    """The same by the norm of all gradients together."""
    norm = math.sqrt(sum(np.sum(gradient**2) for gradient in gradients.values()))
    return {name: gradient * min(1, highest / norm) if norm else gradient for name, gradient in gradients.items()}


def rms_normalized(x, epsilon):
    """h = x / s, s = sqrt(mean(x^2) + epsilon), over the last axis. Also gives s."""
    s = np.sqrt(np.mean(x**2, -1, keepdims=True) + epsilon)
    return x / s, s


def rms_normalized_backward(d_h, h, s):
    """(dh - h mean(dh h)) / s."""
    return (d_h - h * np.mean(d_h * h, -1, keepdims=True)) / s
