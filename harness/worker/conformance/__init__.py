"""The laws that every adapter obeys, tried on small programs that use every layer, activation, loss, optimizer, schedule and penalty."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Dict, Iterator, Mapping, Tuple

from ..session import describe, log_traceback
from . import core, extremes, images, kinks, losses, models, normalizations, optimizers, sequences
from .case import FAMILIES, Case, all_items, case, specs_in
from .data import drawn
from .laws import LAWS, Problem
from .measure import differing

__all__ = ["FAMILIES", "Case", "all_items", "case", "cases", "check", "items", "specs_in"]


@lru_cache(maxsize=None)
def cases() -> Mapping[str, Case]:
    """All cases by name, in an order in which what is simple comes first.

    Raises:
        ValueError: two have the same name.
    """
    found: Dict[str, Case] = {}
    for part in (core, images, sequences, normalizations, losses, optimizers, models, kinks, extremes):
        for one in part.cases():
            if one.name in found:
                raise ValueError(f'two cases are called "{one.name}"')
            found[one.name] = one
    return found


def items() -> Dict[str, Tuple[str, ...]]:
    """Every item with the names of the cases that are about it."""
    return {item: tuple(name for name, found in cases().items() if item in found.about) for item in all_items()}


def check(adapter: Any, dtype: str, device: str, mode: str, name: str, seed: int, cache: str = "") -> Dict[str, Any]:
    """Try one case.

    Args:
        adapter: the module.
        dtype, device, mode: see the contract.
        name: of the case.
        seed: of its random states and batches.
        cache: folder where the reference's tensors are kept for other arms; "" for none.

    Returns:
        `unsupported` reasons, or `broken`: what does not hold (text, and where it is a number its error), the largest `ratio` to the
        ceiling and the largest `error` among what 1e-12 is asked of in float64.
    """
    found = cases()[name]
    reasons = adapter.supports(found.spec, dtype, device, mode)
    return {"unsupported": list(reasons)} if reasons else tried(found, adapter, dtype, device, mode, seed, cache)


def tried(found: Case, adapter: Any, dtype: str, device: str, mode: str, seed: int, cache: str) -> Dict[str, Any]:
    """All laws, then all tensors, at each state of a case."""
    program = adapter.Program(found.spec, dtype, device, mode)
    result: Dict[str, Any] = {"broken": [], "ratio": 0.0, "error": 0.0}
    for number, (state, batches) in enumerate(drawn(found, seed)):
        for law in LAWS if number == 0 else LAWS[:1]:
            result["broken"] += attempted(state.step, law(found, program, state, batches, dtype))
        result["broken"] += attempted(state.step, differing(found, program, adapter.FORMS, dtype, state, batches, cache, result))
    return result


def attempted(step: int, problems: Iterator[Problem]) -> Iterator[Dict[str, Any]]:
    """Problems as data: `text`, and their `error` where it is a number. What is raised is a problem too."""
    try:
        for text, error in problems:
            yield {"text": f"step {step}: {text}", "error": error}
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as problem:
        log_traceback()
        yield {"text": f"step {step}: {describe(problem)}", "error": None}
