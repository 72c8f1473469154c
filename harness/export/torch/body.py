"""The body of a script: the model, its loss, the first gradients, the training."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ...spec import INPUT, ProgramSpec
from ..draft import Draft
from .layers import piece
from .losses import loss_lines
from .names import ATTRIBUTES, OWN
from .optimizers import training
from .pieces import Here, Piece, Value, Weight
from .schedules import factor
from .text import wrapped

MODEL = '''\
class Model(nn.Module):
    """{about}"""

    def __init__(self):
        super().__init__()
{modules}

    def forward({arguments}):
{lines}
        return {outputs}
'''

FIRST = '''\
def first_model():
    """The model with the weights of the file; {layouts}."""
    p = {{name: torch.from_numpy(array) for name, array in {arrays}.items()}}
    state = {{
{loads}
    }}
    model = Model()
    model.load_state_dict(state)
    return model


def gradients_of(model):
    """The gradients that lie in the model, by the file's names and as it has them."""
    found = {{
{backs}
    }}
    return {{name: gradient.numpy() for name, gradient in found.items()}}


def first_gradients():
    """The loss of the first batch, and its gradient at every parameter."""
    model = first_model()
    loss = loss_of(model, *batch(0))
    loss.backward()
    return loss.item(), gradients_of(model)
'''


@dataclass
class Model:
    """The graph while it is written.

    Attributes:
        pieces: node by node.
        lines: of `forward`.
        tables: canonical name of a parameter or statistic -> where it lies.
        output: what the loss reads.
    """

    pieces: list[Piece] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    tables: dict[str, Weight] = field(default_factory=dict)
    output: Value = field(default=Value("x", 0))

    @property
    def modules(self) -> list[str]:
        """Statements of `__init__`."""
        return [line for found in self.pieces for line in found.modules]

    @property
    def constants(self) -> Mapping[str, str]:
        """See Piece."""
        return {name: value for found in self.pieces for name, value in found.constants.items()}


def model_of(draft: Draft) -> Model:
    """All nodes up to the one that the loss reads."""
    spec = draft.spec
    found, values = Model(), {INPUT: Value(draft.names[INPUT], len(spec.input_shape))}
    for node in spec.nodes[: spec.loss_node + 1]:
        here = Here(node, draft.names[node.name], tuple(values[name] for name in node.inputs), found.tables)
        written = piece(here)
        rank = len(node.output_shape)
        values[node.name] = found.output = Value(here.name, rank, written.first and rank > 1)
        found.pieces.append(written)
        found.lines += [f"# {written.note}"] if written.note else []
        found.lines.append(f"{here.name} = {written.value}")
        found.tables |= {f"{node.name}/{short}": weight for short, weight in written.weights.items()}
    return found


def body(draft: Draft) -> str:
    """See the module.

    Raises:
        NotWritten: naming what is not.
    """
    draft = dataclasses.replace(draft, reserved=draft.reserved | {*OWN, *ATTRIBUTES})
    spec, model = draft.spec, model_of(draft)
    weights = [model.tables[item.name] for item in spec.parameters]
    parts = [
        "dtype = getattr(torch, DTYPE)\ntorch.set_default_dtype(dtype)\n",
        class_of(draft, model),
        batches(spec),
        loss_of(spec, model),
        first(spec, model),
        *([factor(spec.optimizer.schedule)] if spec.optimizer.schedule else []),
        training(spec.optimizer, weights, held=bool(model.constants)),
    ]
    return "\n\n".join(parts)


def class_of(draft: Draft, model: Model) -> str:
    """The module."""
    about = "The model."
    if ".movedim(" in "".join(model.lines):
        about = "The model. Values are (rows, channels, ...) where PyTorch's layers want that, else (rows, ..., channels) as in the file."
    lines = [*model.lines]
    if draft.spec.loss_node < len(draft.spec.nodes) - 1:
        lines.append("# the loss reads the value before the last step, which is 1 where that is above 0, else 0")
    return MODEL.format(
        about=about, modules=indented(model.modules), lines=indented(lines), outputs=model.output.channels_last,
        arguments="self, x, masks" if draft.spec.random_nodes else "self, x",
    )  # fmt: skip


def indented(lines: Sequence[str]) -> str:
    """As statements of a method."""
    return "\n".join(f"        {part}" for line in lines for part in wrapped(line, 8))


def given(spec: ProgramSpec) -> list[str]:
    """What a batch holds."""
    return ["x", "targets", *(["weights"] if spec.weighted else []), *(["masks"] if spec.random_nodes else [])]


def batches(spec: ProgramSpec) -> str:
    """The function `batch`."""
    values = {
        "x": tensor("inputs", whole=spec.integer_inputs),
        "targets": tensor("targets", whole=spec.targets == "integer"),
        "weights": tensor("weights", whole=False),
        "masks": '{name: torch.tensor(array[step], dtype=dtype) for name, array in group("masks").items()}',
    }
    names = given(spec)
    *others, last = ["Inputs", *names[1:]]
    inside = "\n".join(f"    {name} = {values[name]}" for name in names)
    about = f"{', '.join(others)} and {last} of a step."
    return f'def batch(step):\n    """{about}"""\n{inside}\n    return {", ".join(names)}\n'


def tensor(name: str, whole: bool) -> str:
    """An array of the file as a tensor, for one step."""
    return f'torch.tensor(FILE["{name}"][step], dtype={"torch.int64" if whole else "dtype"})'


def loss_of(spec: ProgramSpec, model: Model) -> str:
    """The function of the model and a batch."""
    arguments = ", ".join(["model", *given(spec)])
    outputs = "outputs = model(x, masks)" if spec.random_nodes else "outputs = model(x)"
    about = "The loss of a batch, penalties on weights included." if spec.penalties else "The loss of a batch."
    inside = "\n".join(f"    {line}" for line in [outputs, *loss_lines(spec, model.tables)])
    return f'def loss_of({arguments}):\n    """{about}"""\n{inside}\n'


def first(spec: ProgramSpec, model: Model) -> str:
    """The functions that read the file's weights, and give the gradients back."""
    loads = {key: text for name, weight in model.tables.items() for key, text in weight.loading(name).items()}
    backs = {item.name: model.tables[item.name].gradient() for item in spec.parameters}
    turned = any(".T" in text or "permute" in text for text in loads.values())
    return FIRST.format(
        layouts="PyTorch's kernels are (outputs, inputs, ...)" if turned else "they lie in PyTorch as in the file",
        arrays='{**group("parameters"), **group("statistics")}' if spec.statistics else 'group("parameters")',
        loads=indented([f'"{key}": {text},' for key, text in {**loads, **model.constants}.items()]),
        backs=indented([f'"{name}": {text},' for name, text in backs.items()]),
    )
