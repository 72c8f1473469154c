"""What the documents say is so: generated parts are up to date, code blocks run, pictures are of the committed tables."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import ROOT
from tests.test_architecture import FLOORS

README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")


def module(path: Path) -> ModuleType:
    """A module by its file."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_generated_parts_are_up_to_date() -> None:
    """`python docs/generate.py --check` finds nothing to write."""
    found = subprocess.run([sys.executable, "docs/generate.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_pictures_are_of_the_committed_tables() -> None:
    """Each names the fingerprint of the tables that it was drawn from."""
    picture = module(ROOT / "docs" / "picture.py")
    for path in picture.PICTURES:
        assert f"fingerprint {picture.fingerprint()}" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", COMMANDS, re.DOTALL))
def test_python_of_the_commands_runs(block: str) -> None:
    """Every Python block runs as it stands."""
    found = subprocess.run([sys.executable, "-c", block], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


def test_experiment_of_the_readme_is_the_shipped_one() -> None:
    """The experiment that the README shows is checked, and computes what experiments/xor.toml computes."""
    from harness.execution.plan import plan

    shown = re.findall(r"```toml\n(name = .*?)```", README, re.DOTALL)[0]
    (ROOT / "results" / "runs").mkdir(parents=True, exist_ok=True)
    path = ROOT / "results" / "runs" / "readme.toml"
    path.write_text(shown, encoding="utf-8")
    try:
        assert plan(path).spec == plan(ROOT / "experiments" / "xor.toml").spec
        assert plan(path).steps == plan(ROOT / "experiments" / "xor.toml").steps
    finally:
        path.unlink()


def test_every_experiment_has_a_reference() -> None:
    """Every shipped experiment is committed as a reference, of the experiment as it stands."""
    for path in (ROOT / "experiments").glob("*.toml"):
        committed = ROOT / "results" / "reference" / path.stem / "experiment.toml"
        assert committed.read_text(encoding="utf-8") == path.read_text(encoding="utf-8")


def test_the_house_is_the_house() -> None:
    """CONTRIBUTING shows every part of harness on the floor on which tests/test_architecture.py has it."""
    house = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The house")[2].split("```")[1]
    shown, floor = {}, 0
    for line in house.strip().splitlines():
        floor = int(line[0]) if line[0].isdigit() else floor
        shown.update(dict.fromkeys(re.findall(r"harness/(\w+)/", line), floor))
    folders = {path.parent.name for path in (ROOT / "harness").glob("*/*.py")} - {"templates"}
    assert shown == {name: FLOORS[name] for name in folders}


def test_pages_show_what_their_files_say() -> None:
    """What is cut out of the files of a port and a backend stands there."""
    files = "".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs" / "howto" / "port").glob("*.py")))
    page = (ROOT / "docs" / "howto" / "port-a-model.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert blocks
    for line in "".join(blocks).splitlines():
        assert line.strip() in files or line in ("...", "optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)"), line
