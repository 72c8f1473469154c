"""scikit-learn by hand: MLPClassifier, and partial_fit with one batch a call."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.expert.nets import NETS, Array, Train, loop

NET = NETS["digits-mlp"]


def build(batches: list[tuple[Array, Array]], parameters: list[tuple[Array, Array]]) -> Train:
    """The loop; the first call makes the arrays, so that our weights and no velocity are put in behind it."""
    options = {"learning_rate_init": NET.learning_rate, "momentum": NET.momentum, "nesterovs_momentum": False}
    model = MLPClassifier(NET.sizes[1:-1], solver="sgd", alpha=0.0, batch_size=NET.batch, shuffle=False, **options)
    model.partial_fit(*batches[0], classes=np.arange(NET.sizes[-1]))
    for i, (kernel, bias) in enumerate(parameters):
        model.coefs_[i][...], model.intercepts_[i][...] = kernel, bias
    for velocity in model._optimizer.velocities:
        velocity[...] = 0
    return loop(lambda x, y: model.partial_fit(x, y).loss_, batches, float)
