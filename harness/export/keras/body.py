"""The body of a script: the model, its loss, the optimizer, the first gradients, the training."""

from __future__ import annotations

from ...spec import ProgramSpec
from ..draft import Draft
from .engines import loss_and_gradients
from .losses import criterion, sparse
from .model import Model, build, reshaped, variables
from .optimizers import factor, optimizer
from .wrapping import wrapped

FLOAT64 = """\
# Keras computes parts of float64 in float32 on every engine but TensorFlow (https://github.com/keras-team/keras/issues/23704)
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
"""

FIRST = '''\
def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    model = build()
    loss, gradients = loss_and_gradients(model, *batch(0))
    found = {{variable.path: ops.convert_to_numpy(gradient) for variable, gradient in zip(model.trainable_variables, gradients)}}
    return float(loss), {{name: found[variable.path]{shape} for name, variable in parameters(model).items()}}
'''

TRAIN = '''\
def train():
    """All steps: the loss before each."""
    model, losses = build(), []
    optimizer = {optimizer}
    for step in range(STEPS):
        loss, gradients = loss_and_gradients(model, *batch(step))
        {apply}
        losses.append(float(loss))
    return losses
'''


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    spec, engine, double = draft.spec, draft.mode or "tensorflow", draft.dtype == "float64"
    model = Model(draft)
    shape = '.reshape(FILE[f"parameters/{name}"].shape)' if reshaped(draft) else ""
    apply = "optimizer.apply(gradients, model.trainable_variables)"
    parts = [
        settings(engine, double),
        build(model),
        variables(model),
        batch(spec),
        f"criterion = {criterion(spec, engine, double)}",
        loss_and_gradients(spec, engine),
        *([factor(spec.optimizer.schedule)] if spec.optimizer.schedule else []),
        FIRST.format(shape=shape),
        TRAIN.format(
            optimizer=optimizer(spec.optimizer, double),
            apply=f"with torch.no_grad():\n            {apply}" if engine == "torch" else apply,
        ),
    ]
    return wrapped("\n\n\n".join(part.strip("\n") for part in parts))


def settings(engine: str, double: bool) -> str:
    """In what numbers Keras computes."""
    lines = ['jax.config.update("jax_enable_x64", DTYPE == "float64")\n'] if engine == "jax" else []
    lines.append("keras.config.set_floatx(DTYPE)\n")
    return "".join([*lines, *([FLOAT64] if double and engine != "tensorflow" else [])])


def batch(spec: ProgramSpec) -> str:
    """The function that reads a batch."""
    lines = [f"inputs = {tensor('inputs', spec.integer_inputs)}"]
    if spec.random_nodes:
        lines.append('masks = {name: ops.convert_to_tensor(array[step], DTYPE) for name, array in group("masks").items()}')
    targets = tensor("targets", spec.targets == "integer")
    if spec.targets == "integer" and not sparse(spec):
        targets = f"ops.one_hot({targets}, {spec.output_shape[-1]}, dtype=DTYPE)"
    found = ["[inputs, masks]" if spec.random_nodes else "inputs", "targets"]
    lines.append(f"targets = {targets}")
    if spec.weighted:
        lines.append(f"weights = {tensor('weights', False)}")
        found.append("weights")
    what = ["inputs", "and what is drawn" if spec.random_nodes else "", "targets", "weights" if spec.weighted else ""]
    text = ", ".join(filter(None, what)).replace("inputs, and", "inputs and")
    inside = "\n    ".join([*lines, f"return {', '.join(found)}"])
    return f'def batch(step):\n    """Of a step: {text}."""\n    {inside}'


def tensor(name: str, whole: bool) -> str:
    """An array of a step as a tensor."""
    dtype = '"int32"' if whole else "DTYPE"
    return f'ops.convert_to_tensor(FILE["{name}"][step], {dtype})'


def engine(name: str) -> str:
    """What chooses the engine; it has to stand before Keras is imported."""
    return f'import os\n\nos.environ["KERAS_BACKEND"] = "{name}"'
