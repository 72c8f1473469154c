"""Before numbers: what an arm's arithmetic is like, measured through the contract and not believed from flags. The reason for a difference
is often found here: TF32 or bfloat16 products, a float64 that is none, an installation that is known to be wrong."""

from __future__ import annotations

import os
from typing import Any, Dict, Iterator

import numpy

from ..interface import Batch, State
from ..spec import SGD, Dense, ProgramSpec, wired
from ..spec.losses import MeanSquaredError

#: features and units of the layer that is tried: large enough for the kernels that reduce precision
SIZE = 64
#: bits of a number's mantissa, the leading one included
BITS = {"float32": 24, "float64": 53}
#: exponents of numbers that are subnormal
SUBNORMAL = {"float32": -130, "float64": -1026}
#: variables of the environment that change how frameworks compute, where somebody has set them
VARIABLES = (
    "CUBLAS_WORKSPACE_CONFIG", "DNNL_DEFAULT_FPMATH_MODE", "JAX_DEFAULT_MATMUL_PRECISION", "JAX_ENABLE_X64", "KERAS_BACKEND", "MKL_CBWR",
    "NVIDIA_TF32_OVERRIDE", "ONEDNN_DEFAULT_FPMATH_MODE", "ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS", "TF_XLA_FLAGS", "XLA_FLAGS",
)  # fmt: skip


def preflight(adapter: Any, dtype: str, device: str, mode: str, threads: int) -> Dict[str, Any]:
    """What is measured of an arm, and what is wrong with it.

    Args:
        adapter: an adapter's module.
        dtype, device, mode: see the contract.
        threads: that it was told to use.

    Returns:
        `bits` to which products are right, `subnormals` (kept or flushed to zero), both missing where the adapter has no such program;
        `variables` that are set; `problems`, a sentence each.
    """
    found: Dict[str, Any] = {"variables": {name: os.environ[name] for name in VARIABLES if name in os.environ}}
    if not adapter.supports(layer(), dtype, device, mode):
        outputs = products(adapter.Program(layer(), dtype, device, mode), dtype)
        found.update(bits=right_bits(outputs, dtype), subnormals="kept" if outputs[-1] else "flushed to zero")
    return {**found, "problems": list(problems(found, adapter.versions(), dtype, threads))}


def layer() -> ProgramSpec:
    """A dense layer and nothing else."""
    return ProgramSpec(wired((Dense(units=SIZE, use_bias=False),), (SIZE,)), MeanSquaredError(), SGD(learning_rate=0.5), "value")


def products(program: Any, dtype: str) -> Any:
    """What a layer whose kernel is diagonal makes of (1 + 2^-k) (1 + 2^-k), k = 0 to 23 and on, factors that float32 can hold; last, of a
    subnormal number and 1."""
    numbers = factors().astype(dtype)
    kernel = numpy.diag(factors())
    numbers[-1], kernel[-1, -1] = 2.0 ** SUBNORMAL[dtype], 1
    program.load(State({"dense_1/kernel": kernel}))
    inputs = numpy.diag(numbers)
    return numpy.diag(program.predict(program.stage([Batch(inputs, numpy.zeros_like(inputs))]))[0])


def factors() -> Any:
    """1 + 2^-k, rounded to float32: from k = 24 on it is 1."""
    return 1 + numpy.exp2(-numpy.arange(SIZE, dtype=numpy.float32))


def right_bits(outputs: Any, dtype: str) -> int:
    """To how many bits the factors of products are right: those of the first factor that is not, 24 for float64 that is float32."""
    exact = factors().astype(numpy.float64) ** 2
    found, wanted = outputs[:-1], exact.astype(dtype)[:-1]
    if numpy.array_equal(found, wanted):
        return BITS[dtype]
    if dtype == "float64" and numpy.array_equal(found, wanted.astype(numpy.float32)):
        return BITS["float32"]
    return int(numpy.argmax(found != wanted))


def problems(found: Dict[str, Any], versions: Dict[str, Any], dtype: str, threads: int) -> Iterator[str]:
    """What is not as it should be."""
    bits = found.get("bits", BITS[dtype])
    if bits < BITS[dtype]:
        reduced = {8: " (bfloat16)", 11: " (TF32 or float16)", 24: " (float32)"}.get(bits, "")
        yield f"products in {dtype} are right to {bits} of {BITS[dtype]} bits{reduced}"
    for name in ("threads", "intra_op_threads"):
        used = versions.get(name)
        if used is not None and int(used) != threads:
            yield f"it uses {used} threads, not {threads}"
