"""The contract that an adapter fulfils, the values that cross it, and the few functions that adapters share."""

from .contract import Adapter, Program, missing
from .shared import masked, missing_device, numpy_batches, unsupported
from .values import Arrays, Batch, Probe, State, Trace

__all__ = [
    "Adapter", "Arrays", "Batch", "Probe", "Program", "State", "Trace", "masked", "missing", "missing_device", "numpy_batches",
    "unsupported",
]  # fmt: skip
