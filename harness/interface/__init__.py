"""The contract that an adapter fulfils, the values that cross it, and the few functions that adapters share."""

from .contract import Adapter, Program, missing
from .files import fingerprint, flat_state, float32_state, load_arrays, nested_state, save_arrays, state_fingerprint
from .rounding import LIMIT, Floor, error, errors, floors, norm, verdict
from .shared import masked, missing_device, numpy_batches, unsupported
from .values import Arrays, Batch, Probe, State, Trace

__all__ = [
    "LIMIT", "Adapter", "Arrays", "Batch", "Floor", "Probe", "Program", "State", "Trace",
    "error", "errors", "fingerprint", "flat_state", "float32_state", "floors",
    "load_arrays", "masked", "missing", "missing_device", "nested_state", "norm", "numpy_batches", "save_arrays", "state_fingerprint",
    "unsupported", "verdict",
]  # fmt: skip
