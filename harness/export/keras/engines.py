"""The loss of a batch and its gradient, on each engine."""

from __future__ import annotations

from ...spec import ProgramSpec

TENSORFLOW = '''\
def loss_and_gradients(model, inputs, targets{weights}):
    """The loss of a batch, and its gradient at every trainable variable."""
    with tf.GradientTape() as tape:
        loss = {loss}
    {gradients}'''

TORCH = '''\
def loss_and_gradients(model, inputs, targets{weights}):
    """The loss of a batch, and its gradient at every trainable variable."""
    loss = {loss}
    return loss.detach(), torch.autograd.grad(loss, [variable.value for variable in model.trainable_variables]{unconnected})'''

JAX = '''\
def loss_and_gradients(model, inputs, targets{weights}):
    """The loss of a batch, and its gradient at every trainable variable."""
    others = [variable.value for variable in model.non_trainable_variables]

    def objective(trainable):
        outputs, {kept} = model.stateless_call(trainable, others, inputs, training=True{losses})
        return {loss}{moved}

    {value}, gradients = jax.value_and_grad(objective{auxiliary})([variable.value for variable in model.trainable_variables])
    {assigned}return loss, gradients'''


def loss_and_gradients(spec: ProgramSpec, engine: str) -> str:
    """The function that computes both."""
    weights = ", weights" if spec.weighted else ""
    if engine == "jax":
        return on_jax(spec, weights)
    loss = f"criterion(targets, model(inputs, training=True){', sample_weight=weights' if weights else ''})"
    loss += " + sum(model.losses)" if spec.penalties else ""
    lost = unconnected(spec)
    if engine == "torch":
        return TORCH.format(weights=weights, loss=loss, unconnected=", materialize_grads=True" if lost else "")
    zeros = ", unconnected_gradients=tf.UnconnectedGradients.ZERO" if lost else ""
    gradients = f"tape.gradient(loss, model.trainable_variables{zeros})"
    if spec.integer_inputs:
        gradients = (
            "# a table's gradient comes as rows: where one row stands twice, Keras' optimizers would square and clip its parts alone\n"
            f"    return loss, [tf.convert_to_tensor(gradient) for gradient in {gradients}]"
        )
    else:
        gradients = f"return loss, {gradients}"
    return TENSORFLOW.format(weights=weights, loss=loss, gradients=gradients)


def on_jax(spec: ProgramSpec, weights: str) -> str:
    """With a function of the parameters alone; moving statistics come back from it."""
    loss = f"criterion(targets, outputs{', sample_weight=weights' if weights else ''})"
    moving, penalties = bool(spec.statistics), bool(spec.penalties)
    assigned = (
        "for variable, value in zip(model.non_trainable_variables, moved):\n        variable.assign(value)\n    " if moving else ""
    )
    return JAX.format(
        weights=weights, kept="moved" if moving else "_", loss=f"{loss} + sum(losses)" if penalties else loss,
        losses=", return_losses=True" if penalties else "", moved=", moved" if moving else "",
        value="(loss, moved)" if moving else "loss", auxiliary=", has_aux=True" if moving else "", assigned=assigned,
    ).replace("outputs, moved = model", "outputs, moved, losses = model" if penalties else "outputs, moved = model").replace(
        "outputs, _ = model", "outputs, _, losses = model" if penalties else "outputs, _ = model"
    )  # fmt: skip


def unconnected(spec: ProgramSpec) -> bool:
    """Whether a parameter has no way to the loss: of what only marks padding for an attention no gradient comes back."""
    reached: set[str] = {spec.nodes[spec.loss_node].name}
    for node in reversed(spec.nodes):
        if node.name in reached:
            masked = getattr(node.layer, "mask", None) is not None
            reached.update(node.inputs[:-1] if masked else node.inputs)
    return any(node.parameters and node.name not in reached for node in spec.nodes)
