"""What scripts in PyTorch may bring with them; see harness.export.library."""

import math
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional


def softplus(z):
    """log(1 + exp(z)). Above PyTorch's own threshold of 20 it would be z, which is not exact in float64."""
    return functional.softplus(z, threshold=40.0)


def hard_sigmoid(z):
    """min(max(z + 3, 0), 6) / 6. The gradient of functional.hardsigmoid has 1 / 6 in float32, in float64 too."""
    return functional.relu6(z + 3) / 6


def larger(a, b):
    """max(a, b). The gradient goes to a where both are equal; torch.maximum would halve it."""
    return torch.where(a >= b, a, b)


def mean_of_real(pool, x, sides, window, stride=None):
    """The mean of each window, of what is no padding: PyTorch's own padding is the same on both sides.

    pool is functional.avg_pool1d or functional.avg_pool2d, sides are zeros as functional.pad takes them.
    """
    share = pool(functional.pad(torch.ones_like(x), sides), window, stride)
    return pool(functional.pad(x, sides), window, stride) / share


def swapped(weight):
    """The gates z, r, h of the file in the order r, z, n of nn.GRU, or back."""
    first, second, third = weight.chunk(3)
    return torch.cat([second, first, third])


class GRUResetBefore(nn.Module):
    """z, r = sigmoid(...), h' = tanh(x W + (r h) U + b), h <- z h + (1 - z) h': the reset gate acts on h, as in Cho et al. 2014.

    nn.GRU knows only the one that acts on h U. The gates stand in the order z, r, h.
    """

    def __init__(self, features, units, bias=True):
        super().__init__()
        self.units = units
        self.kernel = nn.Linear(features, 3 * units, bias)
        self.recurrent = nn.Linear(units, 3 * units, bias=False)

    def forward(self, x):
        """All h, (rows, steps, units), and the last."""
        both = 2 * self.units
        h = x.new_zeros(len(x), self.units)
        outputs = []
        for step in self.kernel(x).unbind(1):
            z, r = torch.sigmoid(step[:, :both] + functional.linear(h, self.recurrent.weight[:both])).chunk(2, 1)
            new = torch.tanh(step[:, both:] + functional.linear(r * h, self.recurrent.weight[both:]))
            h = z * h + (1 - z) * new
            outputs.append(h)
        return torch.stack(outputs, 1), h


class Attention(nn.Module):
    """Heads of softmax(q k^T / sqrt(size)) v, side by side, through a linear layer (Vaswani et al. 2017).

    q is made of x, k and v of the memory, or of x as well. With fewer kv_heads than heads, neighbouring heads share k and v. Where the
    mask is 0, a step of the memory is not looked at.
    """

    def __init__(self, features, heads, size, kv_heads=None, memory_features=None, bias=True):
        super().__init__()
        self.size = size
        self.query = nn.Linear(features, heads * size, bias)
        self.key = nn.Linear(memory_features or features, (kv_heads or heads) * size, bias)
        self.value = nn.Linear(memory_features or features, (kv_heads or heads) * size, bias)
        self.output = nn.Linear(heads * size, features, bias)

    def forward(self, x, memory=None, causal=False, mask=None):
        """One output for each step of x."""
        memory = x if memory is None else memory
        q, k, v = (y.unflatten(2, (-1, self.size)).transpose(1, 2) for y in (self.query(x), self.key(memory), self.value(memory)))
        if mask is not None:
            mask = (mask != 0)[:, None, None]  # True: look
            if causal:
                mask = mask & torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
                causal = False  # it stands in the mask
        q, k = self.turned(q), self.turned(k)
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, enable_gqa=True)
        return self.output(y.transpose(1, 2).flatten(2))

    def turned(self, y):
        """Queries or keys (rows, heads, steps, size) with their positions; here there are none."""
        return y


class RotaryAttention(Attention):
    """Attention whose queries and keys are turned by their positions (Su et al. 2021): the pair (i, i + size / 2) at step t by the
    angle t base^(-2 i / size)."""

    def __init__(self, steps, base, features, heads, size, **options):
        super().__init__(features, heads, size, **options)
        angles = np.outer(np.arange(steps), base ** (-2 * np.arange(size // 2) / size))
        dtype = self.query.weight.dtype
        self.register_buffer("cosines", torch.tensor(np.cos(angles), dtype=dtype), persistent=False)
        self.register_buffer("sines", torch.tensor(np.sin(angles), dtype=dtype), persistent=False)

    def turned(self, y):
        """The first `steps` positions."""
        (left, right), steps = y.chunk(2, -1), y.shape[2]
        cos, sin = self.cosines[:steps], self.sines[:steps]
        return torch.cat([left * cos - right * sin, right * cos + left * sin], -1)


def sinusoidal_positions(steps, features, base=10000.0):
    """sin(t / base^(2 i / features)) at 2 i and cos at 2 i + 1, (steps, features), rounded to float32 (Vaswani et al. 2017)."""
    column = np.arange(features)
    angles = np.arange(steps)[:, None] / base ** (2 * (column // 2) / features)
    table = np.where(column % 2, np.cos(angles), np.sin(angles)).astype("float32")
    return torch.tensor(table, dtype=torch.get_default_dtype())


def log_cosh(outputs, targets):
    """log(cosh(d)) of each difference d, as d + log(1 + exp(-2 d)) - log(2), which does not overflow."""
    difference = outputs - targets
    return difference + softplus(-2 * difference) - math.log(2)


def cosine_distance(outputs, targets):
    """1 less the cosine of the angle, of each row; no norm counts as less than 1e-6."""
    return 1 - functional.cosine_similarity(outputs, targets, dim=-1, eps=1e-6)


def perceptron(outputs, targets):
    """max(0, -y z): the gradient at y z = 0 is -y, since clamp's, unlike relu's, is 1 there."""
    return torch.clamp(-targets * outputs, min=0)


def half_cosine(share):
    """From 1 down to 0 while the share goes from 0 to 1, along half a cosine."""
    return (1 + math.cos(math.pi * min(share, 1.0))) / 2


def clip_norm(parameters, limit):
    """Scale the gradients of all these parameters together to at most this norm; clip_grad_norm_ adds 1e-6 to the norm."""
    norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(parameter.grad) for parameter in parameters]))
    for parameter in parameters:
        parameter.grad.mul_((limit / norm).clamp(max=1.0))


def shrink(parameters, share):
    """Take a share of each parameter away: the decoupled decay that this optimizer does not have."""
    with torch.no_grad():
        for parameter in parameters:
            parameter.mul_(1 - share)
