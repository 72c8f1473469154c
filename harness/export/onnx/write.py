"""An ONNX file, and a script that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from ...errors import UsageError
from ..draft import Draft, Weights, docstring
from .model import model

SCRIPT = '''\
{docstring}

import sys
from pathlib import Path

import numpy as np
import onnxruntime

FOLDER = Path(__file__).parent


def outputs():
    """What the model makes of the rows of the first step."""
    session = onnxruntime.InferenceSession(FOLDER / "{name}.onnx", providers=["CPUExecutionProvider"])
    rows = np.load(FOLDER / "{name}.npz", allow_pickle=False)["inputs"][0]
    return session.run(["{output}"], {{"input": rows.astype(np.{dtype})}})[0]


if __name__ == "__main__":
    found = outputs()
    for row in found:
        print(row)
    if len(sys.argv) > 1:
        np.savez(sys.argv[1], outputs=found)
'''


def files(draft: Draft, weights: Weights) -> Mapping[str, bytes]:
    """The file and the script, by name; the script comes last.

    Args:
        draft: what is written.
        weights: of the model.

    Raises:
        NotWritten: something in it is not written, or onnxruntime does not compute it in this number format.
        UsageError: the package onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise UsageError("to write ONNX files, the package onnx has to be installed", "pip install onnx, or the extra `onnx`")
    return {
        f"{draft.name}.onnx": model(draft, weights).SerializeToString(),
        f"{draft.name}_onnx.py": script(draft, weights.words).encode(),
    }


def script(draft: Draft, weights: str) -> str:
    """The text of the script."""
    spec = draft.spec
    said = docstring(
        f"{draft.name} in ONNX{f': {draft.description}' if draft.description else ''}",
        "It prints what the model makes of the rows of the first step, in inference mode. With a file's name behind it, it keeps the "
        f"outputs: python {draft.name}_onnx.py outputs.npz",
        f"Written by `{draft.command}`. It needs numpy and onnxruntime; and beside it {draft.name}.onnx, the model with {weights}, and "
        f"{draft.name}.npz, which holds the rows.",
    )
    return SCRIPT.format(
        docstring=said, name=draft.name, output=spec.nodes[-1].name, dtype="int64" if spec.integer_inputs else draft.dtype
    )
