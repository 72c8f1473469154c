"""What a program is built of, and who the reference is."""

from __future__ import annotations

from typing import NamedTuple

from ..registry import Arm
from ..spec import ProgramSpec

REFERENCE = Arm("numpy")


class Build(NamedTuple):
    """What a program is built of. The reference computes on the CPU, whatever the arms use."""

    spec: ProgramSpec
    dtype: str
    device: str
    mode: str
