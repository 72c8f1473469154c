"""What a difference is, in one word for a tensor, from a closed list; the constants of the method with their derivation.

The second witness is the arm itself in the other number format, from the same state: rounding shrinks by 2^29 from float32 to float64,
another formula does not shrink.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..interface import LIMIT

#: bits of float32's mantissa, and of bfloat16's, the shortest in which frameworks multiply: what is further off than that is no arithmetic
FLOAT32_BITS, FEWEST_BITS = 24, 8
AMPLIFIED = "amplified rounding"
#: the closed list
WORDS = {
    "bitwise": "the same bits",
    "rounding": f"at most {LIMIT:g} floors off: what replicas of the reference do that differ by rounding alone",
    "weak rounding": f"at most {LIMIT:g} ceilings off: another order of summation, a less accurate exponential",
    AMPLIFIED: "more, but each node makes of the arm's own numbers what the reference would: rounding moved a unit over its kink, or the "
    "step magnifies it",
    "reduced precision": "more, but in float64 the same tensor is right: the formula is, the arithmetic has fewer bits",
    "float32 leak": "of a float64 run: off by what float32 would be, so that some constant or some part is computed in it",
    "semantic": "in float64 it is wrong too: another formula, constant, layout, order",
    "invalid": "missing, of another shape, or finite in other places",
    "undecided": "no rounding, but there is no float64 to tell whether formula or arithmetic",
}
RIGHT = ("bitwise", "rounding", "weak rounding", AMPLIFIED)


def word(error: float, floor: float, ceiling: float) -> str:
    """The word for one tensor, as far as its own number format tells: `differs` where it is no rounding."""
    if not math.isfinite(error):
        return "invalid"
    if error == 0:
        return "bitwise"
    if error <= LIMIT * floor:
        return "rounding"
    return "weak rounding" if error <= LIMIT * ceiling else "differs"


def told(row: Mapping[str, Any], dtype: str, witness: Mapping[str, float] | None) -> str:
    """The word for a tensor that differs.

    Args:
        row: of the comparison.
        dtype: of the run.
        witness: in a float32 run the tensor's `error` and `ceiling` in float64, in a float64 run the `ceiling` in float32; None where there
            is none.
    """
    if row["verdict"] != "differs":
        return str(row["verdict"])
    if dtype == "float64":
        return "float32 leak" if witness is not None and row["error"] <= LIMIT * witness["ceiling"] else "semantic"
    if witness is not None:
        return "reduced precision" if witness["error"] <= LIMIT * witness["ceiling"] else "semantic"
    return "semantic" if row["error"] > row["ceiling"] * 2 ** (FLOAT32_BITS - FEWEST_BITS) else "undecided"


def bits(error: float, ceiling: float) -> int:
    """About how many bits a tensor is right to, if float32's rounding, of 24, would have been right to its ceiling."""
    return max(0, round(FLOAT32_BITS - math.log2(error / ceiling)))
