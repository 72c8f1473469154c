"""Scripts put together, and written with the file of arrays that they read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from ..errors import UsageError
from ..interface import Batch, State, save_arrays
from ..records.store import write_bytes
from . import jax, keras, onnx, tensorflow, torch
from . import numpy as by_hand
from .draft import Draft, Weights, docstring
from .library import library


@dataclass(frozen=True)
class Writer:
    """How scripts of one framework are written.

    Attributes:
        title: the framework, as people write it.
        needs: what has to be installed for the script.
        functions: which file of harness/export/functions the script may use.
        body: everything behind the functions: the model, `first_gradients` and `train`.
        mode: see Draft.
        before: what has to stand before the framework is imported.
    """

    title: str
    needs: str
    functions: str
    body: Callable[[Draft], str]
    mode: str = ""
    before: str = ""


#: framework, or a backend with one of its modes -> how its scripts are written
FRAMEWORKS: Mapping[str, Writer] = {
    "numpy": Writer("NumPy", "numpy", "numpy", by_hand.body),
    "torch": Writer("PyTorch", "numpy and torch", "torch", torch.body),
    "keras": Writer("Keras", "numpy, keras and tensorflow", "keras", keras.body, "", keras.engine("tensorflow")),
    "keras:jax": Writer("Keras on JAX", "numpy, keras and jax", "keras", keras.body, "jax", keras.engine("jax")),
    "keras:torch": Writer("Keras on PyTorch", "numpy, keras and torch", "keras", keras.body, "torch", keras.engine("torch")),
    "tensorflow": Writer("TensorFlow", "numpy and tensorflow", "tensorflow", tensorflow.body),
    "jax": Writer("JAX", "numpy, jax and optax", "jax", jax.body),
}

#: the format of models that learn no more
ONNX = "onnx"
#: all that is written
TARGETS = (*FRAMEWORKS, ONNX)

#: names of every script's own
OWN = ("DTYPE", "FILE", "STEPS", "group", "batch", "first_gradients", "train", "x", "targets", "weights", "masks", "loss", "step")

OPENING = '''\
DTYPE = "{dtype}"
FILE = dict(np.load(Path(__file__).with_name("{name}.npz"), allow_pickle=False))
STEPS = len(FILE["targets"])


def group(kind):
    """The arrays of the file whose names begin with a kind, by the rest of their names."""
    return {{name.removeprefix(f"{{kind}}/"): array for name, array in FILE.items() if name.startswith(f"{{kind}}/")}}
'''

CLOSING = """\
if __name__ == "__main__":
    loss, gradients = first_gradients()
    print(f"loss {loss:.12g}")
    for name, gradient in gradients.items():
        print(f"  gradient of {name}: norm {np.linalg.norm(gradient):.12g}")
    for step, loss in enumerate(train()):
        print(f"step {step}: loss {loss:.12g}")
    if len(sys.argv) > 1:
        np.savez(sys.argv[1], **gradients)
"""


def script(framework: str, draft: Draft) -> str:
    """The text of a script.

    Raises:
        NotWritten: something in the experiment is not written for this framework.
    """
    writer = FRAMEWORKS[framework]
    functions = library(writer.functions)
    draft = dataclasses.replace(draft, mode=writer.mode, reserved=functions.names | {*OWN})
    opening = OPENING.format(dtype=draft.dtype, name=draft.name)
    body = writer.body(draft).strip("\n")
    imports, blocks = functions.used("\n".join([opening, body, CLOSING]))
    head = [described(writer, draft), *([writer.before] if writer.before else []), "\n".join(imports)]
    return "\n\n\n".join(part.strip("\n") for part in ["\n\n".join([*head, opening]), *blocks, body, CLOSING]) + "\n"


def described(writer: Writer, draft: Draft) -> str:
    """What a script says of itself."""
    weights = ", weights of the rows" if draft.spec.weighted else ""
    masks = ", masks and noise" if draft.spec.random_nodes else ""
    file = f"{draft.name}.npz"
    return docstring(
        f"{draft.name} in {writer.title}{f': {draft.description}' if draft.description else ''}",
        "It prints the first loss, the length of each parameter's gradient there, and the loss of each step of a short training. "
        f"With a file's name behind it, it keeps the gradients: python {file_name(draft, writer)} gradients.npz",
        f"Written by `{draft.command}`. It needs {writer.needs}; and {file} beside it, which holds the first weights, and "
        f"inputs, targets{weights}{masks} of each step.",
    )


def file_name(draft: Draft, writer: Writer) -> str:
    """What a script's file is called."""
    return f"{draft.name}_{'_'.join(filter(None, [writer.functions, writer.mode]))}.py"


def arrays(state: State, batches: Sequence[Batch]) -> dict[str, Any]:
    """What a script reads: `parameters/dense_1/kernel` and `statistics/...` as they are at first; `inputs`, `targets`, `weights` and
    `masks/...` with the step as their first axis."""
    found = {f"parameters/{name}": array for name, array in state.parameters.items()}
    found |= {f"statistics/{name}": array for name, array in state.statistics.items()}
    found |= {name: numpy.stack([getattr(batch, name) for batch in batches]) for name in ("inputs", "targets")}
    if batches[0].weights is not None:
        found["weights"] = numpy.stack([numpy.asarray(batch.weights) for batch in batches])
    for name in batches[0].masks or {}:
        found[f"masks/{name}"] = numpy.stack([(batch.masks or {})[name] for batch in batches])
    return found


def written(
    draft: Draft,
    state: State,
    batches: Sequence[Batch],
    targets: Sequence[str],
    folder: Path,
    force: bool = False,
    weights: Weights | None = None,
) -> list[Path]:
    """Write scripts, or an ONNX file and a script that runs it; and the arrays that scripts read.

    Args:
        draft: what is written; each framework's own mode is put in.
        state: the first.
        batches: of the steps, alike in shape.
        targets: of TARGETS.
        folder: an existing one.
        force: whether files that are there may be written over.
        weights: of the ONNX file; the first when not given.

    Returns:
        The files, the arrays first.

    Raises:
        NotWritten: nothing was written, since something is not written for one of the targets.
        UsageError: nothing was written, since a file is there already, or the package onnx is not installed.
    """
    contents: dict[str, bytes] = {}
    for target in targets:
        if target == ONNX:
            contents |= onnx.files(draft, weights or Weights(state, "the first weights"))
        else:
            contents[file_name(draft, FRAMEWORKS[target])] = script(target, draft).encode()
    file = folder / f"{draft.name}.npz"
    there = [path for path in [file, *(folder / name for name in contents)] if path.exists()]
    if there and not force:
        raise UsageError(f"{there[0]} is there already", "choose another folder with -o, or --force")
    save_arrays(file, arrays(state, batches))
    for name, content in contents.items():
        write_bytes(folder / name, content)
    return [file, *(folder / name for name in contents)]


__all__ = ["FRAMEWORKS", "ONNX", "TARGETS", "Writer", "arrays", "file_name", "script", "written"]
