"""How numbers and words are written in tables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Format = Callable[[Any], str]


def number(digits: int) -> Format:
    """Numbers with so many significant digits; nothing for what is missing."""

    def text(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{value:.{digits}g}" if isinstance(value, float) else str(value)

    return text


def fixed(digits: int, unit: str = "") -> Format:
    """Numbers with so many decimals."""

    def text(value: Any) -> str:
        return "" if value is None or value != value else f"{value:,.{digits}f}{unit}"

    return text


def words(value: Any) -> str:
    """Anything as text; nothing for what is missing."""
    return "" if value is None or value != value else str(value)
