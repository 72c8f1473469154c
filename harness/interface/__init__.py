"""The contract that an adapter fulfils, the values that cross it, and the few functions that adapters share."""

from .contract import Adapter, Program, missing
from .files import fingerprint, flat_state, float32_state, load_arrays, nested_state, save_arrays, state_fingerprint
from .shared import masked, missing_device, numpy_batches, unsupported
from .values import Arrays, Batch, Probe, State, Trace

__all__ = [
    "Adapter", "Arrays", "Batch", "Probe", "Program", "State", "Trace", "fingerprint", "flat_state", "float32_state",
    "load_arrays", "masked", "missing", "missing_device", "nested_state", "numpy_batches", "save_arrays", "state_fingerprint",
    "unsupported",
]  # fmt: skip
