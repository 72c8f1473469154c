"""How often TensorFlow has traced something. Every program has functions of its own, and under XLA one inside of the other; so they are not
asked (`experimental_get_tracing_count`), but a body counts itself: its Python runs when it is traced, and only then
(https://www.tensorflow.org/guide/function#executing_python_side_effects)."""

from __future__ import annotations

from collections import Counter
from typing import Any, Callable

#: bodies by name
traced: Counter[str] = Counter()


def counted(body: Callable[..., Any]) -> Callable[..., Any]:
    """A body for `tf.function` that counts itself."""

    def counting(*arguments: Any) -> Any:
        traced[body.__name__] += 1
        return body(*arguments)

    return counting


def compilations() -> int:
    """See the contract. XLA compiles a graph when it first runs, each graph once: its trace stands for it."""
    return sum(traced.values())
