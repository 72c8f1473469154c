"""A window that moves over images: which number it reads where, and images in blocks."""

from __future__ import annotations

from itertools import product
from typing import Any, Iterator, Tuple

import numpy
from numpy.lib.stride_tricks import sliding_window_view

from .replica import Replica

#: numbers that layers work on at once, a few samples' worth: about a megabyte, which stays in the cache
BLOCK = 2**18
#: the same of replicas, whose sums are to be as long as those of frameworks that take the whole batch at once
REPLICA_BLOCK = 2**25


def block_size(numbers: int, like: Any) -> int:
    """How many samples of so many numbers are worked on at once."""
    return max(1, (REPLICA_BLOCK if isinstance(like, Replica) else BLOCK) // numbers)


def blocks(rows: int, size: int) -> Iterator[slice]:
    """Rows in blocks of a size; the last one may be shorter."""
    return (slice(start, start + size) for start in range(0, rows, size))


class Window:
    """Where a window is put down on an image with padding. A sequence is an image of height one.

    Attributes:
        kernel: height and width of the window.
        strides: how far it moves on each axis.
        dilation: distance of neighbours in it.
        size: height and width of the image.
        padded: the same with the padding.
        places: how often the window is put down on each axis.
        inside: index of the image in the padded one, `(rows, height, width, channels)`.
        disjoint: whether no number is read twice; in a window without dilation.
        parts: for each number in the window, row by row, the index in the padded image of what it reads at all places.
    """

    def __init__(self, kernel: Any, strides: Any, dilation: Any, pads: Any, size: Any, places: Any) -> None:
        """All of them one number an axis, but `pads`: before and after each axis."""
        self.kernel, self.strides, self.dilation = plane(kernel), plane(strides), plane(dilation)
        self.size, self.places = plane(size), plane(places)
        around = plane(pads, (0, 0))
        self.padded = tuple(before + length + after for length, (before, after) in zip(self.size, around))
        self.inside = (slice(None), *(slice(before, before + length) for length, (before, _) in zip(self.size, around)))
        self.disjoint = all(stride >= length for stride, length in zip(self.strides, self.kernel))
        self.parts = [(slice(None), *map(self.reads, (0, 1), offsets)) for offsets in product(*map(range, self.kernel))]

    def reads(self, axis: int, offset: int) -> slice:
        """What one number of the window reads on an axis, at all places."""
        start, stride = offset * self.dilation[axis], self.strides[axis]
        return slice(start, start + (self.places[axis] - 1) * stride + 1, stride)

    def seen(self, padded: Any) -> Any:
        """What the window reads of padded images, `(rows, *places, channels, *window)`: a view."""
        (down, across), (rate_down, rate_across) = self.strides, self.dilation
        reach = tuple((length - 1) * rate + 1 for length, rate in zip(self.kernel, self.dilation))
        found = sliding_window_view(padded, reach, (1, 2), writeable=False)[:, ::down, ::across, :, ::rate_down, ::rate_across]
        return found[:, : self.places[0], : self.places[1]]

    def images(self, x: Any) -> Any:
        """x as `(rows, height, width, channels)`."""
        return x.reshape(len(x), *self.size, x.shape[-1])

    def pad(self, images: Any, value: float = 0) -> Any:
        """Images with a value around them; themselves where there is no padding."""
        if self.padded == self.size:
            return images
        padded = numpy.full_like(images, value, shape=(len(images), *self.padded, images.shape[-1]))
        padded[self.inside] = images
        return padded

    def zeros(self, images: Any) -> Any:
        """Zeros in the shape of `pad(images)`."""
        return numpy.zeros_like(images, shape=(len(images), *self.padded, images.shape[-1]))

    def add(self, sums: Any, part: Any, values: Any) -> None:
        """Add values to a part of padded images that began as zeros."""
        if self.disjoint:
            sums[part] = values
        else:
            sums[part] += values


def plane(numbers: Any, first: Any = 1) -> Tuple[Any, ...]:
    """Numbers for two axes: a sequence has only the second."""
    return (first,) * (2 - len(numbers)) + tuple(numbers)
