"""The contract that an adapter fulfils, the values that cross it, and the few functions that adapters share."""

from . import shared
from .checks import ContractBroken, check_outputs, check_probe, check_state, check_trace
from .contract import Adapter, Program, missing
from .files import fingerprint, flat_state, float32_state, load_arrays, nested_state, save_arrays, state_fingerprint
from .positions import rotations, sinusoids
from .rounding import LIMIT, Floor, error, errors, floors, norm
from .rules import clipped, updated
from .shared import OPTIONS, masked, missing_device, numpy_batches, unsupported
from .steps import KINDS, LOSS, OPTIMIZER, ZERO, changes
from .values import Arrays, Batch, Probe, State, Trace
from .vectors import parameter_arrays, parameter_vector

__all__ = [
    "KINDS",
    "LIMIT",
    "LOSS",
    "OPTIMIZER",
    "OPTIONS",
    "ZERO",
    "Adapter",
    "Arrays",
    "Batch",
    "ContractBroken",
    "Floor",
    "Probe",
    "Program",
    "State",
    "Trace",
    "changes",
    "check_outputs",
    "check_probe",
    "check_state",
    "check_trace",
    "clipped",
    "error",
    "errors",
    "fingerprint",
    "flat_state",
    "float32_state",
    "floors",
    "load_arrays",
    "masked",
    "missing",
    "missing_device",
    "nested_state",
    "norm",
    "numpy_batches",
    "parameter_arrays",
    "parameter_vector",
    "rotations",
    "save_arrays",
    "shared",
    "sinusoids",
    "state_fingerprint",
    "unsupported",
    "updated",
]  # fmt: skip
