"""Everything random, as data: weights, orders, masks, noise.

One counter-based stream for each purpose: Philox keyed by (seed, purpose), with the step in its counter, so that any draw can be
repeated alone. Only the generator's raw bits are used (numpy guarantees those, not its distributions, across versions).
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy
from scipy.special import ndtr, ndtri

from ..errors import UsageError
from ..spec import Parameter, Shape
from ..spec.initializers import (
    Array,
    GlorotNormal,
    GlorotUniform,
    HeNormal,
    HeUniform,
    Initializer,
    LecunNormal,
    LecunUniform,
    Ones,
    Orthogonal,
    RandomNormal,
    RandomUniform,
)


def bits(seed: int, purpose: str, count: int, step: int = 0) -> Any:
    """`count` random 64-bit numbers, uint64 `(count,)`; the same for the same seed, purpose and step."""
    key = int.from_bytes(hashlib.sha256(purpose.encode()).digest()[:8], "little")
    # as uint64: numpy would make a list with a number above 2^63 in it float64
    start, counter = (numpy.array(words, numpy.uint64) for words in ([seed, key], [0, 0, 0, step]))
    return numpy.random.Philox(key=start, counter=counter).random_raw(count)


def uniform(seed: int, purpose: str, shape: Shape, step: int = 0) -> Any:
    """Uniform numbers in (0, 1), float64: 53 random bits each, never an end."""
    raw = bits(seed, purpose, math.prod(shape), step)
    return (((raw >> 11).astype(numpy.float64) + 0.5) * 2.0**-53).reshape(shape)


def normal(seed: int, purpose: str, shape: Shape) -> Any:
    """Standard normal numbers, float64, by the inverse of the distribution function."""
    return ndtri(uniform(seed, purpose, shape))


def truncated_normal(seed: int, purpose: str, shape: Shape) -> Any:
    """Normal numbers within two standard deviations, rescaled to variance 1."""
    low, high = ndtr(-2.0), ndtr(2.0)
    # standard deviation of a standard normal that is cut at -2 and 2, as in Keras and JAX
    return ndtri(low + uniform(seed, purpose, shape) * (high - low)) / 0.87962566103423978


def orthogonal(seed: int, purpose: str, shape: Shape) -> Any:
    """Rows or columns, whichever are fewer, of length 1 and at right angles, uniform over all such: see the initializer."""
    few, many = sorted((math.prod(shape[:-1]), shape[-1]))
    q, r = numpy.linalg.qr(normal(seed, purpose, (many, few)))
    q *= numpy.where(numpy.diag(r) < 0, -1.0, 1.0)
    return (q.T if shape[-1] == many else q).reshape(shape)


def permutation(seed: int, purpose: str, count: int, step: int = 0) -> Any:
    """A random order of 0..count-1, int64 `(count,)`."""
    return numpy.argsort(bits(seed, purpose, count, step), kind="stable")


def noise(seed: int, node: str, shape: Shape, stddev: float, step: int) -> Any:
    """What a gaussian_noise node adds at a step: float32 `shape`."""
    return (stddev * ndtri(uniform(seed, f"noise/{node}", shape, step))).astype(numpy.float32)


def kept(seed: int, node: str, shape: Shape, rate: float, step: int) -> Any:
    """Which values a dropout node keeps at a step: bool `shape`, each False with probability `rate`."""
    return uniform(seed, f"mask/{node}", shape, step) >= rate


def weights(seed: int, parameter: Parameter) -> Any:
    """First values of a parameter, float32.

    Raises:
        UsageError: explicit values have another shape than the parameter.
    """
    start, shape = parameter.initializer, parameter.shape
    purpose, fans = f"weights/{parameter.name}", parameter.fans or (math.prod(shape[:-1]) or 1, shape[-1])
    if isinstance(start, Array):
        values = numpy.array(start.values, numpy.float64)
        if values.shape != shape:
            raise UsageError(f"the array given for {parameter.name} has shape {values.shape}; it needs {shape}")
        return values.astype(numpy.float32)
    if isinstance(start, RandomUniform):
        drawn = start.minval + (start.maxval - start.minval) * uniform(seed, purpose, shape)
    elif isinstance(start, RandomNormal):
        drawn = start.mean + start.stddev * normal(seed, purpose, shape)
    elif isinstance(start, (GlorotUniform, HeUniform, LecunUniform)):
        drawn = math.sqrt(3 * variance(start, fans)) * (2 * uniform(seed, purpose, shape) - 1)
    elif isinstance(start, (GlorotNormal, HeNormal, LecunNormal)):
        drawn = math.sqrt(variance(start, fans)) * truncated_normal(seed, purpose, shape)
    elif isinstance(start, Orthogonal):
        drawn = start.gain * orthogonal(seed, purpose, shape)
    else:
        drawn = numpy.full(shape, 1.0 if isinstance(start, Ones) else 0.0)
    drawn[..., slice(*parameter.forget)] += 1
    return drawn.astype(numpy.float32)


def variance(start: Initializer, fans: tuple[int, int]) -> float:
    """The variance that an initializer by fans aims at, from the inputs and outputs of one unit."""
    fan_in, fan_out = fans
    if isinstance(start, (GlorotUniform, GlorotNormal)):
        return 2 / (fan_in + fan_out)
    return (2 if isinstance(start, (HeUniform, HeNormal)) else 1) / fan_in
