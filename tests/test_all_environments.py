"""Every shipped environment, created, and its arm held against the reference: `make test-environments`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from harness.environments import environment_files
from harness.environments.files import read_environment
from harness.numeric.known import FILE, conclude, read_known
from harness.numeric.laws import try_laws
from harness.registry import parse
from tests.conftest import ROOT, Command
from tests.test_conformance import FIRST

pytestmark = pytest.mark.environments

KNOWN = ROOT / "backends" / FILE
FILES = {path.stem: read_environment(path) for path in sorted((ROOT / "backends" / "environments").glob("*.toml"))}
NAMES = [name for name, found in FILES.items() if found.requirements]
#: arms of environments that are not named like their backend
ARMS = {"jax-0.10.2": "jax@0.10.2", "keras-3.14": "keras:jax@3.14"}
#: versions that are kept because they are wrong
FAULTY = {"jax-0.10.2"}
EXPERIMENTS = [path.stem for path in sorted((ROOT / "experiments").glob("*.toml")) if "frameworks" not in path.stem]


def arm(name: str) -> str:
    """The arm of an environment, in that environment also where its framework is installed beside harness."""
    return ARMS.get(name, f"{name}@{name}")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_created(name: str) -> None:
    """`harness env create --all` has made it."""
    assert name in environment_files()
    assert FILES[name].created


@pytest.mark.timeout(7200)  # frameworks that compile each kernel take minutes a model
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_laws(tmp_path: Path, name: str, dtype: str) -> None:
    """In the first case of every item no law is broken, and what is not supported is recorded; in float64 all is within 1e-12."""
    found = conclude(parse(arm(name)), {dtype: try_laws(parse(arm(name)), dtype, FIRST, cache=tmp_path)}, read_known(KNOWN))
    assert [f"{row.case}: {problem['text']}" for row in found.rows for problem in row.problems] == []
    assert list(found.stale) == []
    held = [row.error or 0.0 for row in found.rows if row.state == "holds"]
    assert held or dtype == "float64"
    assert dtype == "float32" or max(held, default=0.0) < 1e-12


@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("name", NAMES)
def test_experiments(harness: Command, tmp_path: Path, name: str, experiment: str) -> None:
    """Its arm agrees with the reference in every shipped experiment, or says why it cannot express it; a faulty version is called that."""
    words = ("--arm", f"numpy,{arm(name)}", "--no-timings", "--json", "--results", tmp_path)
    done = harness("run", f"experiments/{experiment}.toml", *words)
    found = json.loads(done.stdout)["arms"][1]
    assert found["status"] in ("ok", "unsupported"), found["reason"]
    assert found["status"] == "ok" or found["reason"]
    assert found["facts"].get("verdict", "agrees") == "agrees"
    assert done.returncode == (1 if name in FAULTY else 0)
    assert bool(found["facts"].get("faults")) == (name in FAULTY)


def test_the_documents_say_what_they_can() -> None:
    """The tables of support are up to date, with every framework asked."""
    done = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.timeout(7200)
@pytest.mark.parametrize("reference", sorted(path.name for path in (ROOT / "results" / "reference").iterdir()))
def test_the_committed_tables_hold(harness: Command, reference: str) -> None:
    """Every number of every framework."""
    done = harness("reproduce", reference, "--no-timings", "--json", "--quiet")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    (judged,) = json.loads(done.stdout)["references"]
    assert {cell["state"] for cell in judged["cells"]} <= {"bitwise equal", "within rounding"}
