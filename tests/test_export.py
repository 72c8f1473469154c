"""Exported scripts are what they say: plain, and right. Each is run in a real process that knows nothing of the harness, and held against
the reference in float64. All 492 conformance cases in all frameworks: `python -m benchmarks.export`."""

from __future__ import annotations

import dataclasses
import itertools
import re
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from harness.cli.export_command import learned_weights
from harness.errors import UsageError
from harness.execution.layout import initial_state
from harness.execution.plan import plan
from harness.export import FRAMEWORKS, Draft, NotWritten
from harness.export.bundle import gathered
from harness.export.library import Library, library
from harness.export.write import script as text_of
from harness.interface import load_arrays, nested_state
from harness.spec import wired
from harness.worker.conformance import cases, items

from . import onnx_files, scripts
from .conftest import ROOT, Command

EXPERIMENTS = sorted((ROOT / "experiments").glob("*.toml"))
#: frameworks in which all is tried; compiling takes long in the others
EAGER = ("numpy", "torch")
SOME = [ROOT / "experiments" / f"{name}.toml" for name in ("xor", "digits-dropout")]
#: Keras' scripts differ from engine to engine in what is around the model alone: for these two some experiments do
ENGINES = ("keras:jax", "keras:torch")
#: what some framework has not: why, in its writer's words
LACKING = {
    "torch": {"optimizer/lion", "optimizer/lamb"},
    "tensorflow": {"optimizer/nadam", "optimizer/lion", "optimizer/lamb"},
}


@cache
def covering() -> tuple[str, ...]:
    """Few cases that use every item that there is, each time the one that uses most of what is left."""
    used = {name: {*case.about, *case.uses} for name, case in cases().items()}
    left, chosen = set(items()), []
    while left:
        chosen.append(max(used, key=lambda name: len(left & used[name])))
        left -= used[chosen[-1]]
    return tuple(chosen)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_scripts(framework: str, tmp_path: Path) -> None:
    """For every layer, activation, loss, optimizer, schedule, penalty and option, and for shipped experiments: a script computes the
    reference's loss and gradients of the first step, and its losses of the steps that follow. It knows nothing of the harness, holds
    nothing that is not used, and passes a linter. Where compiling takes long, some of them: benchmarks/export.py has all."""
    names = covering() if framework in EAGER else () if framework in ENGINES else covering()[::3]
    found = scripts.tried(framework, [*names, *(EXPERIMENTS if framework in EAGER else SOME)], tmp_path)
    assert not {name: each for name, each in found.items() if isinstance(each, str) or (each and max(each.values()) > 1)}
    paths = list(tmp_path.glob("*.py"))
    assert not [path for path in paths if re.search(r"(import|from) harness", path.read_text())]
    linted(paths)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_what_a_framework_lacks(framework: str) -> None:
    """Of every optimizer there is a script, or it is refused since the framework has none."""
    refused = set()
    for item, names in items().items():
        try:
            text_of(framework, Draft("case", cases()[names[0]].spec, "float64"))
        except NotWritten:
            refused.add(item)
    assert {item for item in refused if item.startswith("optimizer/")} == LACKING.get(framework, set())
    assert not {item for item in refused if item.startswith(("layer/", "activation/", "loss/", "schedule/"))}


def linted(paths: list[Path]) -> None:
    """Scripts pass a linter."""
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "E,F,I,B", "--ignore", "E402,E501,B905"]
    done = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_wrong_script_is_seen(tmp_path: Path) -> None:
    """A hundred-millionth of a thousandth in a product, or another digit in an optimizer's constant, is found."""
    path = ROOT / "experiments" / "digits-adam.toml"
    script = scripts.write(path, "numpy", tmp_path)
    assert script is not None
    text = script.read_text()
    for old, new in (("0.999", "0.9991"), (" @ ", " * (1 + 1e-11) @ ")):
        assert old in text
        script.write_text(text.replace(old, new))
        ((_, problem),) = scripts.run([script])
        assert not problem
        assert max(scripts.errors(script, scripts.right(path, (("adam.epsilon", "plain"),))).values()) > 1, old


# the command ----------------------------------------------------------------------------------------------------------------


def test_the_command(harness: Command, tmp_path: Path) -> None:
    """It writes a script a framework and one file of arrays, says how to run them, and they print what they should."""
    done = harness("export", "experiments/xor.toml", "--to", "numpy,torch", "-o", tmp_path / "out", "--steps", "4", "--dtype", "float64")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"xor.npz", "xor_numpy.py", "xor_torch.py"}
    printed = []
    for line in done.stdout.splitlines():
        words = line.split()
        command = [sys.executable, *words[1:], str(tmp_path / "kept.npz")]
        ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)
        printed.append(ran.stdout)
        assert (tmp_path / "kept.npz").exists()
    assert len(printed) == 2
    assert [line.split(":")[0] for line in printed[0].splitlines()][-4:] == [f"step {step}" for step in range(4)]
    numbers = [[float(number) for number in re.findall(r"(?:loss|norm) ([0-9.e+-]+)", text)] for text in printed]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-10)


def test_a_saved_run_is_exported(harness: Command, tmp_path: Path) -> None:
    """As it was run, in its arms' frameworks."""
    change = ("--set", "train.steps=3", "--set", "compare.seed=5", "--arm", "numpy", "--no-timings", "--no-probes", "-q")
    assert harness("run", "experiments/xor.toml", *change, "--results", tmp_path).returncode == 0
    done = harness("export", "latest", "--results", tmp_path, "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "saved" in done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"xor.npz", "xor_numpy.py"}
    learned(harness, tmp_path)
    refused = harness("export", "latest", "--results", tmp_path, "--seed", "1")
    assert refused.returncode == 2
    assert "a saved run is exported as it was run" in refused.stderr


def learned(harness: Command, results: Path) -> None:
    """As an ONNX file it has what the reference has learned, or the arm that is named; onnxruntime computes that arm's outputs."""
    found = plan(ROOT / "experiments" / "xor.toml", ["compare.seed=5", "train.steps=3"], ["numpy"])
    batch = gathered(found)[1][0]
    for arm, words in (("reference", []), ("numpy", ["--weights", "numpy"])):
        out = results / f"onnx-{arm}"
        done = harness("export", "latest", "--results", results, "--to", "onnx", *words, "-o", out)
        assert done.returncode == 0, done.stderr
        assert {path.name for path in out.iterdir()} == {"xor.npz", "xor.onnx", "xor_onnx.py"}
        assert done.stdout.split() == ["python", str(out / "xor_onnx.py")]
        assert f"what {arm}" in (out / "xor_onnx.py").read_text()
        subprocess.run([sys.executable, str(out / "xor_onnx.py"), str(out / "kept.npz")], check=True, capture_output=True, cwd=results)
        (final,) = results.glob(f"runs/*/arms/{arm}*/final.npz")
        outputs = load_arrays(out / "kept.npz")["outputs"]
        for state, same in ((nested_state(load_arrays(final)), True), (initial_state(found.spec, 5), False)):
            right = onnx_files.right(found.spec, state, batch)
            assert (scripts.off(outputs, right.outputs, right.size) <= right.allowed["float32"]) == same
    refused: list[tuple[Path | None, str, str, str]] = [
        (out, "onnx", "torch", "take --weights first"),
        (final.parents[2], "onnx", "torch", 'has no trained weights of "torch"\n  there are those of numpy, reference'),
        (None, "onnx", "numpy", "an experiment has learned nothing"),
        (None, "torch", "first", "--weights is for ONNX files"),
    ]
    for run, target, choice, problem in refused:
        with pytest.raises(UsageError, match=problem):
            learned_weights(found, run, [target], choice)


def test_what_cannot_be_written_is_said(harness: Command, tmp_path: Path) -> None:
    """One clear error, and nothing is written."""
    out = tmp_path / "out"
    unknown = harness("export", "experiments/xor.toml", "--to", "pytorch", "-o", out)
    assert (unknown.returncode, unknown.stderr.splitlines()[0]) == (2, 'error: no scripts are written for "pytorch"')
    lion = ("--set", "train.optimizer.type=lion", "--set", "train.optimizer.learning_rate=0.01")
    lacking = harness("export", "experiments/line.toml", "--to", "numpy,torch", *lion, "-o", out)
    assert lacking.returncode == 2
    assert "lion" in lacking.stderr.lower()
    assert not list(out.glob("*"))
    assert harness("export", "experiments/xor.toml", "--to", "numpy", "-o", out).returncode == 0
    again = harness("export", "experiments/xor.toml", "--to", "numpy", "-o", out)
    assert (again.returncode, again.stderr.splitlines()[0]) == (2, f"error: {out / 'xor.npz'} is there already")
    assert harness("export", "experiments/xor.toml", "--to", "numpy", "-o", out, "--force").returncode == 0


# functions that travel ------------------------------------------------------------------------------------------------------


def test_a_script_gets_what_it_uses(tmp_path: Path) -> None:
    """Functions that functions use come too, with their imports and comments; nothing else does."""
    file = tmp_path / "functions.py"
    file.write_text(
        '"""Text."""\n\nimport math\nimport sys\nfrom os import path, sep\n\n#: why\nRATE = 2\n\n\n'
        "def inner(x):\n    return math.sqrt(x) * RATE\n\n\ndef outer(x):\n    return inner(x)\n\n\ndef other():\n    return path, sys\n"
    )
    imports, blocks = Library(file).used("print(outer(2), sep)")
    assert imports == ["import math", "from os import sep"]
    assert blocks == ["#: why\nRATE = 2", "def inner(x):\n    return math.sqrt(x) * RATE", "def outer(x):\n    return inner(x)"]


@pytest.mark.parametrize("framework", sorted({writer.functions for writer in FRAMEWORKS.values()}))
def test_no_function_lies_about(framework: str) -> None:
    """Every function of a framework's file is used by the script of some case or experiment."""
    specs = [case.spec for case in cases().values()]
    specs += [plan(path, arms=["numpy"]).spec for path in (ROOT / "experiments").rglob("*.toml")]
    wide = cases()["conv2d_transpose valid"]
    one = wired(wide.layers, (*wide.spec.input_shape[:-1], 1))  # one channel, for which Keras on PyTorch needs a way round
    specs.append(dataclasses.replace(wide.spec, nodes=one))
    used: set[str] = set()
    for name in [name for name, writer in FRAMEWORKS.items() if writer.functions == framework]:
        for spec, dtype in itertools.product(specs, ("float32", "float64")):
            with suppress(NotWritten):
                used.update(re.findall(r"\w+", text_of(name, Draft("case", spec, dtype))))
    assert sorted(set(library(framework).blocks) - used) == []
