"""Programs that some release of JAX computes wrongly, run anew on the one that is here."""

from __future__ import annotations

from typing import List

import jax
import jax.numpy as jnp
import numpy

#: enough rows for the compiled program of jaxlib 0.10.2 to go wrong on CPUs in float32: 7232 of these do
ROWS = 40_000
#: relative; the right program is within 1e-6
WRONG = 1e-4


def faults() -> List[str]:
    """What is wrong with this installation, a sentence each; empty where nothing is."""
    return small_products()


def small_products() -> List[str]:
    """A small matrix times each row, then a sum of squares: fused wrongly by jaxlib 0.10.2 on CPUs."""
    rows = numpy.zeros((ROWS, 3), numpy.float32)
    rows[:, 0] = numpy.arange(ROWS)
    matrix = jnp.eye(3, dtype=jnp.float32)
    found = numpy.asarray(jax.jit(jax.vmap(lambda row: ((matrix @ row) ** 2).sum()))(rows), numpy.float64)
    error = numpy.abs(found / numpy.maximum(rows[:, 0].astype(numpy.float64) ** 2, 1) - (rows[:, 0] > 0))
    wrong = int((error > WRONG).sum())
    where = "https://github.com/jax-ml/jax/issues/39103"
    return [f"jit(vmap(matrix times row, sum of squares)) is wrong in {wrong} of {ROWS} rows: {where}"] if wrong else []
