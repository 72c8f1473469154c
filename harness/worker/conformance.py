"""The laws that every adapter obeys, tried on small programs that use each layer, activation, loss and optimizer once.

Tolerances are measured: the reference in float64, and replicas of it that differ by rounding alone, run on the same state.
"""

from __future__ import annotations

import math
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import numpy

from ..interface import Arrays, Batch, State, errors, floors, verdict
from ..registry import load
from ..spec import (
    SGD,
    Activation,
    Adam,
    AdamW,
    Dense,
    Dropout,
    Flatten,
    Layer,
    ProgramSpec,
    RMSprop,
    active_slots,
    relevant_forms,
)
from ..spec import layers as kinds
from ..spec import losses as loss_kinds
from ..spec.program import chain
from .numeric import forced_step

ROWS = 7
#: steps already taken at the states that are tried: early ones show bias corrections, late ones their limits
COUNTS = (0, 37, 5000)
REPLICAS = 16


def program(layers: "list[Layer]", loss: Any, targets: str, optimizer: Any = None, shape: Tuple[int, ...] = (4,)) -> ProgramSpec:
    """A program from its parts; plain gradient descent when no optimizer is named."""
    return ProgramSpec(chain(tuple(layers), shape), loss, optimizer or SGD(learning_rate=0.1), targets)


def cases() -> Dict[str, ProgramSpec]:
    """Small programs that use everything once."""
    hidden: List[Layer] = [
        Dense(units=6, activation=kinds.Tanh()),
        Dropout(rate=0.5),
        Activation(activation=kinds.Relu()),
        Dense(units=5, activation=kinds.Sigmoid(), use_bias=False),
    ]

    def deep(units: int) -> List[Layer]:
        return [*hidden, Dense(units=units)]

    step, entropy = kinds.Step(), loss_kinds.SoftmaxCrossEntropy()
    found = {
        "line": program([Dense(units=1)], loss_kinds.MeanSquaredError(), "value"),
        "mse": program(deep(3), loss_kinds.MeanSquaredError(), "one_hot"),
        "mae": program(deep(3), loss_kinds.MeanAbsoluteError(), "one_hot"),
        "binary": program(deep(1), loss_kinds.BinaryCrossEntropy(), "binary"),
        "binary one-hot": program(deep(3), loss_kinds.BinaryCrossEntropy(), "one_hot"),
        "softmax integer": program(deep(3), entropy, "integer"),
        "softmax one-hot": program(deep(3), entropy, "one_hot"),
        "hinge": program(deep(1), loss_kinds.Hinge(), "sign"),
        "hinge many": program(deep(3), loss_kinds.Hinge(), "sign"),
        "perceptron": program([Dense(units=1, activation=step)], loss_kinds.Perceptron(), "sign"),
        "softmax layer": program(
            [Flatten(), Dense(units=3, activation=kinds.Softmax())], loss_kinds.MeanSquaredError(), "one_hot", shape=(2, 3)
        ),
        "softmax inside": program(
            [Activation(activation=kinds.Softmax()), Flatten(), Dense(units=2)],
            loss_kinds.MeanSquaredError(),
            "value",
            shape=(2, 3),
        ),
        "linear": program([Dense(units=3, activation=kinds.Linear()), Activation(activation=kinds.Linear())], entropy, "integer"),
        "dropout twice": program([Dropout(rate=0.25), Dense(units=8), Dropout(rate=0.75), Dense(units=3)], entropy, "integer"),
    }
    optimizers = {
        "momentum": SGD(learning_rate=0.1, momentum=0.9),
        "nesterov": SGD(learning_rate=0.1, momentum=0.9, nesterov=True),
        "adam": Adam(learning_rate=0.01, epsilon=1e-3),
        "adam small epsilon": Adam(learning_rate=0.01, epsilon=1e-8, beta_1=0.8, beta_2=0.99),
        "adamw": AdamW(learning_rate=0.01, epsilon=1e-8, weight_decay=0.1),
        "rmsprop": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3),
        "rmsprop momentum": RMSprop(learning_rate=0.01, rho=0.9, epsilon=1e-3, momentum=0.5),
    }
    # what frameworks with one kind of layer and one activation can express too
    shallow: List[Layer] = [Dense(units=6, activation=kinds.Tanh()), Dense(units=3)]
    return {
        **found,
        **{name: program(deep(3), entropy, "integer", optimizer) for name, optimizer in optimizers.items()},
        **{f"shallow {name}": program(shallow, entropy, "integer", optimizers[name]) for name in ("nesterov", "adam")},
    }


def kinks() -> Dict[str, ProgramSpec]:
    """Programs that stand exactly on a kink when all weights are zero: the gradient there is a convention, and all keep it."""
    zero_at = {"mae": loss_kinds.MeanAbsoluteError(), "perceptron": loss_kinds.Perceptron()}
    found = {
        name: program([Dense(units=1, use_bias=False)], loss, "sign" if name == "perceptron" else "value")
        for name, loss in zero_at.items()
    }
    relu: List[Layer] = [Dense(units=3, activation=kinds.Relu()), Dense(units=2)]
    return {
        **found,
        "relu": program(relu, loss_kinds.MeanSquaredError(), "value"),
        "hinge": program([Dense(units=1)], loss_kinds.Hinge(), "sign"),
        # smooth, but written as max(z, 0) + log(1 + exp(-|z|)) - y z its parts are not: Paddle 3.3 and Gluon 1.9 are wrong there
        "binary": program([Dense(units=2)], loss_kinds.BinaryCrossEntropy(), "one_hot"),
    }


def single(values: Any) -> Any:
    """Values that float32 can hold."""
    return numpy.asarray(values, numpy.float32)


def batch_of(spec: ProgramSpec, random: Any) -> Batch:
    """A random batch."""
    width = spec.output_shape[0]
    classes = random.integers(0, max(width, 2), ROWS)
    hot = single(numpy.eye(max(width, 2))[classes][:, :width] if width > 1 else classes[:, None])
    targets = {"integer": classes, "one_hot": hot, "binary": hot, "sign": 2 * hot - 1}
    masks = {
        node.name: single(random.random((ROWS, *node.output_shape)) >= node.layer.rate) * numpy.float32(node.layer.scale)
        for node in spec.nodes
        if isinstance(node.layer, Dropout)
    }
    values = single(random.standard_normal((ROWS, width)))
    return Batch(single(random.standard_normal((ROWS, *spec.input_shape))), targets.get(spec.targets, values), masks)


def state_of(spec: ProgramSpec, random: Any, count: int, scale: float = 0.5) -> State:
    """A random state after `count` steps; slots are zero at the start, and positive later, as squares are."""
    parameters = {item.name: single(random.standard_normal(item.shape) * scale) for item in spec.parameters}
    slots = {
        slot: {item.name: single(numpy.abs(random.standard_normal(item.shape)) * 0.1 * (count > 0)) for item in spec.parameters}
        for slot in active_slots(spec.optimizer)
    }
    return State(parameters, slots, count)


def kink(spec: ProgramSpec, random: Any) -> Tuple[State, Batch]:
    """A state and a batch on the kink: all weights zero, and targets that put the loss on it."""
    state, batch = state_of(spec, random, 0, scale=0.0), batch_of(spec, random)
    if spec.loss.type == "hinge":  # y z = 1 in every row: z = y by a weight of one on an input that is y
        batch.inputs[:] = 0
        batch.inputs[:, 0] = batch.targets[:, 0]
        state.parameters[spec.parameters[0].name][0] = 1
    elif spec.loss.type not in ("perceptron", "binary_cross_entropy"):
        batch.targets[:] = 0
    return state, batch


def check(adapter: Any, dtype: str, device: str, mode: str, name: str, seed: int) -> Dict[str, Any]:
    """Try one case, or the kink `kink NAME`.

    Returns:
        `unsupported` reasons, or `broken` laws (empty when all hold), and the largest `ratio` to the floor and `error`.
    """
    random = numpy.random.Generator(numpy.random.Philox(seed))
    on_kink = name.startswith("kink ")
    spec = {**cases(), **{f"kink {kink}": spec for kink, spec in kinks().items()}}[name]
    reasons = adapter.supports(spec, dtype, device, mode)
    if reasons:
        return {"unsupported": reasons}
    tried = adapter.Program(spec, dtype, device, mode)
    found: Dict[str, Any] = {"broken": [], "ratio": 0.0, "error": 0.0}
    states = [kink(spec, random)] if on_kink else [(state_of(spec, random, count), batch_of(spec, random)) for count in COUNTS]
    for state, batch in states:
        found["broken"] += [f"step {state.step}: {text}" for text in broken(tried, spec, state, batch, dtype)]
        for text, ratio, size in differing(adapter, tried, spec, state, batch, dtype):
            found["ratio"], found["error"] = max(found["ratio"], ratio), max(found["error"], size)
            if text:
                found["broken"].append(f"step {state.step}: {text}")
    return found


def same(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Whether arrays have the same names and bits."""
    return set(left) == set(right) and all(numpy.array_equal(left[name], right[name]) for name in left)


def same_state(left: State, right: State) -> bool:
    """Whether two states are equal to the bit."""
    slots = set(left.slots) == set(right.slots) and all(same(left.slots[slot], right.slots[slot]) for slot in left.slots)
    return left.step == right.step and same(left.parameters, right.parameters) and slots


def broken(tried: Any, spec: ProgramSpec, state: State, batch: Batch, dtype: str) -> Iterator[str]:
    """Laws of state, batches, probe, compile, predict and native dropout that do not hold."""
    tried.load(state)
    if not same_state(tried.state(), state):
        yield "state() after load() is not the state that was loaded"
    if any(array.dtype != dtype for array in tried.state().parameters.values()):
        yield f"state() is not in {dtype}"
    held = tried.state()
    staged = tried.stage([batch])
    back = tried.unstage(staged)[0]
    if not (
        numpy.array_equal(back.inputs, batch.inputs)
        and numpy.array_equal(back.targets, batch.targets)
        and same(back.masks or {}, batch.masks or {})
    ):
        yield "unstage() is not what stage() was given"
    probe = tried.probe(batch)
    names = [node.name for node in spec.nodes]
    if list(probe.outputs) != names or list(probe.output_gradients) != names:
        yield f"probe() names {list(probe.outputs)}, not {names}"
    if state.step == COUNTS[0]:
        tried.compile(staged)
    if not same_state(tried.state(), state):
        yield "probe() or compile() changed the state"
    trace = tried.train(staged, 5, read_every=2)
    if len(trace.losses) != 2 or len(trace.stamps) != 3 or sorted(trace.stamps) != trace.stamps:
        yield "train(5, read_every=2) must give 2 losses and 3 rising stamps"
    if tried.state().step != state.step + 5:
        yield "train(5) is not five steps"
    if not same_state(held, state):
        yield "an earlier state() was changed by training"
    yield from dropout(tried, state, batch)


def dropout(tried: Any, state: State, batch: Batch) -> Iterator[str]:
    """Inference ignores masks; training without masks draws the framework's own, new ones each step."""
    tried.load(state)
    bare = Batch(batch.inputs, batch.targets)
    with_masks, without = (tried.predict(tried.stage([item]))[0] for item in (batch, bare))
    if not numpy.array_equal(with_masks, without):
        yield "predict() depends on masks"
    if batch.masks:
        staged = tried.stage([bare])
        losses = set()
        for later in range(4):
            tried.load(State(state.parameters, state.slots, state.step + later))
            losses.add(tried.train(staged, 1).losses[0])
        if len(losses) == 1 or not all(math.isfinite(loss) for loss in losses):
            yield f"training without masks gives the losses {sorted(losses)}: no dropout of its own"


def differing(
    adapter: Any, tried: Any, spec: ProgramSpec, state: State, batch: Batch, dtype: str
) -> Iterator[Tuple[str, float, float]]:
    """Each tensor of one step: what is wrong with it ("" if nothing), its ratio to the floor, its error."""
    numpy_backend = load("backends.numpy")
    formed = spec.with_forms(relevant_forms(spec.optimizer, adapter.FORMS))

    def tensors(program: Any) -> Arrays:
        found = forced_step(program, spec, batch, state)
        program.load(state)
        return {**found, "outputs/predicted": program.predict(program.stage([batch]))[0]}

    def replica(mode: str) -> Dict[str, float]:
        return errors(tensors(numpy_backend.Program(formed, dtype, "cpu", mode)), right)

    right = tensors(numpy_backend.Program(formed, "float64", "cpu", ""))
    measured = [replica(f"replica-{number}") for number in range(REPLICAS)]
    floor = floors(measured, [replica(f"sequential-{number}") for number in range(REPLICAS // 4)], dtype)
    for name, size in errors(tensors(tried), right).items():
        word = verdict(size, floor[name].ceiling)
        text = f"{name} is off by {size:.1e}, rounding alone by {floor[name].floor:.1e}" if word in ("differs", "invalid") else ""
        yield text, size / max(floor[name].ceiling, 1e-300), size
