"""Arms in other environments: another numpy, another Python, variables of their own, in the same run as this one's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest

from harness.records.store import read_record

ROOT = Path(__file__).parents[1]
Command = Callable[..., "subprocess.CompletedProcess[str]"]
#: the oldest numpy that a Python takes from the index; what workers import runs on 1.23
OTHER_NUMPY = {(3, 9): "1.23.5", (3, 11): "1.23.5", (3, 12): "1.26.4", (3, 13): "2.1.3"}
#: prints a variable when the worker starts
TELL = "import os, sys; print('SECRET is', os.environ.get('SECRET'), file=sys.stderr)"


def environment(request: pytest.FixtureRequest, python: str) -> Path:
    """An interpreter with an older numpy and nothing else; made once and kept in pytest's cache."""
    code = "import sys; print(*sys.version_info[:2])"
    major, minor = map(int, subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    version = OTHER_NUMPY[major, minor]
    folder = request.config.cache.mkdir("environments") / f"python-{major}.{minor}-numpy-{version}"
    made = folder / "bin" / "python"
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([python, "-m", "venv", "--without-pip", str(folder)], check=True)
        (site,) = folder.glob("lib/python*/site-packages")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        where = ["--target", str(site), "--python-version", f"{major}.{minor}", "--only-binary", ":all:"]
        done = subprocess.run([*pip, *where, f"numpy=={version}"], capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"numpy {version} cannot be had: {done.stderr.strip().splitlines()[-1]}")
        (folder / "complete").touch()
    return made


def write(folder: Path, name: str, python: Path, **variables: str) -> dict[str, str]:
    """Write an environment's file; the variables under which it is known."""
    (folder / f"{name}-site").mkdir()
    (folder / f"{name}-site" / "sitecustomize.py").write_text(TELL)
    lines = [f'python = "{python}"', 'notes = "an older numpy"', "[variables]", f'PYTHONPATH = "{folder / f"{name}-site"}"']
    (folder / f"{name}.toml").write_text("\n".join([*lines, *(f'{key} = "{value}"' for key, value in variables.items())]))
    return {"HARNESS_ENVIRONMENTS": str(folder)}


def python_39() -> str:
    """A Python 3.9 that really runs (a shim may not); "" where there is none."""
    found = [shutil.which("python3.9"), *map(str, Path("~/.pyenv/versions").expanduser().glob("3.9*/bin/python"))]
    for python in filter(None, found):
        if subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
            return python
    return ""


@pytest.fixture(scope="module")
def compared(
    request: pytest.FixtureRequest, harness: Command, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, str], subprocess.CompletedProcess[str]]:
    """A run with numpy here and in another environment: its results, the variables, and how it ended."""
    folder = tmp_path_factory.mktemp("other")
    variables = write(folder, "older", environment(request, sys.executable), SECRET="only-there")
    words = ("--set", "train.steps=200", "--arm", "numpy,numpy@older", "--results", folder)
    return folder, variables, harness("run", "experiments/xor.toml", *words, env=variables)


def arm(results: Path, name: str) -> Path:
    """The folder of an arm of the latest run."""
    return sorted((results / "runs").glob("*"))[-1] / "arms" / name


def test_two_versions_of_numpy_agree_in_one_run(compared: tuple[Path, dict[str, str], Any]) -> None:
    """Both arms agree with the reference and are timed; each records the version that it really had."""
    folder, _, done = compared
    assert done.returncode == 0, done.stderr
    here, there = read_record(arm(folder, "numpy")), read_record(arm(folder, "numpy@older"))
    assert (here.facts["verdict"], there.facts["verdict"]) == ("agrees", "agrees")
    assert here.facts["versions"]["numpy"] == numpy.__version__
    assert there.facts["versions"]["numpy"] == OTHER_NUMPY[sys.version_info[:2]]
    assert here.facts["fingerprints"] == there.facts["fingerprints"]
    assert here.blocks
    assert there.blocks


def test_variables_reach_their_environment_alone(compared: tuple[Path, dict[str, str], Any]) -> None:
    """A variable of an environment's file reaches its worker, and no other."""
    folder, _, _ = compared
    assert "SECRET is only-there" in (arm(folder, "numpy@older") / "log.txt").read_text()
    assert not (arm(folder, "numpy") / "log.txt").exists()


def test_the_parents_packages_stay_out(compared: tuple[Path, dict[str, str], Any], harness: Command) -> None:
    """A worker's import path is its own: neither PYTHONPATH nor PYTHONHOME of the parent reaches it."""
    folder, variables, _ = compared
    site = str(Path(numpy.__file__).parents[1])
    inherited = {**variables, "PYTHONPATH": os.pathsep.join([str(ROOT), site])}
    words = ("--no-timings", "--set", "train.steps=2", "--arm", "numpy@older", "--results", folder / "again")
    done = harness("run", "experiments/xor.toml", *words, env=inherited)
    assert done.returncode == 0, done.stderr
    assert read_record(arm(folder / "again", "numpy@older")).facts["versions"]["numpy"] == OTHER_NUMPY[sys.version_info[:2]]


def test_compare_tells_the_environments_apart(compared: tuple[Path, dict[str, str], Any], harness: Command) -> None:
    """`compare --json` is one document in which each arm has its own environment, version and row."""
    folder, _, _ = compared
    done = harness("compare", "--json", "--results", folder)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    arms = {row["arm"]: row["facts"] for row in document["arms"]}
    assert {name: facts["environment"] for name, facts in arms.items()} == {"numpy": "", "numpy@older": "older"}
    assert len({facts["versions"]["numpy"] for facts in arms.values()}) == 2
    assert [row["arm"] for row in document["summary"]] == ["numpy", "numpy@older"]
    assert {row["arm"] for row in document["timings"]} == {"numpy", "numpy@older"}


def test_environments_are_listed(compared: tuple[Path, dict[str, str], Any], harness: Command) -> None:
    """`list environments` shows what HARNESS_ENVIRONMENTS adds."""
    _, variables, _ = compared
    done = harness("list", "environments", "--json", env=variables)
    assert {"environment": "older", "file": "older.toml"} in json.loads(done.stdout)["environments"]


def test_a_worker_runs_on_the_oldest_python(request: pytest.FixtureRequest, harness: Command, tmp_path: Path) -> None:
    """The numpy arm on Python 3.9 and numpy 1.23, driven by this Python, in the numeric and in the timing lane."""
    python = python_39()
    if not python:
        pytest.skip("no Python 3.9 here")
    variables = write(tmp_path, "oldest", environment(request, python))
    words = ("--set", "train.epochs=1", "--arm", "numpy@oldest", "--results", tmp_path)
    done = harness("run", "experiments/digits-dropout.toml", *words, env=variables)
    assert done.returncode == 0, done.stderr
    record = read_record(arm(tmp_path, "numpy@oldest"))
    assert record.facts["verdict"] == "agrees"
    assert record.facts["python"].startswith("3.9.")
    assert record.facts["versions"]["numpy"] == "1.23.5"
    assert record.blocks
