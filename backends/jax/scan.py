"""Several steps in one call."""

from __future__ import annotations

from typing import Any, Callable, Sequence, Tuple

from jax import lax


def scanned(step: Callable[..., Any], carry: Any, place: Any, batches: Sequence[Any], length: int) -> Tuple[Any, Any, Any]:
    """`length` steps over the batches in turn: the state behind them, the place of the batch that is next, the last step's loss.

    Args:
        step: from a state and a batch to the state behind it and its loss.
        carry: the state.
        place: of the first batch. It is carried, so that one compiled call goes on wherever the one before stopped.
        batches: arrays with an axis in front that counts batches.
        length: a constant of the compiled program, as an expert has it: XLA knows how long its loop is.
    """
    count = len(batches[0])

    def one(carried: Any, _: Any) -> Any:
        carry, place = carried
        batch = [lax.dynamic_index_in_dim(array, place, keepdims=False) for array in batches]
        carry, loss = step(carry, *batch)
        return (carry, (place + 1) % count), loss

    (carry, place), losses = lax.scan(one, (carry, place), length=length)
    return carry, place, losses[-1]
