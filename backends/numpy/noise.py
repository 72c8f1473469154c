"""Dropout and noise: what is drawn comes with the batch, or is drawn here."""

from __future__ import annotations

from typing import Any, Optional

import numpy

from harness.interface.shared import draw

from .layer import Layer


class Random(Layer):
    """y = x m or x + n in training, x in inference. `drawn` is set before `forward`."""

    drawn: Optional[Any] = None

    def setup(self) -> None:
        """A generator of its own."""
        self.random = numpy.random.Generator(numpy.random.SFC64(0))
        self.multiplies = self.spec.random == "mask"

    def draw(self, rows: int) -> None:
        """For a batch that brings nothing."""
        self.drawn = draw(self.node, rows, self.held.dtype, self.random)

    def forward(self, x: Any) -> Any:
        """See above."""
        if not self.training or self.drawn is None:
            return x
        return x * self.drawn if self.multiplies else x + self.drawn

    def backward(self, dy: Any) -> Any:
        """Times the mask; noise changes nothing."""
        return dy * self.drawn if self.multiplies and self.training and self.drawn is not None else dy
