"""Several steps in one call."""

from __future__ import annotations

from typing import Any, Callable

import tensorflow as tf


def looped(step: Callable[..., Any], dtype: str, length: Any, place: Any, *batches: Any) -> Any:
    """The graph of `length` steps over the batches in turn: the last one's loss, and the place of the batch that is next.

    Args:
        step: of a batch; moves the variables, and gives its loss.
        dtype: of the loss.
        length: how many, a tensor: one graph serves any number.
        place: of the first batch, a tensor.
        batches: arrays with an axis in front that counts batches.
    """
    count = batches[0].shape[0]

    def one(left: Any, place: Any, loss: Any) -> Any:
        loss = step(*(array[place] for array in batches))
        return left - 1, (place + 1) % count, loss

    # one iteration at a time: each reads the variables that the one before has written
    start = (length, place, tf.zeros((), dtype))
    _, place, loss = tf.while_loop(lambda left, *_: left > 0, one, start, parallel_iterations=1)
    return loss, place
