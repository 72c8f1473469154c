"""Activations. Where one has a kink, its gradient there is the one that harness.spec.activations states."""

from __future__ import annotations

import math
from typing import Any, Tuple

import numpy

from .layer import Layer
from .special import expm1, magnitude, normal_tail, positive_part, sigmoid

#: numbers in a block of an elementwise function: 128 KiB in float32
BLOCK = 32768


class Identity(Layer):
    """y = x."""

    def forward(self, x: Any) -> Any:
        """The same array."""
        return x

    def backward(self, dy: Any) -> Any:
        """The same array."""
        return dy


class Activation(Layer):
    """What all have: `function`, the activation's own spec."""

    def setup(self) -> None:
        """The spec of the function, and numbers of the right kind."""
        self.function = self.spec.activation
        self.zero, self.one = self.dtype.type(0), self.dtype.type(1)


class Step(Activation):
    """y = 1 where x > 0, else 0; its gradient is zero."""

    def forward(self, x: Any) -> Any:
        """See above."""
        return numpy.where(x.real > 0, self.one, self.zero)

    def backward(self, dy: Any) -> Any:
        """Zero."""
        return numpy.zeros_like(dy)


class Sigmoid(Activation):
    """y = 1 / (1 + exp(-x)); dx = dy y (1 - y)."""

    def forward(self, x: Any) -> Any:
        """See above."""
        self.y = sigmoid(x)
        return self.y

    def backward(self, dy: Any) -> Any:
        """See above."""
        dx = self.one - self.y
        dx *= self.y
        dx *= dy
        return dx


class Tanh(Activation):
    """y = tanh(x); dx = dy (1 - y^2)."""

    def forward(self, x: Any) -> Any:
        """See above."""
        self.y = numpy.tanh(x)
        return self.y

    def backward(self, dy: Any) -> Any:
        """See above."""
        dx = self.y * self.y
        numpy.subtract(self.one, dx, dx)
        dx *= dy
        return dx


class Relu(Activation):
    """y = max(x, 0); dx = dy where y > 0, else 0."""

    def forward(self, x: Any) -> Any:
        """See above."""
        self.y = numpy.maximum(x, self.zero)
        return self.y

    def backward(self, dy: Any) -> Any:
        """See above."""
        return dy * (self.y > self.zero)


class PRelu(Layer):
    """y = max(x, 0) + alpha min(x, 0); dalpha = the sum of dy min(x, 0), dx = dy where x > 0, else dy alpha."""

    def forward(self, x: Any) -> Any:
        """See above."""
        zero = self.dtype.type(0)
        self.x, self.left = x, numpy.minimum(x, zero)
        return numpy.maximum(x, zero) + self.held.parameters["alpha"] * self.left

    def backward(self, dy: Any) -> Any:
        """See above."""
        channels = dy.shape[-1]
        numpy.add.reduce((dy * self.left).reshape(-1, channels), 0, out=self.held.gradients["alpha"])
        right = self.x.real > 0
        return dy * (right + self.held.parameters["alpha"] * ~right)


class Elementwise(Activation):
    """y = f(x), dx = dy f'(x): `curve` gives both. It works through large arrays in blocks, which stay in the cache from one operation to
    the next."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """f(x) and f'(x), new arrays. Where two cases meet, sums of both times a truth value: numpy.where branches at every number."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """See above."""
        flat = x.reshape(-1)
        y, slope = numpy.empty_like(flat), numpy.empty_like(flat)
        for start in range(0, len(flat), BLOCK):
            part = slice(start, start + BLOCK)
            y[part], slope[part] = self.curve(flat[part])
        self.slope = slope.reshape(x.shape)
        return y.reshape(x.shape)

    def backward(self, dy: Any) -> Any:
        """See above."""
        return dy * self.slope


class Relu6(Elementwise):
    """y = min(max(x, 0), 6)."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """1 strictly between 0 and 6."""
        y = numpy.minimum(numpy.maximum(x, self.zero), self.dtype.type(6))
        return y, numpy.logical_and(x.real > 0, x.real < 6)


class LeakyRelu(Elementwise):
    """y = max(x, 0) + negative_slope min(x, 0)."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """1 where x > 0."""
        slope, right = self.function.negative_slope, x.real > 0
        return numpy.maximum(x, self.zero) + slope * numpy.minimum(x, self.zero), right + slope * ~right


class Elu(Elementwise):
    """y = scale max(x, 0) + scale alpha (exp(min(x, 0)) - 1), scale 1."""

    def numbers(self) -> Tuple[float, float]:
        """scale, and scale alpha."""
        return 1.0, self.function.alpha

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """scale where x > 0, else scale alpha exp(x): y + alpha has no digits of it far out."""
        scale, alpha = self.numbers()
        left, right = numpy.minimum(x, self.zero), x.real > 0
        return scale * numpy.maximum(x, self.zero) + alpha * expm1(left), scale * right + alpha * numpy.exp(left) * ~right


class Selu(Elu):
    """The same with its two constants."""

    def numbers(self) -> Tuple[float, float]:
        """Klambauer et al. 2017."""
        return 1.0507009873554805, 1.0507009873554805 * 1.6732632423543772


class Gelu(Elementwise):
    """y = x P(x), P the normal distribution: with its tail Q at u = |x|, max(x, 0) - u Q; or, approximately,
    x (1 + t) / 2, t = tanh(sqrt(2 / pi) (x + 0.044715 x^3))."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """P + x P'."""
        return self.approximate(x) if self.function.approximate else self.exact(x)

    def exact(self, x: Any) -> Tuple[Any, Any]:
        """On the left Q - u P', on the right 1 minus that."""
        u = magnitude(x)
        tail, density = normal_tail(u)
        y = positive_part(x)
        y -= u * tail
        density *= u
        tail -= density
        return y, tail + (1 - 2 * tail) * (x.real > 0)

    def approximate(self, x: Any) -> Tuple[Any, Any]:
        """(1 + t) / 2 + x (1 - t^2) / 2 times the derivative of what stands in the tanh."""
        root, square = math.sqrt(2 / math.pi), x * x
        t = numpy.tanh(x * (root + root * 0.044715 * square))
        half = 0.5 + 0.5 * t
        return x * half, half + x * half * (1 - t) * (root + 3 * root * 0.044715 * square)


class Silu(Elementwise):
    """y = x s, s = 1 / (1 + exp(-x))."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """s + x s (1 - s)."""
        s = sigmoid(x)
        y = x * s
        return y, s + y * (1 - s)


class Softplus(Elementwise):
    """y = log(1 + exp(x)) = max(x, 0) + log(1 + exp(-|x|))."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """1 / (1 + exp(-x))."""
        return numpy.maximum(x, self.zero) + numpy.log1p(numpy.exp(-magnitude(x))), sigmoid(x)


class Softsign(Elementwise):
    """y = x / (1 + |x|)."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """1 / (1 + |x|)^2."""
        share = 1 / (1 + magnitude(x))
        return x * share, share * share


class HardSigmoid(Elementwise):
    """y = min(max(x + 3, 0), 6) / 6."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """1 / 6 strictly between -3 and 3."""
        return self.ramp(x), self.inside(x) / self.dtype.type(6)

    def ramp(self, x: Any) -> Any:
        """From 0 to 1."""
        return numpy.minimum(numpy.maximum(x + 3, self.zero), self.dtype.type(6)) / 6

    def inside(self, x: Any) -> Any:
        """Where the ramp rises."""
        return numpy.logical_and(x.real > -3, x.real < 3)


class HardSilu(HardSigmoid):
    """y = x times the hard sigmoid."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """By the product rule."""
        ramp = self.ramp(x)
        return x * ramp, ramp + x / 6 * self.inside(x)


class Mish(Elementwise):
    """y = x t, t = tanh(log(1 + e)) = n / (n + 2), e = exp(x), n = e (e + 2). From x = 40 on, t is 1 and stays so."""

    def curve(self, x: Any) -> Tuple[Any, Any]:
        """t + 4 x e (1 + e) / (n + 2)^2."""
        e = numpy.exp(numpy.minimum(x, self.dtype.type(40)))
        n = e * (e + 2)
        t = n / (n + 2)
        return x * t, t + x * (e * (1 + e) / (n + 2)) * (4 / (n + 2))


class Softmax(Activation):
    """y = exp(x) / sum exp(x) along the axis; dx = y (dy - sum(dy y))."""

    def forward(self, x: Any) -> Any:
        """The largest x is taken out first."""
        axis = self.function.axis
        self.y = x - numpy.maximum.reduce(x, axis, keepdims=True)
        numpy.exp(self.y, self.y)
        self.y /= numpy.add.reduce(self.y, axis, keepdims=True)
        return self.y

    def backward(self, dy: Any) -> Any:
        """See above."""
        return self.y * (dy - numpy.add.reduce(dy * self.y, self.function.axis, keepdims=True))


class LogSoftmax(Activation):
    """y = x - log(sum exp(x)) along the axis; dx = dy - exp(y) sum(dy)."""

    def forward(self, x: Any) -> Any:
        """The largest x is taken out first."""
        axis = self.function.axis
        x = x - numpy.maximum.reduce(x, axis, keepdims=True)
        self.y = x - numpy.log(numpy.add.reduce(numpy.exp(x), axis, keepdims=True))
        return self.y

    def backward(self, dy: Any) -> Any:
        """See above."""
        return dy - numpy.exp(self.y) * numpy.add.reduce(dy, self.function.axis, keepdims=True)
