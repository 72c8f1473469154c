"""Environments created for real, from the package index and from small packages made here; what cannot be had is one clear line."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.environments.failure import explain
from harness.environments.pythons import find_python
from harness.environments.resolve import environment_of
from harness.registry import parse
from tests.conftest import heed_interrupts

ROOT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
XOR = ("run", "experiments/xor.toml", "--set", "train.steps=50", "--no-timings")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The variable that names a cache folder of the tests' own."""
    return {"HARNESS_CACHE": str(tmp_path_factory.mktemp("cache"))}


def folders(variables: dict[str, str]) -> list[str]:
    """What lies where environments are created, but for the installers' logs."""
    return sorted(path.name for path in (Path(variables["HARNESS_CACHE"]) / "environments").glob("*") if path.name != "logs")


def states(harness: Command, variables: dict[str, str]) -> dict[str, str]:
    """Environment -> state, as `env list` has it."""
    done = harness("env", "list", "--json", env=variables)
    return {row["environment"]: row["state"] for row in json.loads(done.stdout)["environments"]}


# shipped ones, from the index ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def autograd(harness: Command, cache: dict[str, str]) -> dict[str, str]:
    """The shipped environment autograd, created."""
    done = harness("env", "create", "autograd", env=cache)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("autograd: created in ")
    return cache


def test_nothing_is_created_without_being_asked_for(harness: Command, tmp_path: Path) -> None:
    """A run says which command would create an arm's environment; the other arms run; the exit code says that one is missing."""
    variables = {"HARNESS_CACHE": str(tmp_path)}
    done = harness(*XOR, "--arm", "numpy,mlx", "--arm", "jax[jax==0.10.0 jaxlib==0.10.0]", "--results", tmp_path, env=variables)
    assert done.returncode == 3
    assert "mlx: missing: its environment is not created: python -m harness env create mlx" in done.stderr
    assert 'not created: python -m harness env create "jax[jax==0.10.0 jaxlib==0.10.0]"' in done.stderr
    assert "numpy: agrees" in done.stderr
    assert not (tmp_path / "environments").exists()


def test_a_created_environment_is_listed_used_and_left_alone(autograd: dict[str, str], harness: Command, tmp_path: Path) -> None:
    """It is there the second time, works, and its arm agrees beside numpy."""
    assert states(harness, autograd)["autograd"] == "created"
    assert harness("env", "create", "autograd", env=autograd).stdout == "autograd: is there\n"
    done = harness("env", "doctor", "autograd", "--json", env=autograd)
    (row,) = json.loads(done.stdout)["arms"]
    assert (row["environment"], row["arm"], row["state"]) == ("autograd", "autograd@autograd", "works")
    assert row["arithmetic"].startswith("float32 of 24 bits")
    done = harness(*XOR, "--arm", "numpy,autograd", "--json", "--results", tmp_path, env=autograd)
    assert done.returncode == 0, done.stderr
    (found,) = [row["facts"] for row in json.loads(done.stdout)["arms"] if row["arm"] == "autograd"]
    assert (found["verdict"], found["versions"]["autograd"]) == ("agrees", "1.9.1")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_laws_hold_in_it(autograd: dict[str, str], harness: Command, dtype: str) -> None:
    """Every law for dense nets, in an environment of its own; for everything else see test_all_environments.py."""
    done = harness("conformance", "autograd", "--item", "dense", "--item", "sgd", "--dtype", dtype, "--json", env=autograd)
    assert done.returncode == 0, done.stdout
    held = [row for row in json.loads(done.stdout)["arms"]["autograd"]["cases"] if row["state"] == "holds"]
    assert len(held) > 10
    assert dtype == "float32" or max(row["error"] for row in held) < 1e-12


def test_two_versions_side_by_side(autograd: dict[str, str], harness: Command, tmp_path: Path) -> None:
    """An arm that names its requirements gets an environment of its own; `compare --by version` holds the two against each other."""
    other = "autograd[autograd==1.8.0]"
    created = harness("env", "create", other, env=autograd)
    assert created.returncode == 0, created.stderr
    assert states(harness, autograd)[other] == "for one arm"
    assert harness("env", "remove", "--outdated", env=autograd).stdout == ""
    words = ("run", "experiments/xor.toml", "--set", "train.steps=50", "--arm", "autograd", "--arm", other)
    done = harness(*words, "--results", tmp_path, env=autograd)
    assert done.returncode == 0, done.stderr
    compared = harness("compare", "--by", "version", "--json", "--results", tmp_path, env=autograd)
    here, there = json.loads(compared.stdout)["families"]["autograd"]
    assert (here["version"], there["version"]) == ("1.9.1", "1.8.0")
    assert there["arm"] == other
    assert there["loss_moved"] is not None
    assert there["time"] > 0
    shown = harness("compare", "--by", "version", "--results", tmp_path, env=autograd)
    assert "autograd: what moved from 1.9.1" in shown.stdout
    judged = harness("reproduce", "xor-frameworks", "--arm", other, "--no-timings", "--quiet", env=autograd)
    assert judged.returncode == 0, judged.stdout
    assert f"version changed: {other}: autograd 1.9.1 -> 1.8.0" in judged.stdout
    assert harness("env", "remove", other, env=autograd).returncode == 0
    assert other not in states(harness, autograd)
    assert states(harness, autograd)["autograd"] == "created"


def test_pip_where_uv_is_not(harness: Command, tmp_path: Path) -> None:
    """MLX by venv and pip; then it is removed."""
    if sys.platform == "win32":
        pytest.skip("MLX has no wheels for Windows")
    variables = {"HARNESS_CACHE": str(tmp_path)}
    done = harness("env", "create", "mlx", "--installer", "pip", env=variables)
    assert done.returncode == 0, done.stderr
    assert "Successfully installed" in done.stderr
    run = harness(*XOR, "--arm", "mlx,numpy", "--results", tmp_path / "results", env=variables)
    assert run.returncode == 0, run.stderr
    assert "mlx: agrees" in run.stderr
    assert harness("env", "remove", "mlx", env=variables).stdout.startswith("mlx: removed")
    assert folders(variables) == []


# what cannot be had ---------------------------------------------------------------------------------------------------------


def write(folder: Path, name: str, **settings: Any) -> None:
    """Write an environment's file."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.toml").write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in settings.items()))


def package(folder: Path, name: str, setup: str) -> str:
    """A source distribution with a setup.py; its requirement."""
    (folder / name).mkdir()
    (folder / name / "setup.py").write_text(setup)
    (folder / name / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    )
    return f"{name} @ {(folder / name).as_uri()}"


COMPILED = """
from setuptools import Extension, setup
setup(name="compiled", version="1", ext_modules=[Extension("compiled", ["compiled.c"])])
"""
SLOW = """
import os, pathlib, time
pathlib.Path(__file__).with_name("started").write_text(str(os.getpid()))
time.sleep(120)
"""


@pytest.mark.parametrize("installer", ["uv", "pip"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"requirements": ["autograd==99.0"]}, "autograd==99.0"),
        ({"requirements": ["numpy==1.19.0"], "python": "3.5"}, "it needs Python 3.5"),
        ({"requirements": ["numpy"], "python": "/no/such/python"}, "no interpreter at /no/such/python"),
        ({"requirements": ["numpy"], "backend": "autograd"}, "import autograd fails: ModuleNotFoundError: No module named 'autograd'"),
        ({"requirements": ["compiled"]}, "there is no C compiler"),
    ],
    ids=["no version", "no Python", "no interpreter", "wrong backend", "no compiler"],
)  # fmt: skip
def test_what_cannot_be_had(harness: Command, tmp_path: Path, installer: str, settings: dict[str, Any], expected: str) -> None:
    """One clear line, exit code 3, and nothing half made."""
    if settings["requirements"] == ["compiled"]:
        settings = {"requirements": [package(tmp_path, "compiled", COMPILED)]}
    write(tmp_path / "files", "hopeless", **settings)
    variables = {
        "HARNESS_CACHE": str(tmp_path), "HARNESS_ENVIRONMENTS": str(tmp_path / "files"), "CC": "/no/such/gcc",
        "UV_PYTHON_DOWNLOADS": "never",
    }  # fmt: skip
    done = harness("env", "create", "hopeless", "--quiet", "--installer", installer, env=variables)
    assert done.returncode == 3
    first, *more = done.stderr.strip().splitlines()
    assert first.startswith("error: hopeless: ")
    assert expected in first
    assert len(more) <= 1
    assert folders(variables) == []


def test_a_file_with_mistakes(harness: Command, tmp_path: Path) -> None:
    """The file, the key and what is wrong with it; nothing is made."""
    variables = {"HARNESS_CACHE": str(tmp_path), "HARNESS_ENVIRONMENTS": str(tmp_path)}
    for text, expected in [
        ('requirement = ["numpy"]', 'unknown key "requirement"'),
        ("requirements = 'numpy'", "requirements must be a list of strings"),
        ("requirements = ['numpy==']", "which is no requirement"),
        ("variables = { A = 1 }", "variables must be a table of strings"),
        ("python = 3.9", "python must be a string"),
        ("python = '3.9'", "python 3.9 without requirements"),
        ("python = ", "Invalid value"),
    ]:
        (tmp_path / "mistaken.toml").write_text(text)
        done = harness("env", "create", "mistaken", env=variables)
        assert done.returncode == 2, text
        assert "mistaken.toml" in done.stderr
        assert expected in done.stderr


def test_an_unknown_name(harness: Command, cache: dict[str, str]) -> None:
    """What there is, and how to make an arm of another version."""
    done = harness("env", "create", "autogrd", env=cache)
    assert (done.returncode, 'did you mean "autograd"?' in done.stderr) == (2, True)
    done = harness("run", "experiments/xor.toml", "--arm", "jax@0.9.9", env=cache)
    assert done.returncode == 2
    assert 'there is no environment "0.9.9" for jax' in done.stderr
    assert "jax-0.10.2" in done.stderr
    assert '"jax[jax==0.9.9]" makes one' in done.stderr
    done = harness("run", "experiments/xor.toml", "--arm", "torch@autograd", env=cache)
    assert 'the environment "autograd" is for autograd, not for torch' in done.stderr


def test_a_changed_file_makes_a_new_environment(harness: Command, tmp_path: Path) -> None:
    """The old one is outdated, and goes when it is told to; notes and variables change nothing."""
    files = tmp_path / "files"
    variables = {"HARNESS_CACHE": str(tmp_path), "HARNESS_ENVIRONMENTS": str(files)}
    write(files, "mine", requirements=["numpy==2.2.6"], notes="first")
    assert harness("env", "create", "mine", env=variables).returncode == 0
    write(files, "mine", requirements=["numpy==2.2.6"], notes="second")
    assert states(harness, variables)["mine"] == "created"
    write(files, "mine", requirements=["numpy==2.2.5"])
    assert harness(*XOR, "--arm", "numpy@mine", "--results", tmp_path, env=variables).returncode == 3
    assert harness("env", "create", "mine", env=variables).returncode == 0
    listed = json.loads(harness("env", "list", "--json", env=variables).stdout)["environments"]
    assert [row["state"] for row in listed if row["environment"] == "mine"] == ["created", "outdated"]
    assert harness("env", "remove", "--outdated", env=variables).returncode == 0
    assert len(folders(variables)) == 1
    done = harness(*XOR, "--arm", "numpy@mine", "--json", "--results", tmp_path, env=variables)
    assert json.loads(done.stdout)["arms"][0]["facts"]["versions"]["numpy"] == "2.2.5"


@pytest.fixture
def being_created(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, str], int]]:
    """A creation that is building a package that takes for ever: its process, the variables, and the builder's number."""
    requirement = package(tmp_path, "slow", SLOW)
    write(tmp_path / "files", "slow", requirements=[requirement])
    variables = {"HARNESS_CACHE": str(tmp_path), "HARNESS_ENVIRONMENTS": str(tmp_path / "files")}
    command = [sys.executable, "-m", "harness", "env", "create", "slow", "--quiet"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, **variables},
        preexec_fn=heed_interrupts if os.name != "nt" else None,  # noqa: PLW1509 - it takes no lock
    )  # fmt: skip
    end = time.monotonic() + 120
    while not (list(tmp_path.rglob("started")) or process.poll() is not None or time.monotonic() > end):
        time.sleep(0.1)
    started = list(tmp_path.rglob("started"))
    assert started, process.communicate(timeout=10)[1]
    yield process, variables, int(started[0].read_text())
    process.kill()
    process.communicate()


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_creation_leaves_nothing(being_created: tuple[Any, dict[str, str], int], number: int) -> None:
    """Neither a folder nor a process."""
    process, variables, builder = being_created
    process.send_signal(number)
    assert process.wait(timeout=30) == 130
    assert folders(variables) == []
    assert not psutil.pid_exists(builder) or psutil.Process(builder).status() == psutil.STATUS_ZOMBIE


@pytest.mark.skipif(os.name == "nt", reason="signals of a terminal")
def test_a_killed_creation_is_swept(being_created: tuple[Any, dict[str, str], int], harness: Command) -> None:
    """What a killed creation left is no environment, and goes with the next creation."""
    process, variables, builder = being_created
    process.kill()
    process.wait()
    os.kill(builder, signal.SIGKILL)
    assert [name for name in folders(variables) if name.endswith(".part")]
    assert states(harness, variables)["slow"] == "not created"
    write(Path(variables["HARNESS_ENVIRONMENTS"]), "quick", requirements=["numpy"])
    assert harness("env", "create", "quick", env=variables).returncode == 0
    assert [name for name in folders(variables) if not name.startswith("quick-")] == []


def test_a_broken_environment_is_one_row(autograd: dict[str, str], harness: Command, tmp_path: Path) -> None:
    """An environment whose package or whose interpreter is gone: its arm's row says so, and numpy agrees."""
    copy = {"HARNESS_CACHE": str(tmp_path / "cache")}
    shutil.copytree(autograd["HARNESS_CACHE"], copy["HARNESS_CACHE"], symlinks=True)
    (made,) = (Path(copy["HARNESS_CACHE"]) / "environments").glob("autograd-*")
    for site in made.rglob("site-packages/autograd"):
        shutil.rmtree(site)
    done = harness(*XOR, "--arm", "autograd,numpy", "--results", tmp_path, env=copy)
    assert (done.returncode, "numpy: agrees" in done.stderr) == (3, True)
    assert "autograd: missing: ModuleNotFoundError: No module named 'autograd'" in done.stderr
    doctor = harness("env", "doctor", "autograd", env=copy)
    assert (doctor.returncode, "No module named 'autograd'" in doctor.stdout) == (3, True)
    interpreter = made / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    interpreter.unlink()
    done = harness(*XOR, "--arm", "autograd,numpy", "--results", tmp_path, env=copy)
    assert (done.returncode, "numpy: agrees" in done.stderr) == (3, True)
    assert "autograd: missing: cannot start" in done.stderr


# small parts ----------------------------------------------------------------------------------------------------------------


def test_python_of_this_machine() -> None:
    """This Python is found by its version; one that there is not is not."""
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = find_python(version)
    assert found is not None
    code = "import sys; print(*sys.version_info[:2], sep='.')"
    assert subprocess.run([found, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == version
    assert find_python("3.2") is None


@pytest.mark.skipif(os.name == "nt", reason="pyenv's layout elsewhere")
def test_a_python_of_pyenv_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest fitting one in pyenv's folder, if it runs; a shim that does not is passed by."""
    for version in ("3.4.9", "3.4.10", "3.41.0"):
        home = tmp_path / "versions" / version / "bin"
        home.mkdir(parents=True)
        (home / "python").write_text(f"#!/bin/sh\necho {version}\n")
        (home / "python").chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_python("3.4") == str(tmp_path / "versions" / "3.4.10" / "bin" / "python")
    (tmp_path / "versions" / "3.4.10" / "bin" / "python").write_text("#!/bin/sh\nexit 127\n")
    assert find_python("3.4") == str(tmp_path / "versions" / "3.4.9" / "bin" / "python")


def test_an_arm_with_requirements_takes_what_its_backend_usually_takes(cache: dict[str, str]) -> None:
    """Named requirements stand in the place of their like: those of the backend's environment, or of its extra."""
    found = environment_of(parse("autograd[autograd==1.8.0]"))
    assert found is not None
    assert found.requirements == ("autograd==1.8.0", "numpy==2.4.6")
    found = environment_of(parse("jax[jax==0.10.0 jaxlib==0.10.0]"))
    assert found is not None
    assert found.requirements == ("jax==0.10.0", "jaxlib==0.10.0", "optax>=0.2.8")
    assert found.key != environment_of(parse("jax[jax==0.10.1 jaxlib==0.10.0]")).key  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("x\nerror: failed to copy: No space left on device (os error 28)", "the disk is full"),
        ("ERROR: No matching distribution found for mxnet==9", "there is no version mxnet==9 for this Python and system"),
        (
            "  × No solution found when resolving dependencies:\n  ╰─▶ Because there is no version of a==9 and you\n      require a==9.\n",
            "Because there is no version of a==9 and you require a==9.",
        ),
        ("error: command 'gcc' failed: No such file or directory", "there is no C compiler"),
        ("error: Microsoft Visual C++ 14.0 or greater is required.", "there is no C compiler"),
        ("Caused by: dns error: failed to lookup address information", "the package index cannot be reached"),
        ("one\ntwo\n\n", "two"),
        ("", "it said nothing"),
    ],
)
def test_why_a_creation_failed(printed: str, expected: str) -> None:
    """One line of what installers print in many."""
    found = explain(printed)
    assert expected in found
    assert "\n" not in found
