"""Backends of others: by entry point, by file; what is wrong with one is one clear line, and the other arms are unharmed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.records.store import file_name
from harness.registry import Arm, parse, split

ROOT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
TEMPLATE = (ROOT / "harness" / "templates" / "backend.py").read_text("utf-8")

# names of arms --------------------------------------------------------------------------------------------------------------

WORDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
WORLDS: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True).map(lambda name: {"environment": name}),
    st.lists(st.from_regex(r"[a-z]{1,6}(\[[a-z]{1,4}\])?[=<>]=[0-9.]{1,5}(,<9)?", fullmatch=True), min_size=1, max_size=3).map(
        lambda names: {"requirements": tuple(names)}
    ),
)
ARMS = st.builds(
    lambda backend, mode, world: Arm(backend, mode, **world),
    WORDS,
    st.one_of(st.just(""), st.from_regex(r"[a-z0-9_-]{1,6}", fullmatch=True)),
    WORLDS,
)


@given(ARMS)
def test_an_arm_is_its_name(arm: Arm) -> None:
    """Every arm can be written and read back."""
    assert parse(arm.name) == arm


@given(st.lists(ARMS, max_size=4))
def test_commas_part_arms(arms: list[Arm]) -> None:
    """Commas inside requirements part nothing."""
    assert split(",".join(arm.name for arm in arms)) == [arm.name for arm in arms]


@given(st.lists(ARMS, min_size=2, max_size=6, unique=True))
def test_arms_have_files_of_their_own(arms: list[Arm]) -> None:
    """No two arms share a file, and every file system takes the name."""
    names = [file_name(arm.name) for arm in arms if not arm.mode]
    assert len(set(names)) == len(names)
    assert all(not set(name) & set('/\\:*?"<>| ') and len(name) < 200 for name in names)


@pytest.mark.parametrize("text", ["", "Torch", "torch@", "jax[]", "jax@0.10[x==1]", "torch:", "9x", "torch compile"])
def test_what_is_no_arm(text: str) -> None:
    """The rest is told how an arm is written."""
    with pytest.raises(UsageError, match="is no arm"):
        parse(text)


# a package of its own -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The third-party package, built and installed by pip; the variable under which this Python sees it."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "tests" / "plugin_package", folder / "source")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--target", str(folder / "site"), str(folder / "source")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": os.pathsep.join([str(folder / "site"), str(ROOT)])}


def test_an_installed_package_is_an_arm(package: dict[str, str], harness: Command, tmp_path: Path) -> None:
    """It is listed, and runs beside the others, from the same weights, by its entry point alone."""
    listed = json.loads(harness("list", "arms", "--json", env=package).stdout)["arms"]
    assert [row["here"] for row in listed if row["arm"] == "tinytape"] == ["yes"]
    words = ("--arm", "numpy,tinytape", "--set", "train.steps=200", "--json", "--results", tmp_path)
    done = harness("run", "experiments/xor.toml", *words, env=package)
    assert done.returncode == 0, done.stderr
    found = {row["arm"]: row["facts"] for row in json.loads(done.stdout)["arms"]}
    assert found["tinytape"]["verdict"] == "agrees"
    assert found["tinytape"]["versions"]["tinytape"] == "0.3"
    assert found["tinytape"]["fingerprints"] == found["numpy"]["fingerprints"]


def test_an_installed_package_obeys_the_laws(package: dict[str, str], harness: Command) -> None:
    """`harness conformance` tries what it says it can."""
    done = harness("conformance", "tinytape", "--case", "line", env=package)
    assert done.returncode == 0, done.stdout
    done = harness("conformance", "tinytape", "--case", "momentum", "--dtype", "float32", "--json", env=package)
    assert done.returncode == 1
    (found,) = json.loads(done.stdout)["arms"]["tinytape"]["cases"]
    assert "unsupported: tinytape has no momentum" in found["problems"]


def installed(folder: Path, **points: str) -> dict[str, str]:
    """A distribution that names backends; the variable under which this Python sees it."""
    info = folder / "rogue-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rogue\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[harness.backends]\n" + "".join(f"{name} = {module}\n" for name, module in points.items())
    )
    return {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])}


def test_a_package_that_lies_about_its_name(harness: Command, tmp_path: Path) -> None:
    """A backend that calls itself by another name is refused in one line, one that takes a shipped name is left out, one whose module
    is not there is refused; all others run."""
    variables = installed(tmp_path / "site", liar="liar", numpy="liar", ghost="no_such_module.adapter")
    (tmp_path / "site" / "liar.py").write_text('NAME = "torch"\n' + TEMPLATE)
    words = ("--arm", "numpy,liar,ghost", "--no-timings", "--results", tmp_path)
    done = harness("run", "experiments/line.toml", *words, env=variables)
    assert done.returncode == 3
    assert 'liar: refused: it calls itself "torch", not "liar"' in done.stderr
    assert 'ghost: refused: its module "no_such_module.adapter" is not there' in done.stderr
    assert "numpy: agrees" in done.stderr
    doctor = harness("doctor", env=variables)
    assert 'left out: rogue 1.0 calls its backend "numpy", and so does harness itself' in doctor.stderr
    assert "Traceback" not in doctor.stderr + done.stderr


# a file ---------------------------------------------------------------------------------------------------------------------


def test_new_backend_passes_for_one_layer(harness: Command, tmp_path: Path) -> None:
    """What `new backend` writes holds for a dense layer, in both number formats, and runs beside numpy; it is not written over."""
    done = harness("new", "backend", "my_backend", cwd=tmp_path)
    assert done.returncode == 0
    commands = [line.split()[3:] for line in done.stdout.splitlines() if line.startswith("  python -m harness")]
    assert [words[0] for words in commands] == ["conformance", "run"]
    for dtype in ("float32", "float64"):
        found = harness(*commands[0], "--dtype", dtype, "--json", cwd=tmp_path)
        assert found.returncode == 0, found.stdout
        (row,) = json.loads(found.stdout)["arms"]["my_backend"]["cases"]
        assert (row["case"], row["state"]) == ("line", "holds")
    (tmp_path / "experiments").symlink_to(ROOT / "experiments")
    ran = harness(*commands[1], cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "my_backend: agrees" in ran.stderr
    again = harness("new", "backend", "my_backend", cwd=tmp_path)
    assert again.returncode == 2
    assert "is there already" in again.stderr


@pytest.mark.parametrize("name", ["torch", "My-Backend", "numpy"])
def test_new_backend_refuses_a_name(harness: Command, tmp_path: Path, name: str) -> None:
    """A name that is taken, or none."""
    done = harness("new", "backend", name, cwd=tmp_path)
    assert done.returncode == 2
    assert name in done.stderr
    assert not list(tmp_path.iterdir())


#: what is changed in the template -> what its row says
FAULTS = {
    "another name": (('REQUIRES = {"numpy": ""}', 'REQUIRES = {"numpy": ""}\nNAME = "torch"'), 'refused: it calls itself "torch"'),
    "no modes": (('MODES: "dict[str, dict[str, dict[str, str]]]" = {"": {}}', ""), "refused: MODES is missing in faulty.py"),
    "computed modes": (
        ('= {"": {}}', "= dict()"),
        "refused: faulty.py: MODES must be a literal, since it is read without running the file",
    ),
    "modes without the plain one": (('= {"": {}}', '= {"fast": {}}'), 'refused: faulty.py: MODES must be a dict with at least "": {}'),
    "no Python": (("class Program:", "class Program"), "refused: faulty.py, line"),
    "no predict": (("def predict(", "def foresee("), "refused: Program.predict is missing"),
    "other arguments": (("def probe(self, batch: Batch)", "def probe(self)"), "refused: Program.probe must take (self, batch)"),
    "wrong shape of an output": (
        ("dict(zip(names, outputs)), gradients", "dict(zip(names, [y.T for y in outputs])), gradients"),
        "refused: probe() gives outputs dense_1 of shape (1, 64), not (64, 1)",
    ),
    "wrong names of gradients": (
        ("outputs)), gradients,", 'outputs)), {f"my_{name}": array for name, array in gradients.items()},'),
        "refused: probe() gives gradients without dense_1/kernel, dense_1/bias and with the unknown 'my_dense_1/kernel'",
    ),
    "kernels in another layout": (
        ("State({name: array.copy() for name, array", "State({name: array.T.copy() + [[0, 0]] for name, array"),
        "refused: state() gives parameters dense_1/kernel of shape (1, 2), not (1, 1)",
    ),
    "another number format": (
        ("State({name: array.copy()", 'State({name: array.astype("float64")'),
        "refused: state() gives dense_1/kernel as float64, not as float32",
    ),
    "losses that are not read": (
        ("return shared.loop(self.step, staged, steps, read_every)", "self.step(*staged[0]); return Trace([], [0])"),
        "refused: train(5, read_every=1) gives 0 losses and 1 stamps, not 5 and 6",
    ),
    "other outputs in inference": (
        ("[-1] for batch in staged]", "[-1][:3] for batch in staged]"),
        "refused: predict() gives outputs of shape (3, 1), not (64, 1)",
    ),
    "no Probe": (("return Probe(float(loss)", "return (float(loss)"), "refused: probe() gives tuple, not a Probe"),
    "an exception": (("        self.steps += 1\n", '        raise RuntimeError("boiling")\n'), "failed: RuntimeError: boiling"),
    "another framework": (
        ("import numpy\n", "import numpy\nimport no_such_framework\n"),
        "missing: ModuleNotFoundError: No module named 'no_such_framework'",
    ),
    "wrong numbers": (("at[-1] = 2 * ", "at[-1] = 2.001 * "), "faulty: differs"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_file_is_one_clear_line(harness: Command, tmp_path: Path, fault: str) -> None:
    """Whatever is wrong with an adapter is its row's reason, and numpy beside it agrees."""
    (old, new), expected = FAULTS[fault]
    assert old in TEMPLATE
    (tmp_path / "faulty.py").write_text(TEMPLATE.replace(old, new))
    words = ("--backend", tmp_path / "faulty.py", "--arm", "faulty,numpy", "--no-timings", "--set", "train.steps=5")
    done = harness("run", "experiments/line.toml", *words, "--results", tmp_path)
    assert expected in done.stderr
    assert "numpy: agrees" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.returncode == (1 if expected.endswith("differs") else 3)


def test_a_known_fault_of_an_installation_is_said(harness: Command, tmp_path: Path) -> None:
    """What an adapter's `faults` finds is said, and the exit code is 1, although the numbers of this run agree."""
    fault = '\n\ndef faults() -> "list[str]":\n    return ["two and two is five: https://example.org/1"]\n'
    (tmp_path / "faulty.py").write_text(TEMPLATE + fault)
    words = ("--backend", tmp_path / "faulty.py", "--arm", "faulty,numpy", "--no-timings", "--results", tmp_path)
    done = harness("run", "experiments/line.toml", *words)
    assert done.returncode == 1
    assert "faulty: agrees" in done.stderr
    assert "faulty is a version with a known fault: two and two is five: https://example.org/1" in done.stdout


def test_conformance_says_what_is_broken(harness: Command, tmp_path: Path) -> None:
    """A law that does not hold is named, with its step and tensor, and the exit code is 1."""
    (tmp_path / "faulty.py").write_text(TEMPLATE.replace("at[-1] = 2 * ", "at[-1] = 2.001 * "))
    done = harness("conformance", "faulty", "--backend", tmp_path / "faulty.py", "--case", "line")
    assert done.returncode == 1
    assert "line: step 0: gradients/dense_1/kernel is off by" in done.stdout


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("numpy.py", 'there is a backend "numpy" already'),
        ("My-Backend.py", '"My-Backend" is no name for a backend'),
        ("not_there.py", "there is no adapter at"),
        ("", "there is no adapter at"),
    ],
)
def test_a_file_that_is_no_backend(harness: Command, tmp_path: Path, path: str, expected: str) -> None:
    """Nothing is run."""
    if path and path != "not_there.py":
        (tmp_path / path).write_text(TEMPLATE)
    done = harness("run", "experiments/line.toml", "--backend", tmp_path / path, "--results", tmp_path / "results")
    assert done.returncode == 2
    assert expected in done.stderr
    assert not (tmp_path / "results").exists()


def test_a_file_from_python(tmp_path: Path) -> None:
    """`harness.run(backends=[...])` takes files too."""
    (tmp_path / "of_python.py").write_text(TEMPLATE)
    code = (
        "import harness\n"
        f"run = harness.run('experiments/line.toml', arms=['of_python'], backends=[{str(tmp_path / 'of_python.py')!r}],\n"
        f"                  results={str(tmp_path)!r}, timing='none')\n"
        "print(run.summary['verdict'].tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.stdout.strip() == "['agrees']", done.stderr
