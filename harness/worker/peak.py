"""The best rate of floating-point operations that this process can reach, measured, not read from a data sheet: what a training's own
rate is a share of (PaLM's model FLOPs utilisation; Chowdhery et al. 2022, appendix B)."""

from __future__ import annotations

import time
from typing import List

import numpy

#: rows and columns of the matrices: large enough for a BLAS's best, 8 MiB each in float64
SIZE = 1024
#: products at least, beside a first one that is not counted
LEAST = 3


def peak(dtype: str, seconds: float = 0.2) -> float:
    """FLOP/s of the fastest of several products of two 1024 x 1024 matrices by numpy's BLAS, in the threads that it has here.

    Args:
        dtype: float32 or float64.
        seconds: how long to go on at least.
    """
    random = numpy.random.Generator(numpy.random.Philox(0))
    left, right = random.random((2, SIZE, SIZE)).astype(dtype)
    result = left @ right
    taken: List[float] = []
    while len(taken) < LEAST or sum(taken) < seconds:
        began = time.perf_counter()
        numpy.matmul(left, right, out=result)
        taken.append(time.perf_counter() - began)
    return 2.0 * SIZE**3 / min(taken)
