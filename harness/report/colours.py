"""The same colour for a framework everywhere; each at least 3:1 on white and on a dark page, apart for colour-blind readers (after Okabe &
Ito)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

COLOURS: Mapping[str, str] = {"numpy": "#6C7A89", "torch": "#D55E00", "keras": "#C0629A", "tensorflow": "#B37A00", "jax": "#0072B2"}
#: for backends that have none of their own, in turn
OTHERS = ("#009E73", "#7A5FB5", "#8C6D31", "#4C8C9B")


def colours(backends: Sequence[str]) -> list[str]:
    """A colour for each backend."""
    free = [name for name in dict.fromkeys(backends) if name not in COLOURS]
    return [COLOURS.get(name) or OTHERS[free.index(name) % len(OTHERS)] for name in backends]
