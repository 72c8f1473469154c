"""Medians of raw step times. The loops differ by what else the machine does, so arms are compared round by round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy


def block_medians(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """Mean log of the two block medians of each arm in each round: arm -> round -> log seconds."""
    blocks: dict[tuple[str, int], list[float]] = {}
    for row in rows:
        blocks.setdefault((row["arm"], row["round"]), []).append(float(numpy.log(numpy.median(row["ns"]) / 1e9)))
    found: dict[str, dict[int, float]] = {}
    for (arm, number), medians in blocks.items():
        found.setdefault(arm, {})[number] = float(numpy.mean(medians))
    return found


def median_steps(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Median over blocks of the median step, seconds."""
    medians: dict[str, list[float]] = {}
    for row in rows:
        medians.setdefault(row["arm"], []).append(float(numpy.median(row["ns"])) / 1e9)
    return {arm: float(numpy.median(values)) for arm, values in medians.items()}


def ratios(rows: Sequence[Mapping[str, Any]], base: str) -> dict[str, float]:
    """Step time of each arm over that of `base`: the median over rounds of their ratio in the same round."""
    logs = block_medians(rows)
    if base not in logs:
        return {}
    found = {}
    for arm, rounds in logs.items():
        shared = [rounds[number] - logs[base][number] for number in rounds if number in logs[base]]
        found[arm] = float(numpy.exp(numpy.median(shared)))
    return found
