"""What scripts in JAX may bring with them; see harness.export.library."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax


def sigmoid(z):
    """1 / (1 + exp(-z))."""
    return jax.nn.sigmoid(z)
