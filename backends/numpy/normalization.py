"""Normalisations: y = gamma h + beta with h = d / s, d = x - mean, s = sqrt(variance + epsilon). They differ in what `mean` averages over.

Backward, with g = dy gamma: dx = (g - mean(g) - h mean(g h)) / s, dgamma = sum(dy h), dbeta = sum(dy). Sums are products with ones: that is
where numpy is fastest.
"""

from __future__ import annotations

from typing import Any

import numpy

from .layer import Layer


class Normalization(Layer):
    """What all have: gamma and beta of each channel, two passes."""

    #: whether the mean is taken off
    centred = True

    def setup(self) -> None:
        """The parameters; None where there are none."""
        self.gamma, self.beta = self.held.parameters.get("gamma"), self.held.parameters.get("beta")
        self.epsilon = self.dtype.type(self.spec.epsilon)
        self.channels = self.node.input_shape[-1]

    def ones(self, count: int) -> Any:
        """To sum with."""
        return numpy.ones(count, self.dtype)

    def mean(self, x: Any) -> Any:
        """The mean over what belongs together, in a shape that x minus it is defined."""
        raise NotImplementedError

    def forward(self, x: Any) -> Any:
        """The mean, then the mean square of the differences to it."""
        self.centre = self.mean(x)
        d = x - self.centre
        self.variance = self.mean(d * d)
        return self.scaled(d, self.variance)

    def scaled(self, d: Any, variance: Any) -> Any:
        """y from the differences."""
        self.inverse = numpy.reciprocal(numpy.sqrt(variance + self.epsilon))
        self.h = d * self.inverse
        y = self.h if self.gamma is None else self.h * self.gamma
        return y if self.beta is None else y + self.beta

    def backward(self, dy: Any) -> Any:
        """See above."""
        products = dy * self.h
        self.learn(dy, products)
        if not self.inputs_too:
            return None
        if self.gamma is not None:
            dy = dy * self.gamma
            products *= self.gamma
        dx = self.h * self.mean(products)
        numpy.subtract(dy, dx, dx)
        if self.centred:
            dx -= self.mean(dy)
        dx *= self.inverse
        return dx

    def learn(self, dy: Any, products: Any) -> None:
        """Write the gradients of gamma and beta."""
        for name, values in (("gamma", products), ("beta", dy)):
            if name in self.held.gradients:
                rows = values.reshape(-1, self.channels)
                numpy.matmul(self.ones(len(rows)), rows, self.held.gradients[name])


class BatchNormalization(Normalization):
    """Over rows and places, each channel alone; in inference by the moving mean and variance."""

    def mean(self, x: Any) -> Any:
        """Of each channel."""
        rows = x.reshape(-1, self.channels)
        self.count = len(rows)
        return self.ones(self.count) @ rows / self.count

    def forward(self, x: Any) -> Any:
        """By the batch's numbers, or the moving ones."""
        if self.training:
            return super().forward(x)
        moving = self.held.statistics
        return self.scaled(x - moving["moving_mean"], moving["moving_variance"])

    def keep(self) -> None:
        """moving <- momentum moving + (1 - momentum) of the batch's."""
        momentum, variance = self.spec.momentum, self.variance
        if self.held.forms.get("batch_normalization.variance") == "unbiased":
            variance = variance * self.count / max(self.count - 1, 1)
        for name, value in (("moving_mean", self.centre), ("moving_variance", variance)):
            moving = self.held.statistics[name]
            moving *= momentum
            moving += (1 - momentum) * value


class LayerNormalization(Normalization):
    """Over the last axis."""

    def mean(self, x: Any) -> Any:
        """Of each place."""
        return (x @ self.ones(self.channels))[..., None] / self.channels


class GroupNormalization(Normalization):
    """Over all places and the channels of a group."""

    def setup(self) -> None:
        """How many groups."""
        super().setup()
        self.groups = self.spec.groups

    def mean(self, x: Any) -> Any:
        """Over the places first, then over the channels of each group; the same for all of these."""
        images = x.reshape(len(x), -1, self.channels)
        places, size = images.shape[1], self.channels // self.groups
        sums = (self.ones(places) @ images).reshape(len(x), self.groups, size) @ self.ones(size)
        means = numpy.repeat(sums / (places * size), size, 1)
        return means.reshape(len(x), *[1] * (x.ndim - 2), self.channels)


class InstanceNormalization(GroupNormalization):
    """Over all places: every channel is a group."""

    def setup(self) -> None:
        """How many groups."""
        Normalization.setup(self)
        self.groups = self.channels


class RMSNormalization(LayerNormalization):
    """h = x / s, s = sqrt(mean(x^2) + epsilon), the mean over the last axis, which is not taken off; dx = (g - h mean(g h)) / s."""

    centred = False

    def forward(self, x: Any) -> Any:
        """One pass."""
        return self.scaled(x, self.mean(x * x))
