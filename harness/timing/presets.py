"""How much is measured: `smoke` to see that it runs, `standard` to rank, `careful` for small differences."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """One protocol.

    Attributes:
        least, most: epochs: launches of every arm in fresh processes.
        rounds: of the training step in each epoch; each visits every arm twice.
        others: rounds of each other work (throughput, feeding, inference); 0 where they are left out.
        block: seconds of a visit; of other works half of it.
        target: half width that intervals should have, in logarithms.
        budget: seconds after which no epoch is begun.
        twin: whether one arm runs twice, as a control.
    """

    least: int
    most: int
    rounds: int
    others: int
    block: float
    target: float
    budget: float
    twin: bool


#: Kalibera & Jones' cost-optimal rounds are 17 to 25 for launches of a few seconds and rounds of half a second; five epochs are the least
#: for a t interval that is not all width, and detect 5 % with a power of 0.99 (benchmarks/README.md)
PRESETS: dict[str, Preset] = {
    "smoke": Preset(1, 1, 5, 0, 0.04, math.inf, math.inf, False),
    "standard": Preset(5, 10, 15, 2, 0.04, math.log(1.02), 600.0, True),
    "careful": Preset(5, 12, 20, 4, 0.04, math.log(1.0125), 1500.0, True),
}
