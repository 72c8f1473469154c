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
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]

    def objective(trainable):
        outputs, {given} = model.stateless_call(trainable, others, inputs, training=True{asked})
        return {loss}

    {end}'''

#: where no statistics move, and where they do
STILL = "return jax.value_and_grad(objective)(trainable)"
MOVING = """\
(loss, moved), gradients = jax.value_and_grad(objective, has_aux=True)(trainable)
    for variable, value in zip(model.non_trainable_variables, moved):
        variable.assign(value)
    return loss, gradients"""


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
    gradients = "tape.gradient(loss, model.trainable_variables)"
    if lost:
        values = "[variable.value for variable in model.trainable_variables]"  # zeros need tensorflow's own variables
        gradients = f"tape.gradient(loss, {values}, unconnected_gradients=tf.UnconnectedGradients.ZERO)"
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
    moving, penalties = bool(spec.statistics), bool(spec.penalties)
    loss = f"criterion(targets, outputs{', sample_weight=weights' if weights else ''}){' + sum(losses)' if penalties else ''}"
    return JAX.format(
        weights=weights,
        given=f"{'moved' if moving else '_'}{', losses' if penalties else ''}",
        asked=", return_losses=True" if penalties else "",
        loss=f"{loss}, moved" if moving else loss,
        end=MOVING if moving else STILL,
    )


def unconnected(spec: ProgramSpec) -> bool:
    """Whether a parameter has no way to the loss: of what only marks padding for an attention no gradient comes back."""
    reached: set[str] = {spec.nodes[spec.loss_node].name}
    for node in reversed(spec.nodes):
        if node.name in reached:
            masked = getattr(node.layer, "mask", None) is not None
            reached.update(node.inputs[:-1] if masked else node.inputs)
    return any(node.parameters and node.name not in reached for node in spec.nodes)
